"""One way to talk HTTP: short patience, answers bounded in size and time, no redirects (they carry keys), no log."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import requests

_TIMEOUT = (5, 15)  # seconds to connect, and without a byte
_BODY_SECONDS = 30.0  # for a whole answer: one that comes byte by byte holds up a worker, and the watchdog with it
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: `data` is {} when it was not a JSON object. `status` 0: nothing came, `why` says what."""

    status: int
    data: Mapping[str, Any]
    headers: Mapping[str, str]
    is_json: bool
    why: str = ""

    @property
    def may_pass(self) -> bool:
        """True for trouble that the same request may not meet later: no answer, a server's own, a proxy's page."""
        return (
            self.status in {0, 408}
            or self.status >= 500
            or not (self.is_json or self.is_redirect or self.status == 413)
        )

    @property
    def is_redirect(self) -> bool:
        """True when the server points elsewhere, where our key must not go."""
        return 300 <= self.status < 400

    def retry_after(self) -> float | None:
        """How long the other side wants us to wait, in seconds: the header first, else Matrix's own field."""
        for value, unit in ((self.headers.get("Retry-After"), 1.0), (self.data.get("retry_after_ms"), 1000.0)):
            try:
                seconds = float(value) / unit if value is not None else None
            except (TypeError, ValueError):
                continue
            if seconds is not None and 0 <= seconds < 86400:
                return seconds
        return None


class Http:
    """A session with one server."""

    def __init__(self, base_url: str, headers: Mapping[str, str], *, body_seconds: float = _BODY_SECONDS) -> None:
        self._base, self._headers, self._body_seconds = base_url.rstrip("/"), dict(headers), body_seconds
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy and no .netrc of root's

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        at_most: int = MAX_BYTES,
    ) -> Answer:
        """One request. Never raises for what the network or the server does."""
        try:
            with self._session.request(
                method,
                self._base + path,
                data=None if body is None else encoded(body),
                headers={**self._headers, **headers, "Content-Type": "application/json"},
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
            ) as response:
                raw = _read(response, at_most, self._body_seconds)
                return _answer(response.status_code, raw, response.headers)
        except (requests.RequestException, OSError, ValueError) as error:
            return Answer(0, {}, {}, is_json=False, why=_no_answer(error))
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "urllib3":
                raise
            return Answer(0, {}, {}, is_json=False, why=_no_answer(error))

    def close(self) -> None:
        """Close connections."""
        self._session.close()


def _read(response: requests.Response, at_most: int, seconds: float) -> bytes:
    """The body, or its beginning. Raises requests.Timeout when it does not end in time."""
    until, parts, room = time.monotonic() + seconds, [], at_most
    while room > 0 and (part := response.raw.read1(room, decode_content=True)):
        parts.append(part)
        room -= len(part)
        if time.monotonic() > until:
            raise requests.Timeout("an answer without end")
    return b"".join(parts)


def encoded(body: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> bytes:
    """JSON; half a character (a lone surrogate) becomes a question mark instead of a message that never leaves."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _no_answer(error: Exception) -> str:
    return f"no answer ({type(error).__name__})"


def _answer(status: int, raw: bytes, headers: Mapping[str, str]) -> Answer:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return Answer(status, {}, headers, is_json=False)
    return Answer(status, data if isinstance(data, dict) else {}, headers, is_json=True)
