"""Usage: the same figures as /metrics, turned into values to decide with; what is old or missing is None."""

from __future__ import annotations

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.guard import Standing
from collectors.usage import AppUsage, FilesystemUsage, ProjectUsage, Usage, UsageWindow
from coloc.model import App
from tests.fakes.colocations import colocation

APPS = colocation(App("blog", "b", "B"), App("wiki", "w", "W"), shares={"blog": {"chorale": 1.0}})


def gauge(name: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(name, "X.", labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def cpu(seconds: float, clock: float) -> Standing:
    apps = CounterMetricFamily("coloc_app_cpu_seconds", "X.", labels=["app", "project", "mode"])
    projects = CounterMetricFamily("coloc_project_cpu_seconds", "X.", labels=["project", "mode"])
    for mode in ("user", "system"):
        apps.add_metric(["blog", "chorale", mode], seconds / 2)
        projects.add_metric(["chorale", mode], seconds / 2)
    return Standing("processes", 5.0, (apps, projects), success=True, last_success_clock=clock)


def of(*families: Metric, clock: float = 100.0, interval: float = 5.0) -> Standing:
    return Standing("any", interval, families, success=True, last_success_clock=clock)


def test_what_is_not_measured_is_none() -> None:
    usage = UsageWindow().update([], APPS, 100.0)
    assert usage == Usage(
        {"blog": AppUsage("blog", "chorale"), "wiki": AppUsage("wiki", "_none")}, {"chorale": ProjectUsage("chorale")}
    )
    assert usage.projects["chorale"].of("disk") is None
    assert usage.projects["chorale"].of("mail_per_hour") is None


def test_figures_of_apps_and_projects() -> None:
    standing = of(
        gauge("coloc_app_memory_bytes", 5, app="blog", project="chorale"),
        gauge("coloc_project_memory_bytes", 5, project="chorale"),
        gauge("coloc_app_up", 0, app="blog", project="chorale"),
        gauge("coloc_project_up", 0, project="chorale"),
        gauge("coloc_app_database_bytes", 7, app="blog", project="chorale", database="a"),
        gauge("coloc_app_database_bytes", 8, app="blog", project="chorale", database="b"),
    )
    usage = UsageWindow().update([standing], APPS, 100.0)
    assert (usage.apps["blog"].memory_bytes, usage.apps["blog"].database_bytes, usage.apps["blog"].up) == (5, 15, False)
    assert usage.apps["wiki"].up is None
    assert (usage.projects["chorale"].of("memory"), usage.projects["chorale"].up) == (5, False)


def test_cores_are_the_growth_over_the_window() -> None:
    window = UsageWindow(seconds=60)
    assert window.update([cpu(1000, 100)], APPS, 100).apps["blog"].cpu_cores is None
    assert window.update([cpu(1005, 110)], APPS, 110).apps["blog"].cpu_cores == 0.5
    assert window.update([cpu(1005, 110)], APPS, 112).projects["chorale"].of("cpu") == 0.5
    assert window.update([cpu(1065, 170)], APPS, 170).apps["blog"].cpu_cores == 1.0  # the first look is too old now


def test_cores_are_unknown_after_a_gap_until_there_are_two_looks_again() -> None:
    window = UsageWindow()
    window.update([cpu(10, 100)], APPS, 100)
    assert window.update([cpu(20, 110)], APPS, 110 + 61).apps["blog"].cpu_cores is None
    assert window.update([cpu(90, 180)], APPS, 180).apps["blog"].cpu_cores is None
    assert window.update([cpu(95, 190)], APPS, 190).apps["blog"].cpu_cores == 0.5


def test_old_figures_are_not_figures_of_now() -> None:
    disk = of(gauge("coloc_app_disk_bytes", 5, app="blog", project="chorale"), interval=3600.0)
    memory = of(gauge("coloc_app_memory_bytes", 5, app="blog", project="chorale"))
    usage = UsageWindow().update([disk, memory], APPS, 100.0 + 3000)
    assert (usage.apps["blog"].disk_bytes, usage.apps["blog"].memory_bytes) == (5, None)


def test_filesystems() -> None:
    standing = of(
        gauge("coloc_filesystem_used_ratio", 0.5, mount="/"),
        gauge("coloc_filesystem_free_bytes", 9, mount="/"),
        gauge("coloc_filesystem_read_only", 1, mount="/"),
    )
    assert UsageWindow().update([standing], APPS, 100.0).filesystems == (FilesystemUsage("/", 0.5, 9, True),)
