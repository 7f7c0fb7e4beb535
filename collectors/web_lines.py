"""Counts lines of nginx's access logs: bytes in, figures out. Addresses, logins, paths and user agents go no further.

The form is nginx's `combined`, with the time of the request after it where somebody added that. This is the part that
costs, so it splits a whole piece at once, at the quotes: nginx writes those of a client as `\\x22`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable

from collectors.web_routes import Routes

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
# A cell: bytes, requests of the five classes, seconds, requests by time (those of BOUNDS, then the rest).
BYTES, SECONDS, FIRST_BUCKET = 0, 6, 7
CELL = FIRST_BUCKET + len(BOUNDS) + 1
PIECE = 1 << 18  # what is split at once: more leaves the processor's cache
_PARTS = 8  # between the quotes of a line, its end being one
_CODES = {b" %d " % code: code // 100 for code in range(100, 600)}
_MOST_BYTES = 10**15
_MOST_SECONDS = 1e7
_MOST_TIMES = 20_000
_MOST_STARTS = 20_000
_LONGEST_START = 64
# The first part of a path that is as nginx sees it too, before a slash, a query or the end.
_PLAIN = re.compile(rb"[A-Z]+ /([^/?%.][^/?%]*)(?:\?|$)", re.DOTALL)

Cell = list[float]
CellOf = Callable[[str], Cell]


def new_cell() -> Cell:
    """Nothing counted yet."""
    return [0] * SECONDS + [0.0] + [0] * (len(BOUNDS) + 1)


class LineCounter:
    """Counts into the cells that `cell_of` gives; it is to give the same for the same app. Keeps nothing of a line."""

    def __init__(self, cell_of: CellOf) -> None:
        self.odd = 0  # lines that were no request
        self._cell_of = cell_of
        self._times: dict[bytes, tuple[float, int]] = {}  # times have milliseconds: few different ones, seen often
        self._starts: dict[Routes, dict[bytes, Cell]] = {}  # how requests begin that were seen lately, and whose it is
        self._known = 0

    def count(self, data: bytes, routes: Routes) -> None:
        """Count whole lines of one domain. Never raises."""
        begin = 0
        while begin < len(data):
            end = data.rfind(b"\n", begin, begin + PIECE) + 1
            end = end or data.find(b"\n", begin) + 1 or len(data)
            self._count(data[begin:end], routes)
            begin = end

    def forget(self) -> None:
        """Let go of what was found out about routes that are no more."""
        self._starts, self._known = {}, 0

    def _count(self, data: bytes, routes: Routes) -> None:
        lines = data.count(b"\n")
        parts = data.replace(b"\n", b'"\n"').split(b'"')
        # A client's quote is `\\x22` in the log, so the ends of lines are where they should be, or a line is odd.
        if len(parts) == _PARTS * lines + 1 and parts[7::_PARTS].count(b"\n") == lines:
            self._take(zip(parts[1::_PARTS], parts[2::_PARTS], parts[6::_PARTS], strict=False), routes)
            return
        for line in data.split(b"\n"):
            parts = line.split(b'"')
            if len(parts) == _PARTS - 1:
                self._take(((parts[1], parts[2], parts[6]),), routes)
            else:
                self.odd += line != b""

    def _take(self, rows: Iterable[tuple[bytes, bytes, bytes]], routes: Routes) -> None:
        times, starts = self._times, self._starts.setdefault(routes, {})
        if b"GET / HTTP" not in starts:
            starts[b"GET / HTTP"] = self._cell_of(routes.default)
        for request, answer, time in rows:
            try:
                code = _CODES[answer[:5]]
                size = int(answer[5:])
            except (KeyError, ValueError):
                self.odd += 1
                continue
            if not 0 <= size <= _MOST_BYTES:
                self.odd += 1
                continue
            # Up to the second slash: `GET /blog`, or `GET /blog HTTP` when the path has one part.
            start = request[: request.find(b"/", 6)]
            cell = starts.get(start) or self._cell(start, request, routes, starts)
            cell[BYTES] += size
            cell[code] += 1
            try:
                seconds, bucket = times[time]
            except KeyError:
                seconds, bucket = self._learn(time)
            if bucket and code > 1:
                cell[SECONDS] += seconds
                cell[bucket] += 1

    def _cell(self, start: bytes, request: bytes, routes: Routes, starts: dict[bytes, Cell]) -> Cell:
        """The cell of a request that begins as none that is known."""
        plain = _PLAIN.match(start)
        app = None if plain is None else routes.quick.get(plain[1], routes.default)
        if app is None:
            return self._cell_of(routes.app_of(request))
        cell = self._cell_of(app)
        if (start[-5:] == b" HTTP" and app == routes.default) or len(start) > _LONGEST_START or b"?" in start:
            return cell  # seldom seen again
        if self._known >= _MOST_STARTS:
            for known in self._starts.values():
                known.clear()
            self._known = 0
        starts[start] = cell
        self._known += 1
        return cell

    def _learn(self, time: bytes) -> tuple[float, int]:
        if len(self._times) >= _MOST_TIMES:
            self._times.clear()
        try:
            seconds = float(time)
        except ValueError:
            seconds = -1.0
        known = (0.0, 0)
        if 0.0 <= seconds <= _MOST_SECONDS:
            known = seconds, FIRST_BUCKET + bisect_left(BOUNDS, seconds)
        if len(time) <= _LONGEST_START:
            self._times[time] = known
        return known
