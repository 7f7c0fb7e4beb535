"""Asks the running daemon what it knows, over its own page's address, as `status`, `alerts` and `quota` do."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from pathlib import Path

from agent.status import Status
from coloc.config.places import Listen
from coloc.config.whole import Config
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


def local_socket(listen: Listen, state: Path) -> Path | None:
    """Where commands on this server ask when the page asks for certificates or passwords, which they have not."""
    return state / "status.sock" if listen.web_config else None


def ask_status(listen: Listen, state: Path | None = None, *, timeout: float = 3) -> Status:
    """What the daemon knows now; `state` is paths.state. Raises ColocError when it, or anybody else, does not say."""
    beside = local_socket(listen, state) if state else None
    address: Listen | Path = beside or address_to_ask(listen)
    try:
        return _ask(address, timeout)
    except PermissionError as error:
        raise ColocError(f"{address} is not open to you", hint="ask as root: sudo") from error


class _Beside(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Like the library's, by path."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _ask(address: Listen | Path, timeout: float) -> Status:
    connection = (
        _Beside(address, timeout)
        if isinstance(address, Path)
        else http.client.HTTPConnection(address.host, address.port, timeout=timeout)
    )
    where = f"{address}" if isinstance(address, Path) else f"http://{address}"
    try:
        with closing(connection):
            connection.request("GET", _PATH, headers={"Accept": "application/json"})
            with closing(connection.getresponse()) as answer:
                body = answer.read(_MAX_BYTES + 1)
    except PermissionError:
        raise
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise AgentSilent(f"the agent does not answer at {where}/: {why}", hint=_START) from error
    if answer.status != http.HTTPStatus.OK or len(body) > _MAX_BYTES:
        raise ColocError(
            f"{where}{_PATH} answered {answer.status}, not the agent's status",
            hint="does another program listen there? change `listen:` in coloc.yml",
        )
    return parse_status(body, where)


def ask_own_status(config: Config) -> Status:
    """The same from this colocation's own daemon. Raises ColocError also when another colocation's agent answers."""
    status = ask_status(config.listen, config.paths.state)
    if status.coloc != config.coloc.name:
        raise ColocError(
            f"the agent of another colocation answers at {config.listen}: {status.coloc!r}",
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
            f"what answers at {address}/ is not this version of the agent",
            hint="restart it after an upgrade: systemctl restart coloc-agent",
        ) from error
