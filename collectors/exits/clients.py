"""Those who ask the service: few at a time, not for long, one question each. It does not know what is asked."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass

_MOST_CLIENTS = 4


@dataclass(slots=True)
class _Client:
    socket: socket.socket
    until: float
    asked: bytes = b""
    answer: bytes = b""


class Clients:
    """Sockets in `selector`. `answer` takes a line and returns what to say; its ValueError ends the conversation."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        listener: socket.socket,
        answer: Callable[[bytes], bytes],
        *,
        seconds: float,
        most_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._selector, self._listener, self._answer = selector, listener, answer
        self._seconds, self._most_bytes, self._clock = seconds, most_bytes, clock
        self._clients: dict[int, _Client] = {}
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ)

    def serve(self, descriptor: int) -> None:
        """Something can be read or written there, if it is ours."""
        if descriptor == self._listener.fileno():
            self._welcome()
        elif descriptor in self._clients:
            self._talk(self._clients[descriptor])

    def tick(self) -> None:
        """Part from those who take too long."""
        now = self._clock()
        for client in [client for client in self._clients.values() if now > client.until]:
            self._part(client)

    def close(self) -> None:
        """Part from everybody."""
        for client in list(self._clients.values()):
            self._part(client)
        self._selector.unregister(self._listener)

    def _welcome(self) -> None:
        with contextlib.suppress(OSError):
            accepted, _ = self._listener.accept()
            if len(self._clients) >= _MOST_CLIENTS:
                accepted.close()
                return
            accepted.setblocking(False)
            self._clients[accepted.fileno()] = _Client(accepted, self._clock() + self._seconds)
            self._selector.register(accepted, selectors.EVENT_READ)

    def _talk(self, client: _Client) -> None:
        """One question, one answer, and good-bye."""
        try:
            if not client.answer:
                received = client.socket.recv(self._most_bytes + 1)
                client.asked += received
                if b"\n" not in client.asked and received and len(client.asked) <= self._most_bytes:
                    return
                client.answer = self._answer(client.asked.partition(b"\n")[0])
                self._selector.modify(client.socket, selectors.EVENT_WRITE)
            client.answer = client.answer[client.socket.send(client.answer) :]
        except BlockingIOError:
            return
        except (OSError, ValueError):
            client.answer = b""
        if not client.answer:
            self._part(client)

    def _part(self, client: _Client) -> None:
        del self._clients[client.socket.fileno()]
        self._selector.unregister(client.socket)
        client.socket.close()
