"""Counters per app that go on over restarts, what each project bears of them, and a cap on how many apps there may be.

What a project bears grows with each count by the shares of that moment: shares that change later move nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from collectors.labels import OTHER
from collectors.shares import shares_of
from coloc.model import Colocation

MOST_APPS = 500  # beyond, the rest is `_other`
Row = list[float]
_LARGEST = 1e18


class AppCounters:
    """A row of `width` figures for each app; `rows` may be added to in place."""

    def __init__(self, width: int) -> None:
        self.rows: dict[str, Row] = {}
        self.projects: dict[str, Row] = {}
        self.folded = 0
        self._width = width
        self._told: dict[str, Row] = {}

    def row(self, app: str) -> Row:
        """The figures of an app."""
        row = self.rows.get(app)
        if row is None:
            if len(self.rows) >= MOST_APPS and app != OTHER:
                self.folded += 1
                return self.row(OTHER)
            row = self.rows[app] = [0.0] * self._width
        return row

    def share_out(self, colocation: Colocation) -> None:
        """Let projects bear what was counted since the last time."""
        for app, row in self.rows.items():
            before = self._told.get(app) or [0.0] * self._width
            if row == before:
                continue
            for project, share in shares_of(colocation, app).items():
                sums = self.projects.setdefault(project, [0.0] * self._width)
                for place, (now, then) in enumerate(zip(row, before, strict=True)):
                    sums[place] += (now - then) * share
            self._told[app] = list(row)

    def to_json(self) -> dict[str, Mapping[str, Row]]:
        """For `restore`."""
        return {"apps": self.rows, "projects": self.projects}

    def restore(self, saved: object) -> None:
        """Go on where an earlier process was; what is damaged begins at zero."""
        if not isinstance(saved, dict):
            return
        self.rows, self.projects = self._rows(saved.get("apps")), self._rows(saved.get("projects"))
        self._told = {app: list(row) for app, row in self.rows.items()}

    def _rows(self, saved: object) -> dict[str, Row]:
        if not isinstance(saved, dict):
            return {}
        return {
            str(name)[:120]: [float(item) for item in row]
            for name, row in list(saved.items())[: 2 * MOST_APPS]
            if isinstance(row, list) and len(row) == self._width and all(_is_count(item) for item in row)
        }


def _is_count(item: object) -> bool:
    return isinstance(item, int | float) and not isinstance(item, bool) and 0 <= item <= _LARGEST
