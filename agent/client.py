"""Asks the running daemon what it knows, over its own page's address, as `status`, `alerts` and `quota` do."""

from __future__ import annotations

import http.client
from contextlib import closing

from agent.status import Status
from coloc.config import Config, Listen
from coloc.errors import ColocError

_MAX_BYTES = 8 * 1024 * 1024
_PATH = "/api/v1/status"
_START = "is it running? see `systemctl status coloc-agent`, start it with `systemctl start coloc-agent`"


class AgentSilent(ColocError):
    """Nothing answers where the daemon should."""


def address_to_ask(listen: Listen) -> Listen:
    """Where a daemon that listens at `listen` answers on its own server: a wildcard is asked on loopback."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - we ask there, we bind nothing
    return Listen(host=here.get(listen.host, listen.host), port=listen.port)


def ask_status(listen: Listen, *, timeout: float = 3) -> Status:
    """What the daemon knows now. Raises ColocError when it does not answer, or when something else does."""
    address = address_to_ask(listen)
    connection = http.client.HTTPConnection(address.host, address.port, timeout=timeout)
    try:
        with closing(connection):
            connection.request("GET", _PATH, headers={"Accept": "application/json"})
            with closing(connection.getresponse()) as answer:
                body = answer.read(_MAX_BYTES + 1)
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise AgentSilent(f"the agent does not answer at http://{address}/: {why}", hint=_START) from error
    if answer.status != http.HTTPStatus.OK or len(body) > _MAX_BYTES:
        raise ColocError(
            f"http://{address}{_PATH} answered {answer.status}, not the agent's status",
            hint="does another program listen there? change `listen:` in coloc.yml",
        )
    return parse_status(body, str(address))


def ask_own_status(config: Config) -> Status:
    """The same from this colocation's own daemon. Raises ColocError also when another colocation's agent answers."""
    status = ask_status(config.listen)
    if status.coloc != config.coloc.name:
        raise ColocError(
            f"the agent of another colocation answers at http://{config.listen}/: {status.coloc!r}",
            hint="is --config the right file? else choose another port in listen:, or stop that agent",
        )
    return status


def parse_status(body: bytes, address: str) -> Status:
    """The daemon's JSON as our types. Raises ColocError for anything else."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - heavy

    try:
        return TypeAdapter(Status).validate_json(body)
    except (ValidationError, RecursionError) as error:
        raise ColocError(
            f"what answers at http://{address}/ is not this version of the agent",
            hint="restart it after an upgrade: systemctl restart coloc-agent",
        ) from error
