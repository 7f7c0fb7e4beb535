"""Whether an app is up: the worst of its units; unknown is absent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from collectors.services import MOST_UNITS, ServicesCollector, php_units, worst
from coloc.model import App, PhpPool
from coloc.services import Unit
from tests.fakes.colocations import colocation, figures

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
UP: Mapping[str, str | int] = {"active": "active"}
DOWN: Mapping[str, str | int] = {"active": "failed", "result": "exit-code"}
POOL = PhpPool("/etc/php/8.2/fpm/pool.d/blog.conf", "blog", "blog")


class FakeSystemd:
    """Knows some units; counts how often it was asked."""

    def __init__(self, **units: Mapping[str, str | int]) -> None:
        self.units = {name.replace("_", "."): state for name, state in units.items()}
        self.asked = 0

    def __call__(self, units: Iterable[str]) -> Mapping[str, Unit]:
        self.asked += 1
        return {name: Unit(name, **self.units.get(name, {})) for name in units}  # type: ignore[arg-type]


def ups(systemd: FakeSystemd, *apps: App, **shares: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in looked(systemd, *apps, **shares).items() if "_up{" in name}


def looked(systemd: FakeSystemd, *apps: App, **shares: Mapping[str, float]) -> dict[str, float]:
    return figures(ServicesCollector(show=systemd).collect(colocation(*apps, shares=shares), NOW))


def test_one_unit_that_is_down_is_enough() -> None:
    systemd = FakeSystemd(push=DOWN, nuage=UP)
    app = App("nuage", "n", "N", services=("nuage", "push"))
    assert ups(systemd, app, nuage={"velo": 1.0}) == {
        'coloc_app_up{app="nuage",project="velo"}': 0,
        'coloc_project_up{project="velo"}': 0,
    }


def test_a_shared_app_that_is_down_is_down_for_each_of_its_projects() -> None:
    systemd = FakeSystemd(nuage=DOWN, tchat=UP)
    apps = App("nuage", "n", "N", services=("nuage",)), App("tchat", "t", "T", services=("tchat",))
    seen = ups(systemd, *apps, nuage={"velo": 0.5, "chorale": 0.5}, tchat={"velo": 1.0})
    assert seen['coloc_project_up{project="velo"}'] == seen['coloc_project_up{project="chorale"}'] == 0
    assert systemd.asked == 1


def test_an_app_without_units_is_up_when_its_php_is() -> None:
    systemd = FakeSystemd(**{"php8_2-fpm": UP})
    assert ups(systemd, App("blog", "b", "B", php_pools=(POOL,)))['coloc_app_up{app="blog",project="_none"}'] == 1


def test_what_is_unknown_is_absent() -> None:
    assert ups(FakeSystemd(), App("a", "a", "A", services=("a",)), App("b", "b", "B")) == {}
    assert worst([True, None]) is None
    assert worst([False, None]) is False


def test_without_units_nobody_is_asked() -> None:
    systemd = FakeSystemd()
    ups(systemd, App("b", "b", "B"))
    assert systemd.asked == 0


def test_the_php_version_comes_from_the_pool_s_folder_or_the_settings() -> None:
    assert php_units(App("x", "x", "X", php_pools=(POOL,), php_version="7.4")) == ("php8.2-fpm",)
    assert php_units(App("x", "x", "X", php_pools=(PhpPool("x.conf", "x", None),), php_version="8.3")) == (
        "php8.3-fpm",
    )
    assert php_units(App("x", "x", "X")) == ()


def test_an_app_s_own_units_tell_their_state_and_how_often_they_were_started_anew() -> None:
    systemd = FakeSystemd(nuage={"active": "active", "restarts": 7}, push=DOWN)
    seen = looked(systemd, App("nuage", "n", "N", services=("nuage", "push"), php_pools=(POOL,)))
    labels = 'app="nuage",project="_none"'
    assert {name: value for name, value in seen.items() if "_unit_" in name} == {
        f'coloc_unit_state{{{labels},state="active",unit="nuage"}}': 1,
        f'coloc_unit_state{{{labels},state="failed",unit="push"}}': 1,
        f'coloc_unit_restarts_total{{{labels},unit="nuage"}}': 7,
        f'coloc_unit_restarts_total{{{labels},unit="push"}}': 0,
    }


def test_a_unit_that_is_gone_or_in_no_known_state_has_none() -> None:
    systemd = FakeSystemd(a={"active": "inactive", "load": "not-found"}, b={"active": "dancing"})
    assert "_unit_" not in "".join(looked(systemd, App("x", "x", "X", services=("a", "b", "c"))))


def test_an_app_of_many_units_stays_bounded() -> None:
    names = [f"u{number}" for number in range(9)]
    state: Mapping[str, str | int] = {"active": "active", "restarts": 1}
    systemd = FakeSystemd(**dict.fromkeys(names, state))
    seen = looked(systemd, App("x", "x", "X", services=tuple(names)))
    assert sum("_unit_state" in name for name in seen) == MOST_UNITS
    assert seen['coloc_unit_restarts_total{app="x",project="_none",unit="_other"}'] == 9 - MOST_UNITS


def test_shared_services_are_told_when_they_are_there_and_are_to_run(tmp_path: Path) -> None:
    (tmp_path / "etc/postgresql/15/main").mkdir(parents=True)
    there: Mapping[str, str | int] = {"load": "loaded", "active": "active"}
    units: dict[str, Mapping[str, str | int]] = {
        "nginx": there,
        "postgresql@15-main": {"load": "loaded", "active": "failed"},
        "php8.2-fpm": {"load": "loaded", "active": "inactive", "file_state": "enabled"},
        "dovecot": {"load": "loaded", "active": "inactive", "file_state": "disabled"},
        "slapd": {"load": "not-found", "active": "inactive"},
    }
    systemd = FakeSystemd()
    systemd.units = units
    apps = colocation(App("blog", "b", "B", php_pools=(POOL,)))
    seen = figures(ServicesCollector(show=systemd, root=tmp_path).collect(apps, NOW))
    assert {name: value for name, value in seen.items() if "_service_up" in name} == {
        'coloc_service_up{unit="nginx"}': 1,
        'coloc_service_up{unit="php8.2-fpm"}': 0,
        'coloc_service_up{unit="postgresql@15-main"}': 0,
    }
    assert seen['coloc_service_state{state="failed",unit="postgresql@15-main"}'] == 1
