"""Asks the running daemon what it knows, over its own page's address, as `status`, `alerts` and `quota` do."""

from __future__ import annotations

import http.client
import socket
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from agent.status import Past, Status
from coloc.config.places import Listen
from coloc.config.whole import Config
from coloc.errors import ColocError

_MAX_BYTES = 8 * 1024 * 1024
_PATH = "/api/v1/status"
_PAST = "/api/v1/incidents"
_START = "is it running? see `systemctl status coloc-agent`, start it with `systemctl start coloc-agent`"
_Kind = TypeVar("_Kind")


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
    address = _address(listen, state)
    found = _ask(address, _PATH, timeout)
    if found is None:
        raise _stranger(f"{_shown(address)}{_PATH}", http.HTTPStatus.NOT_FOUND)
    return parse_status(found, _shown(address))


def ask_past(config: Config, number: int | None = None, *, timeout: float = 10) -> Past | None:
    """What is remembered of incidents, or the report of one; None when there is no such one. Raises ColocError."""
    ask_own_status(config)
    address = _address(config.listen, config.paths.state)
    body = _ask(address, _PAST if number is None else f"{_PAST}?id={number}", timeout)
    if body is None and number is None:
        raise _other_version(_shown(address))
    return None if body is None else _parsed(Past, body, _shown(address))


def _address(listen: Listen, state: Path | None) -> Listen | Path:
    return (local_socket(listen, state) if state else None) or address_to_ask(listen)


def _shown(address: Listen | Path) -> str:
    return f"{address}" if isinstance(address, Path) else f"http://{address}"


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


def _ask(address: Listen | Path, path: str, timeout: float) -> bytes | None:
    """The body of the answer; None when there is nothing of that name."""
    connection = (
        _Beside(address, timeout)
        if isinstance(address, Path)
        else http.client.HTTPConnection(address.host, address.port, timeout=timeout)
    )
    try:
        with closing(connection):
            connection.request("GET", path, headers={"Accept": "application/json"})
            with closing(connection.getresponse()) as answer:
                body = answer.read(_MAX_BYTES + 1)
    except PermissionError as error:
        raise ColocError(f"{address} is not open to you", hint="ask as root: sudo") from error
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise AgentSilent(f"the agent does not answer at {_shown(address)}/: {why}", hint=_START) from error
    if answer.status == http.HTTPStatus.NOT_FOUND:
        return None
    if answer.status != http.HTTPStatus.OK or len(body) > _MAX_BYTES:
        raise _stranger(f"{_shown(address)}{path}", answer.status)
    return body


def _stranger(where: str, status: int) -> ColocError:
    return ColocError(
        f"{where} answered {status:d}, not the agent's status",
        hint="does another program listen there? change `listen:` in coloc.yml",
    )


def ask_own_status(config: Config) -> Status:
    """The same from this colocation's own daemon. Raises ColocError also when another colocation's agent answers."""
    status = ask_status(config.listen, config.paths.state)
    if status.coloc != config.coloc.name:
        raise ColocError(
            f"the agent of another colocation answers at {config.listen}: {status.coloc!r}",
            hint="is --config the right file? else choose another port in listen:, or stop that agent",
        )
    return status


def own_status_or_none(config: Config) -> Status | None:
    """The same; None when no agent answers. Raises ColocError for whatever else is wrong."""
    try:
        return ask_own_status(config)
    except AgentSilent:
        return None


def parse_status(body: bytes, address: str) -> Status:
    """The daemon's JSON as our types. Raises ColocError for anything else."""
    return _parsed(Status, body, address)


def _parsed(kind: type[_Kind], body: bytes, address: str) -> _Kind:
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - heavy

    try:
        return TypeAdapter(kind).validate_json(body)
    except (ValidationError, RecursionError) as error:
        raise _other_version(address) from error


def _other_version(address: str) -> ColocError:
    return ColocError(
        f"what answers at {address}/ is not this version of the agent",
        hint="restart it after an upgrade: systemctl restart coloc-agent",
    )
