"""Who may come in to the page and /metrics: the web-config file at work, read again when it changes.

A new file counts once it stayed the same for a moment, so that one that is being written never takes the users away.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import secrets
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.web_config import WebConfig, files_of, headers_of, read_web_config, tls_context
from coloc import bcrypt
from coloc.errors import ColocError

logger = logging.getLogger(__name__)
_SETTLE_SECONDS = 2.0
_MOST_VERDICTS = 100
_MOST_CREDENTIALS = 2000  # characters of the header

Signature = tuple[tuple[int, ...] | None, ...]


class NotWelcome(OSError):
    """A client whose certificate carries none of the names that may come in."""


@dataclass(frozen=True)
class _Opening:
    """A file that can be used, and what was made of it."""

    config: WebConfig = field(default_factory=WebConfig)
    context: ssl.SSLContext | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Door:
    """Every connection and every request passes here. Without a file it is open."""

    def __init__(
        self,
        path: Path | None = None,
        *,
        read: Callable[[Path], WebConfig] = read_web_config,
        settle_seconds: float = _SETTLE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ColocError when the file, or one that it names, cannot be used."""
        self._path, self._read, self._settle, self._clock = path, read, settle_seconds, clock
        self._lock = threading.Lock()
        self._verdicts = Verdicts()
        self._error: str | None = None
        self._seen: tuple[Signature, float] | None = None
        self._opening = _open(path, read) if path else _Opening()
        self._signature = _signature(path, self._opening.config)

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self._opening.context else "http"

    @property
    def headers(self) -> Mapping[str, str]:
        """What is added to every answer."""
        return self._opening.headers

    def refresh(self) -> str | None:
        """Read the file again if it changed; what is wrong with it now, or None. Never raises: the old one goes on."""
        if self._path is None:
            return None
        with self._lock:
            signature = _signature(self._path, self._opening.config)
            if signature == self._signature and self._error is None:
                self._seen = None
            elif self._seen is None or self._seen[0] != signature:
                self._seen = signature, self._clock()
            if self._seen is not None and self._clock() - self._seen[1] >= self._settle:
                self._take(self._path, signature)
            return self._error

    def _take(self, path: Path, signature: Signature) -> None:
        try:
            opening = _open(path, self._read)
        except ColocError as error:
            if error.sentence() != self._error:
                logger.error("the web-config file cannot be used; the old one goes on", extra={"why": error.sentence()})
            self._error = error.sentence()
            return
        self._opening, self._error, self._seen = opening, None, None
        new = _signature(path, opening.config)
        # Whatever changed while it was read is read again at the next look.
        self._signature = new if new[0] == signature[0] else signature
        logger.info("the web-config file was read again")

    def wrap(self, connection: socket.socket) -> socket.socket:
        """The connection in TLS, if there is any; without a word said yet. Raises OSError, the connection closed."""
        self.refresh()
        context = self._opening.context
        if context is None:
            return connection
        try:
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError) as error:
            connection.close()
            raise OSError("no TLS with this client") from error

    def greet(self, connection: socket.socket) -> None:
        """The handshake, under the connection's timeout. Raises OSError."""
        if not isinstance(connection, ssl.SSLSocket):
            return
        connection.do_handshake()
        tls = self._opening.config.tls_server_config
        if tls and tls.client_allowed_sans and not set(tls.client_allowed_sans) & _names(connection.getpeercert()):
            raise NotWelcome

    def admits(self, authorization: str) -> bool:
        """True when nobody must say who they are, or when this header says it right."""
        users = self._opening.config.basic_auth_users
        if not users:
            return True
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        name, password = credentials
        known = users.get(name)
        # Somebody unknown takes as long as somebody known.
        hashed = known if known is not None else next(iter(users.values()))
        return self._verdicts.of(name, password, hashed) and known is not None


class Verdicts:
    """What bcrypt said, remembered a while: it is slow by design, and Prometheus comes every fifteen seconds.

    The keys are MACs under a secret of this process, so that neither memory nor the time of a look tells a password.
    Right and wrong are kept apart, so that guesses do not drive out those who are known.
    """

    def __init__(self, *, most: int = _MOST_VERDICTS, check: Callable[[bytes, str], bool] = bcrypt.matches) -> None:
        self._most, self._check = most, check
        self._secret = secrets.token_bytes(32)
        self._lock, self._one_at_a_time = threading.Lock(), threading.Lock()
        self._known: dict[bool, OrderedDict[bytes, None]] = {True: OrderedDict(), False: OrderedDict()}

    def of(self, name: str, password: bytes, hashed: str) -> bool:
        """Whether the password is the one behind the hash; bcrypt runs for one client at a time."""
        parts = (name.encode("utf-8", "surrogateescape"), hashed.encode(), password)
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        key = hmac.new(self._secret, message, hashlib.sha256).digest()
        if (verdict := self._recall(key)) is not None:
            return verdict
        with self._one_at_a_time:
            if (verdict := self._recall(key)) is not None:
                return verdict
            verdict = self._check(password, hashed)
            with self._lock:
                kept = self._known[verdict]
                kept[key] = None
                while len(kept) > self._most:
                    kept.popitem(last=False)
        return verdict

    def _recall(self, key: bytes) -> bool | None:
        with self._lock:
            for verdict, kept in self._known.items():
                if key in kept:
                    kept.move_to_end(key)
                    return verdict
        return None

    def __len__(self) -> int:
        return sum(len(kept) for kept in self._known.values())


def _open(path: Path, read: Callable[[Path], WebConfig]) -> _Opening:
    config = read(path)
    return _Opening(config, tls_context(config, path.parent), headers_of(config))


def _signature(path: Path | None, config: WebConfig) -> Signature:
    """What changes when one of the files does, also when a link is turned to another one."""
    if path is None:
        return ()
    found: list[tuple[int, ...] | None] = []
    for file in (path, *files_of(config, path.parent)):
        try:
            status = os.stat(file)  # noqa: PTH116 - at each connection: no objects
        except OSError:
            found.append(None)
        else:
            found.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return tuple(found)


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    """Name and password of a header, or None when it has none."""
    kind, _, rest = authorization.partition(" ")
    if kind.lower() != "basic" or len(rest) > _MOST_CREDENTIALS:
        return None
    try:
        name, _, password = base64.b64decode(rest.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return name.decode("utf-8", "surrogateescape"), password


def _names(certificate: Any) -> set[str]:
    """The alternative names of a verified certificate: domains, addresses, mail, URIs."""
    return {str(value) for kind, value in (certificate or {}).get("subjectAltName", ()) if kind != "DirName"}
