"""Pressure of units that are one app's: added up, only growing, absent where it was not measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collectors.cgroup_tree import parse_numbers, parse_pids, unit_folders
from collectors.pressure import PressureCollector
from coloc.model import App
from tests.fakes.cgroups import FakeCgroups
from tests.fakes.colocations import colocation, figures

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
APPS = colocation(
    App("blog", "b", "B", user="blog", services=("shared",)),
    App("nuage", "n", "N", services=("nuage", "nuage-push", "shared")),
    shares={"nuage": {"velo": 1.0}},
)


class Server:
    """A server below `root`; a look returns the seconds of `nuage` by resource."""

    def __init__(self, root: Path) -> None:
        self.groups = FakeCgroups(root / "sys/fs/cgroup")
        self._collector = PressureCollector(_nobody, root=root)

    def look(self) -> dict[str, float]:
        found = figures(self._collector.collect(APPS, NOW))
        assert all('app="nuage",project="velo"' in name for name in found)
        return {name.split('resource="')[1].rstrip('"}'): value for name, value in found.items()}


def _nobody(_: Iterable[str]) -> Mapping[str, int]:
    return {}


def test_the_units_of_an_app_are_added_up_and_shared_ones_are_left_out(tmp_path: Path) -> None:
    server = Server(tmp_path)
    for waited in ((1_000_000, 0, 0), (2_500_000, 500_000, 0)):
        for unit in ("nuage.service", "nuage-push.service", "shared.service"):
            server.groups.unit(unit, waited=waited)
        seen = server.look()
    assert seen == {"cpu": 3.0, "memory": 1.0, "io": 0.0}


def test_a_unit_that_was_started_anew_goes_on_counting(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.groups.unit("nuage.service", waited=(4_000_000, 0, 0))
    server.look()
    server.groups.unit("nuage.service", waited=(5_000_000, 0, 0))
    assert server.look()["cpu"] == 1.0
    server.groups.end("nuage.service")
    assert server.look()["cpu"] == 1.0
    server.groups.unit("nuage.service", waited=(250_000, 0, 0))
    assert server.look()["cpu"] == 1.25


def test_a_unit_in_a_project_s_slice_is_found(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.groups.unit("nuage.service", below="coloc.slice/coloc-velo.slice", waited=(0, 0, 0))
    assert server.look() == {"cpu": 0, "memory": 0, "io": 0}


def test_a_group_that_a_user_made_inside_a_unit_is_no_unit(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.groups.unit("nuage.service", below="user.slice/user@1000.service/app.slice", waited=(9, 9, 9))
    assert server.look() == {}
    assert unit_folders(server.groups.root).keys() == {"user@1000.service"}


def test_a_kernel_without_pressure_says_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.groups.unit("nuage.service")
    assert server.look() == {}


@given(st.binary(max_size=300))
def test_no_bytes_make_the_parsers_raise(data: bytes) -> None:
    assert all(value >= 0 for value in parse_numbers(data).values())
    assert all(pid < 10**9 for pid in parse_pids(data))


def test_a_project_in_a_slice_of_its_own_is_told_as_a_whole(tmp_path: Path) -> None:
    groups, collector = FakeCgroups(tmp_path / "sys/fs/cgroup"), PressureCollector(_nobody, root=tmp_path)
    for waited in ((1_000_000, 0, 0), (3_000_000, 0, 500_000)):
        groups.unit("coloc-velo.slice", below="coloc.slice", waited=waited)
        groups.unit("coloc-stranger.slice", below="coloc.slice", waited=waited)
        found = figures(collector.collect(APPS, NOW))
    name = "coloc_project_pressure_waiting_seconds_total"
    assert {key: value for key, value in found.items() if key.startswith(name)} == {
        f'{name}{{project="velo",resource="{resource}"}}': value
        for resource, value in (("cpu", 2.0), ("memory", 0.0), ("io", 0.5))
    }
