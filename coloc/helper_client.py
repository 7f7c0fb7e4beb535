"""Asks the privileged helper, one request a connection. Its answer is outside data like any other: bounded, typed."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from coloc.errors import ColocError
from coloc.verbs import MAX_ANSWER, SOCKET, Answer, Ask, Refused, parse_answer, request_line

_SECONDS = 60.0  # for a whole answer: a database server may take its time
Asks = Callable[[Ask], Answer]


class HelperSilent(ColocError):
    """Nobody answers as the helper does."""


class HelperClient:
    """Where the helper is."""

    def __init__(self, path: Path = SOCKET, *, seconds: float = _SECONDS) -> None:
        self._path, self._seconds = path, seconds

    def __call__(self, ask: Ask) -> Answer:
        """Its answer, a refusal as well. Raises HelperSilent."""
        try:
            return parse_answer(self._converse(request_line(ask)))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise HelperSilent(
                "nothing was agreed on yet: the helper does not listen", hint="as root: coloc-agent quota agree"
            ) from error
        except OSError as error:
            raise HelperSilent(
                f"the helper does not answer: {error.strerror or error}",
                hint="look: journalctl -t coloc-agent-helper",
            ) from error
        except Refused as error:
            raise HelperSilent(str(error), hint="look: journalctl -t coloc-agent-helper") from error

    def _converse(self, line: bytes) -> bytes:
        end = time.monotonic() + self._seconds
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(self._seconds)
            connection.connect(str(self._path))
            connection.sendall(line)
            connection.shutdown(socket.SHUT_WR)
            found = b""
            while b"\n" not in found and len(found) <= MAX_ANSWER:
                connection.settimeout(max(0.1, end - time.monotonic()))
                piece = connection.recv(65536)
                if not piece:
                    break
                found += piece
        return found.partition(b"\n")[0]
