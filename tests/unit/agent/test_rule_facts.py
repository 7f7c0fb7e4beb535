"""What the rules judge is exposed as the rules see it, so that Prometheus judges by the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.backup_store import FactReader
from agent.quotas import QuotaStep, Standing
from agent.rule_facts import rule_families
from coloc.config.whole import Config
from coloc.facts import Spool
from coloc.model import App, Colocation, Inventory
from coloc.state import State, open_state
from coloc.times import iso
from tests.fakes.colocations import figures

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SEEN = NOW - timedelta(days=9)
BLOG = App("blog", "blog", "Blog", install_dir="/var/www/blog")
COLOCATION = Colocation(Inventory({"blog": BLOG}), ("chorale",), {"blog": {"chorale": 1.0}})
CONFIG: dict[str, Any] = {
    "coloc": {"name": "test"},
    "stage": "backup",
    "adminsys": {"lea": {"matrix": "@lea:example.org"}, "tom": {}},
    "projects": {"chorale": {"title": "Chorale", "adminsys": ["lea", "tom"]}, "velo": {}},
    "backup": {"hosts": {"merle": {"path": "/m"}, "disque": {"path": "/d"}}},
}
WHERE = 'app="blog",host="merle",project="chorale"'


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with closing(open_state(tmp_path / "state.db")) as found:
        with found.transaction():
            found.put("first_seen", f'{{"blog": "{iso(SEEN)}"}}')
        yield found


def exposed(state: State, *standings: Standing, good: bool = True, **changes: Any) -> Mapping[str, float]:
    config = Config.model_validate(CONFIG | changes)
    return figures(rule_families(config, COLOCATION, state, standings, NOW, is_config_good=good))


def report(state: State, folder: Path, *facts: tuple[str, dict[str, Any]]) -> None:
    spool = Spool(folder / "facts")
    for kind, values in facts:
        spool.write(kind, NOW - timedelta(hours=1), **values)
    FactReader(state, spool).take(NOW)


def test_a_project_names_its_adminsys_and_nothing_else_of_them(state: State) -> None:
    found = exposed(state)
    assert found['coloc_project_info{adminsys="lea, tom",project="chorale",title="Chorale"}'] == 1
    assert found['coloc_project_info{adminsys="",project="velo",title="velo"}'] == 1
    assert "example.org" not in str(found)


def test_an_app_without_a_backup_is_awaited_since_it_was_first_seen(state: State) -> None:
    found = exposed(state)
    assert found[f"coloc_backup_awaited_since_timestamp_seconds{{{WHERE}}}"] == SEEN.timestamp()
    assert f"coloc_backup_last_try_success{{{WHERE}}}" not in found
    assert not any("awaited" in name for name in exposed(state, stage="observe"))


@pytest.mark.parametrize("is_good", [True, False])
def test_a_backup_that_was_tried_says_how_it_went(state: State, tmp_path: Path, is_good: bool) -> None:
    report(state, tmp_path, ("backup", {"app": "blog", "host": "merle", "ok": is_good, "failure": "no room"}))
    found = exposed(state)
    assert found[f"coloc_backup_last_try_success{{{WHERE}}}"] == is_good
    since = NOW - timedelta(hours=1) if is_good else SEEN
    assert found[f"coloc_backup_awaited_since_timestamp_seconds{{{WHERE}}}"] == since.timestamp()


def test_hosts_that_are_ours_and_were_tried_say_whether_they_answered(state: State, tmp_path: Path) -> None:
    report(
        state,
        tmp_path,
        ("host", {"host": "merle", "reachable": False, "why": "timeout"}),
        ("host", {"host": "gone", "reachable": True}),
    )
    assert {name: value for name, value in exposed(state).items() if "host_up" in name} == {
        'coloc_backup_host_up{host="merle"}': 0
    }


def test_steps_of_quotas_are_counted_and_absent_without_a_measure(state: State) -> None:
    found = exposed(
        state,
        Standing("velo", "disk", QuotaStep.THROTTLE, NOW, 5.0),
        Standing("velo", "cpu", QuotaStep.FINE, NOW, 0.0),
        Standing("velo", "memory", QuotaStep.WARN, NOW, None),
    )
    assert {name: value for name, value in found.items() if "quota_step" in name} == {
        'coloc_quota_step{project="velo",resource="disk"}': 2,
        'coloc_quota_step{project="velo",resource="cpu"}': 0,
    }


@pytest.mark.parametrize("is_good", [True, False])
def test_a_configuration_that_cannot_be_used_shows(state: State, is_good: bool) -> None:
    assert exposed(state, good=is_good)["coloc_config_last_reload_success"] == is_good
