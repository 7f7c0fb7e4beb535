"""Counts lines of nginx's access logs: bytes in, figures out. Addresses, logins, paths and user agents go no further.

The form is nginx's `combined`, with the time of the request after it where somebody added that. This is the part that
costs, so it splits a whole piece at once, at the quotes: nginx writes those of a client as `\\x22`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable

from collectors.web_routes import Routes

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
# A cell: bytes, requests of the five classes, seconds, requests by time (those of BOUNDS, then the rest).
BYTES, SECONDS, FIRST_BUCKET = 0, 6, 7
CELL = FIRST_BUCKET + len(BOUNDS) + 1
PIECE = 1 << 18  # what is split at once: more leaves the processor's cache
_QUOTES = 6
_LONGEST_TAIL = 24  # ` 200 123456789012345 `: more is no answer of nginx
_MOST_SECONDS = 1e7
_MOST_TIMES = 20_000
_METHODS = frozenset(b"GET |POST |HEAD |PUT |DELETE |OPTIONS |PATCH |PROPFIND |REPORT |MKCOL |MOVE ".split(b"|"))

Cell = list[float]
CellOf = Callable[[str], Cell]


def new_cell() -> Cell:
    """Nothing counted yet."""
    return [0] * SECONDS + [0.0] + [0] * (len(BOUNDS) + 1)


class LineCounter:
    """Counts into the cells that `cell_of` gives. Keeps nothing of a line."""

    def __init__(self, cell_of: CellOf) -> None:
        self.odd = 0  # lines that were no request
        self._cell_of = cell_of
        self._times: dict[bytes, tuple[float, int]] = {}  # times have milliseconds: few different ones, seen often

    def count(self, data: bytes, routes: Routes) -> None:
        """Count whole lines of one domain. Never raises."""
        begin = 0
        while begin < len(data):
            end = data.rfind(b"\n", begin, begin + PIECE) + 1
            end = end or data.find(b"\n", begin) + 1 or len(data)
            self._count(data[begin:end], routes)
            begin = end

    def _count(self, data: bytes, routes: Routes) -> None:
        parts = data.split(b'"')
        lines = data.count(b"\n")
        if len(parts) == _QUOTES * lines + 1:
            lasts = parts[_QUOTES::_QUOTES]
            if all([b"\n" in last for last in lasts]):  # noqa: C419 - a list is quicker
                rows = zip(parts[1::_QUOTES], parts[2::_QUOTES], lasts, strict=True)
                self._take(rows, routes)
                return
        for line in data.split(b"\n"):  # a line among them is odd: one by one
            parts = line.split(b'"')
            if len(parts) == _QUOTES + 1:
                self._take(((parts[1], parts[2], parts[6] + b"\n"),), routes)
            else:
                self.odd += line != b""

    def _take(self, rows: Iterable[tuple[bytes, bytes, bytes]], routes: Routes) -> None:
        cell_of, times = self._cell_of, self._times
        cells = {first: None if app is None else cell_of(app) for first, app in routes.quick.items()}
        default = cell_of(routes.default)
        for request, answer, last in rows:
            try:
                code = answer[1] - 48
                size = int(answer[5:])
                if size < 0 or answer[4] != 32 or not 1 <= code <= 5 or len(answer) > _LONGEST_TAIL:
                    raise ValueError
            except (IndexError, ValueError):
                self.odd += 1
                continue
            words = request.split(b"/", 2)
            if words[0] in _METHODS and len(words) > 1:
                first = words[1]
                if first in cells:
                    cell = cells[first]
                elif b"?" in first:
                    first = first[: first.index(b"?")]
                    cell = default if not first else cells.get(first, default)
                else:
                    cell = default
                if cell is None or b"%" in first:
                    cell = cell_of(routes.app_of(request))
            else:
                cell = cell_of(routes.app_of(request))
            cell[0] += size
            cell[code] += 1
            end = last.find(b"\n")
            if end and code > 1:
                time = last[:end]
                if time not in times:
                    self._learn(time)
                seconds, bucket = times[time]
                if bucket:
                    cell[6] += seconds
                    cell[bucket] += 1

    def _learn(self, time: bytes) -> None:
        if len(self._times) >= _MOST_TIMES:
            self._times.clear()
        try:
            seconds = float(time)
        except ValueError:
            seconds = -1.0
        if 0.0 <= seconds <= _MOST_SECONDS:
            self._times[time] = seconds, FIRST_BUCKET + bisect_left(BOUNDS, seconds)
        else:
            self._times[time] = 0.0, 0
