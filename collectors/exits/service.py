"""The loop of the service: hear the kernel, answer the daemon, and stop hearing in a storm. One thread."""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Callable
from typing import Protocol

from collectors.exits.book import MAX_REQUEST_BYTES, Book, parse_question
from collectors.exits.clients import Clients
from collectors.exits.storm import Limits, Watch, hear_again, heard_again, judge, refused
from collectors.exits.taskstats import parse_datagram

_MOST_AT_ONCE = 4096  # datagrams between two looks at the clients
_TICK_SECONDS = 1.0
_REST_SECONDS = 0.1  # many exits at once cost a fifth of what each would cost by itself

Say = Callable[[str], None]


class Teller(Protocol):
    """Who tells of exits: the kernel, or something like it."""

    family: int

    def fileno(self) -> int: ...
    def read(self) -> bytes | None: ...
    def drops(self) -> int: ...
    def close(self) -> None: ...


class Service:
    """Runs until `stop`, or until nobody has asked for `idle_seconds`: the socket starts it again."""

    def __init__(
        self,
        listener: socket.socket,
        open_kernel: Callable[[], Teller],
        book: Book,
        say: Say,
        *,
        limits: Limits | None = None,
        idle_seconds: float = 900.0,
        client_seconds: float = 5.0,
        rest_seconds: float = _REST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        since_boot: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._open_kernel, self._book, self._say = open_kernel, book, say
        self._limits = limits or Limits()
        self._idle_seconds, self._rest_seconds = idle_seconds, rest_seconds
        self._clock, self._since_boot = clock, since_boot
        self._selector = selectors.DefaultSelector()
        self._clients = Clients(
            self._selector, listener, self._answer, seconds=client_seconds, most_bytes=MAX_REQUEST_BYTES, clock=clock
        )
        self._kernel: Teller | None = None
        self._watch = Watch(deaf_until=clock())
        self._drops = self._tasks = 0
        self._judged_at = self._asked_at = clock()
        self._rested_at: float | None = None  # while resting: until when
        self._stopped = False

    def run(self) -> None:
        """Serve."""
        try:
            while not self._stopped and self._clock() - self._asked_at < self._idle_seconds:
                self._tick()
                for key, _ in self._selector.select(_TICK_SECONDS if self._rested_at is None else _REST_SECONDS):
                    self._serve(key.fd)
        finally:
            self._go_deaf()
            self._clients.close()
            self._selector.close()

    def stop(self) -> None:
        """End soon; from a signal or another thread."""
        self._stopped = True

    def _serve(self, descriptor: int) -> None:
        if self._kernel is None or descriptor != self._kernel.fileno():
            self._clients.serve(descriptor)
            return
        self._hear()
        self._selector.unregister(self._kernel)
        self._rested_at = self._clock() + self._rest_seconds

    def _tick(self) -> None:
        now = self._clock()
        self._clients.tick()
        if self._kernel is None:
            if hear_again(self._watch, now):
                self._begin_to_hear(now)
            return
        if self._rested_at is not None and now >= self._rested_at:
            self._selector.register(self._kernel, selectors.EVENT_READ)
            self._rested_at = None
        if now - self._judged_at >= _TICK_SECONDS:
            self._judge(now)

    def _judge(self, now: float) -> None:
        self._watch = judge(self._watch, self._limits, exits=self._tasks, since=self._judged_at, now=now)
        self._tasks, self._judged_at = 0, now
        if self._watch.deaf_until is not None:
            self._go_deaf()
            self._say(f"exit storm: hears nothing for {self._limits.pause:g} s; short-lived work is not counted")

    def _begin_to_hear(self, now: float) -> None:
        try:
            self._kernel = self._open_kernel()
        except OSError as error:
            self._watch = refused(self._watch, self._limits, now)
            self._say(f"the kernel does not tell of exits ({error}); asks again in {self._limits.refused:g} s")
            return
        self._selector.register(self._kernel, selectors.EVENT_READ)
        self._watch = heard_again(self._watch)
        self._drops, self._tasks, self._judged_at = 0, 0, now
        self._book.interrupt()
        self._say("hears from the kernel which processes end")

    def _go_deaf(self) -> None:
        if self._kernel is not None:
            if self._rested_at is None:
                self._selector.unregister(self._kernel)
            self._kernel.close()
            self._kernel, self._rested_at = None, None
            self._book.interrupt()

    def _hear(self) -> None:
        kernel = self._kernel
        if kernel is None:
            return
        now, events = self._since_boot(), 0
        for _ in range(_MOST_AT_ONCE):
            try:
                data = kernel.read()
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                events += 1
                continue
            if data is None:
                break
            heard = parse_datagram(data, kernel.family)
            self._tasks += heard.tasks
            if heard.unreadable:
                self._book.lose(heard.unreadable)
            for ended in heard.exits:
                self._book.add(ended, now)
        if events:
            drops = kernel.drops()
            self._book.lose(max(events, drops - self._drops))
            self._tasks += max(0, drops - self._drops)
            self._drops = max(drops, self._drops)

    def _answer(self, line: bytes) -> bytes:
        """Everything that the kernel told before the question is in the answer."""
        question = parse_question(line)
        self._asked_at = self._clock()
        self._hear()
        return self._book.answer(question, active=self._kernel is not None, storms=self._watch.storms)
