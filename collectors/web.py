"""Web traffic of each app: requests by class, bytes, and the time they took where the log has it, from nginx's logs.

Counters begin when the agent first looks at a log and go on over its restarts: marks and counts are kept together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.app_counters import AppCounters
from collectors.labels import OTHER
from collectors.log_folder import LogFolder
from collectors.paths import below
from collectors.shares import project_label
from collectors.web_lines import BOUNDS, BYTES, CELL, CLASSES, FIRST_BUCKET, SECONDS, Cell, LineCounter, new_cell
from collectors.web_routes import NOBODY, Routes, routes_by_domain
from coloc.memory import ForgetfulMemory, Memory
from coloc.model import Colocation

_FOLDER = "/var/log/nginx"
_SUFFIX = "-access.log"
_TIMES = "-latency.log"  # what `coloc-agent web-latency` adds; only the times of it count
_MOST_LOOKS = 100_000
_KEY = "web"
_LOOK_BYTES = 64 << 20
_TOLD = frozenset({"0.25", "1.0", "5.0", "+Inf"})  # each bound costs a series an app: docs/scale.md
_RARE = "1xx"  # websockets; told of apps that have some
_MOST_LOGS = 1000
_MOST_CONF_BYTES = 256 * 1024
_NOWHERE = Routes({})


class WebCollector:
    """Read what nginx has written since the last look."""

    name = "web"
    deadline_seconds = 60.0

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        interval_seconds: float = 15.0,
        memory: Memory | None = None,
        whole: bool = False,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._root, self._memory, self._whole = root, memory or ForgetfulMemory(), whole
        self._counters = AppCounters(CELL)
        self._lines = LineCounter(self._counters.row)
        self._timed: dict[str, Cell] = {}
        self._times = LineCounter(lambda app: self._timed.setdefault(app, new_cell()))
        folder = below(root, _FOLDER)
        self._logs = LogFolder(folder, _SUFFIX, most_logs=_MOST_LOGS, look_bytes=_LOOK_BYTES)
        self._time_logs = LogFolder(folder, _TIMES, most_logs=_MOST_LOGS, look_bytes=_LOOK_BYTES)
        self._begun = False
        self._routes: Mapping[str, Routes] = {}
        self._routes_of: Colocation | None = None
        self._refused = False

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Count what is new. Nothing is said before all that an earlier process had counted is counted again."""
        if not self._begun:
            self._begin()
        self._route(colocation)
        self._refused = False
        try:
            for domain, lines in self._logs.look(from_start=self._whole):
                self._lines.count(lines, self._routes.get(domain.lower(), _NOWHERE))
            for domain, lines in self._time_logs.look(from_start=self._whole):
                self._times.count(lines, self._routes.get(domain.lower(), _NOWHERE))
                self._take_times()
        except FileNotFoundError:
            return  # no nginx here
        except PermissionError:
            self._refused = True
            raise
        self._counters.share_out(colocation)
        self._remember()
        if self.caught_up:
            yield from self._families(colocation)

    @property
    def caught_up(self) -> bool:
        """All that was there had been read, at least once."""
        return self._logs.caught_up and self._time_logs.caught_up

    def read_to_the_end(self, colocation: Colocation, now: datetime) -> None:
        """Look until all that is there was read."""
        for _ in range(_MOST_LOOKS):
            list(self.collect(colocation, now))
            if self.caught_up or not self._logs.followed:
                return

    def limits(self) -> tuple[str, ...]:
        """What cannot be measured from here."""
        if self._refused or self._logs.refused:
            return ("nginx's logs cannot be read, so web traffic is unknown: set SupplementaryGroups=adm in its unit",)
        return ()

    def counts(self) -> Mapping[str, list[float]]:
        """App → bytes and requests of the five classes, and what follows in a cell."""
        return {app: row for app, row in self._counters.rows.items() if any(row)}

    def _take_times(self) -> None:
        for app, timed in self._timed.items():
            row = self._counters.row(app)
            for place in range(SECONDS, CELL):
                row[place] += timed[place]
            timed[:] = new_cell()

    def _begin(self) -> None:
        self._begun = True
        try:
            saved = json.loads(self._memory.get(_KEY) or "null")
        except ValueError:
            return
        if isinstance(saved, dict):
            self._counters.restore(saved.get("counts"))
            self._logs.restore(saved.get("marks"))
            self._time_logs.restore(saved.get("time_marks"))
            self._logs.gaps, self._lines.odd = _count(saved.get("gaps")), _count(saved.get("odd"))

    def _remember(self) -> None:
        saved = {
            "marks": self._logs.marks(),
            "time_marks": self._time_logs.marks(),
            "counts": self._counters.to_json(),
            "gaps": self._logs.gaps,
            "odd": self._lines.odd,
        }
        self._memory.put(_KEY, json.dumps(saved, separators=(",", ":")))

    def _route(self, colocation: Colocation) -> None:
        if colocation is self._routes_of:
            return
        apps = list(colocation.inventory.apps.values())
        texts = {file: self._conf(file) for app in apps for file in app.nginx_conf}
        self._routes, self._routes_of = routes_by_domain(apps, texts), colocation
        self._lines.forget()
        self._times.forget()

    def _conf(self, file: str) -> str:
        try:
            with below(self._root, file).open("rb") as conf:
                return conf.read(_MOST_CONF_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def _families(self, colocation: Colocation) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "coloc_app_web_requests", "Requests answered.", labels=["app", "code", "project"]
        )
        sent = CounterMetricFamily("coloc_app_web_bytes", "Bytes of answers sent.", labels=["app", "project"])
        times = HistogramMetricFamily(
            "coloc_app_web_request_duration_seconds", "Time of requests, where logged.", labels=["app", "project"]
        )
        for app, row in sorted(self._counters.rows.items()):
            if app not in colocation.inventory.apps and app not in (NOBODY, OTHER):
                continue
            names = [app, project_label(colocation, app)]
            sent.add_metric(names, row[BYTES])
            for place, code in enumerate(CLASSES, 1):
                if row[place] or code != _RARE:
                    requests.add_metric([app, code, names[1]], row[place])
            if any(row[FIRST_BUCKET:]):
                times.add_metric(names, buckets=_buckets(row), sum_value=row[SECONDS])
        yield from (requests, sent, times)
        requests = CounterMetricFamily("coloc_project_web_requests", "Requests; by shares.", labels=["code", "project"])
        sent = CounterMetricFamily("coloc_project_web_bytes", "Bytes sent; by shares.", labels=["project"])
        for project, row in sorted(self._counters.projects.items()):
            sent.add_metric([project], row[BYTES])
            for place, code in enumerate(CLASSES, 1):
                if row[place] or code != _RARE:
                    requests.add_metric([code, project], row[place])
        yield from (requests, sent)
        yield CounterMetricFamily("coloc_web_lines_odd", "Lines that are no request.", value=self._lines.odd)
        yield CounterMetricFamily("coloc_web_log_gaps", "Logs gone before they were read.", value=self._logs.gaps)
        yield GaugeMetricFamily("coloc_web_logs_unreadable", "Logs that were refused.", value=self._logs.refused)
        yield GaugeMetricFamily("coloc_web_logs_folded", "Logs beyond the most, not read.", value=self._logs.unfollowed)


def _buckets(row: list[float]) -> list[tuple[str, float]]:
    total, found = 0.0, []
    for bound, count in zip((*map(str, BOUNDS), "+Inf"), row[FIRST_BUCKET:], strict=True):
        total += count
        if bound in _TOLD:
            found.append((bound, total))
    return found


def _count(saved: object) -> int:
    return saved if type(saved) is int and 0 <= saved < 1 << 60 else 0
