"""What apps and projects use now, as values to decide with: the same figures as /metrics. None is "not measured".

Figures of a collector that has not succeeded for long are not figures of now: they are None here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric

from collectors.guard import Standing
from coloc.model import Colocation

_STALE_LOOKS = 3
_STALE_SECONDS = 60.0
_CPU = {"coloc_app_cpu_seconds": "app", "coloc_project_cpu_seconds": "project"}

Subject = tuple[str, str]  # (app or project, its name)


@dataclass(frozen=True, slots=True)
class AppUsage:
    """One app. `cpu_cores`: how many processors it kept busy, over the last window."""

    app: str
    project: str
    cpu_cores: float | None = None
    memory_bytes: float | None = None
    disk_bytes: float | None = None
    database_bytes: float | None = None
    processes: float | None = None
    up: bool | None = None

    def of(self, resource: str) -> float | None:
        """The use of a quota's resource; None for what is not measured."""
        figures = {"cpu": self.cpu_cores, "memory": self.memory_bytes, "disk": self.disk_bytes}
        figures |= {"database": self.database_bytes, "processes": self.processes}
        return figures.get(resource)


@dataclass(frozen=True, slots=True)
class ProjectUsage:
    """One project, with its shares of the apps that it shares."""

    project: str
    cpu_cores: float | None = None
    memory_bytes: float | None = None
    disk_bytes: float | None = None
    database_bytes: float | None = None
    processes: float | None = None
    up: bool | None = None

    def of(self, resource: str) -> float | None:
        """The use of a quota's resource; None for what is not measured."""
        figures = {"cpu": self.cpu_cores, "memory": self.memory_bytes, "disk": self.disk_bytes}
        figures |= {"database": self.database_bytes, "processes": self.processes}
        return figures.get(resource)


@dataclass(frozen=True, slots=True)
class FilesystemUsage:
    """A filesystem that holds apps."""

    mount: str
    used_ratio: float
    free_bytes: float
    read_only: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """Everything at one moment."""

    apps: Mapping[str, AppUsage] = field(default_factory=dict)
    projects: Mapping[str, ProjectUsage] = field(default_factory=dict)
    filesystems: tuple[FilesystemUsage, ...] = ()


class UsageWindow:
    """Turns what collectors last found into a Usage; CPU is averaged over up to `seconds`."""

    def __init__(self, *, seconds: float = 60.0) -> None:
        self._seconds = seconds
        self._looks: deque[tuple[float, Mapping[Subject, float]]] = deque()

    def update(self, standings: Sequence[Standing], colocation: Colocation, clock: float) -> Usage:
        """The use at `clock` (monotonic). Call it every few seconds."""
        fresh = [standing for standing in standings if is_fresh(standing, clock)]
        figures = _Figures(fresh, self._cores(fresh))
        apps = {app: _app_usage(app, colocation.project_of(app), figures) for app in colocation.inventory.apps}
        projects = {project: _project_usage(project, figures) for project in colocation.projects}
        return Usage(apps, projects, tuple(_filesystems(fresh)))

    def _cores(self, fresh: Sequence[Standing]) -> Mapping[Subject, float]:
        """Processors kept busy since the oldest look in the window; nothing before there are two looks."""
        for standing in fresh:
            used = _cpu_seconds(standing)
            if used and standing.last_success_clock is not None:
                if not self._looks or self._looks[-1][0] < standing.last_success_clock:
                    self._looks.append((standing.last_success_clock, used))
                break
        else:
            self._looks.clear()
            return {}
        while len(self._looks) > 2 and self._looks[-1][0] - self._looks[0][0] > self._seconds:
            self._looks.popleft()
        (since, before), (until, now) = self._looks[0], self._looks[-1]
        if until <= since:
            return {}
        return {who: max(0.0, now[who] - before[who]) / (until - since) for who in now.keys() & before.keys()}


class _Figures:
    """The gauges of apps and projects, those that are asked for; databases of an app are added up."""

    def __init__(self, fresh: Iterable[Standing], cores: Mapping[Subject, float]) -> None:
        self._cores = cores
        self._families: dict[str, list[Metric]] = {}
        self._sums: dict[str, dict[str, float]] = {}
        for standing in fresh:
            for family in standing.families:
                self._families.setdefault(family.name, []).append(family)

    def of(self, kind: str, who: str, figure: str) -> float | None:
        name = f"coloc_{kind}_{figure}"
        if name not in self._sums:
            sums = self._sums[name] = dict[str, float]()
            for family in self._families.get(name, ()):
                for sample in family.samples:
                    if kind in sample.labels:
                        sums[sample.labels[kind]] = sums.get(sample.labels[kind], 0.0) + sample.value
        return self._sums[name].get(who)

    def cores(self, kind: str, who: str) -> float | None:
        return self._cores.get((kind, who))

    def up(self, kind: str, who: str) -> bool | None:
        up = self.of(kind, who, "up")
        return None if up is None else up > 0


def _app_usage(app: str, project: str, figures: _Figures) -> AppUsage:
    return AppUsage(
        app,
        project,
        figures.cores("app", app),
        figures.of("app", app, "memory_bytes"),
        figures.of("app", app, "disk_bytes"),
        figures.of("app", app, "database_bytes"),
        figures.of("app", app, "processes"),
        figures.up("app", app),
    )


def _project_usage(project: str, figures: _Figures) -> ProjectUsage:
    return ProjectUsage(
        project,
        figures.cores("project", project),
        figures.of("project", project, "memory_bytes"),
        figures.of("project", project, "disk_bytes"),
        figures.of("project", project, "database_bytes"),
        figures.of("project", project, "processes"),
        figures.up("project", project),
    )


def _filesystems(fresh: Iterable[Standing]) -> Iterator[FilesystemUsage]:
    found: dict[str, dict[str, float]] = {}
    for standing in fresh:
        for family in standing.families:
            if family.name.startswith("coloc_filesystem_"):
                for sample in family.samples:
                    figures = found.setdefault(sample.labels["mount"], {})
                    figures[sample.name.removeprefix("coloc_filesystem_")] = sample.value
    for mount, figures in sorted(found.items()):
        yield FilesystemUsage(mount, figures["used_ratio"], figures["free_bytes"], bool(figures["read_only"]))


def _cpu_seconds(standing: Standing) -> dict[Subject, float]:
    sums: dict[Subject, float] = {}
    for family in standing.families:
        kind = _CPU.get(family.name)
        if kind is not None:
            for sample in family.samples:
                who = kind, sample.labels[kind]
                sums[who] = sums.get(who, 0.0) + sample.value
    return sums


def is_fresh(standing: Standing, clock: float) -> bool:
    """True when its collector looked lately enough for its figures to be judged."""
    if standing.last_success_clock is None:
        return False
    oldest = max(_STALE_SECONDS, _STALE_LOOKS * standing.interval_seconds)
    return clock - standing.last_success_clock <= oldest
