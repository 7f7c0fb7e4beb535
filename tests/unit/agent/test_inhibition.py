"""What follows from what: a table of causes, and no incident that keeps itself quiet."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents import Incident, Phase, Severity
from agent.inhibition import AFTERWARDS, causes
from coloc.model import App, Database, DatabaseKind, PhpPool
from tests.fakes.colocations import colocation

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
APPS = colocation(
    App("blog", "wordpress", "Blog", databases=(Database(DatabaseKind.MYSQL, "blog"),), php_version="8.2"),
    App("nuage", "nextcloud", "Nuage", databases=(Database(DatabaseKind.POSTGRESQL, "n"),), redis_db=2),
    App("forum", "x", "Forum", php_pools=(PhpPool("/etc/php/8.3/fpm/pool.d/forum.conf", "forum", "forum"),)),
)


def one(rule: str, number: int, severity: Severity = Severity.CRITICAL, **labels: str) -> Incident:
    key = f"{rule}{sorted(labels.items())}"
    return Incident(key, rule, tuple(labels.items()), Phase.FIRING, severity, {}, NOW, fired_at=NOW, id=number)


FULL = one("disk_nearly_full", 1, filesystem="/")


@pytest.mark.parametrize(
    ("cause", "other", "follows"),
    [
        (one("service_down", 1, unit="mariadb"), one("app_down", 2, app="blog"), True),
        (one("service_down", 1, unit="mariadb"), one("backup_failed", 2, app="blog", host="merle"), True),
        (one("service_down", 1, unit="mariadb"), one("app_down", 2, app="nuage"), False),
        (one("service_down", 1, unit="mariadb"), one("database_silent", 2, kind="mysql"), True),
        (one("service_down", 1, unit="postgresql@15-main"), one("app_down", 2, app="nuage"), True),
        (one("service_down", 1, unit="postgresql@15-main"), one("database_silent", 2, kind="postgresql"), True),
        (one("service_down", 1, unit="redis-server"), one("app_crash_loop", 2, app="nuage", unit="nuage"), True),
        (one("service_down", 1, unit="php8.2-fpm"), one("app_down", 2, app="blog"), True),
        (one("service_down", 1, unit="php8.2-fpm"), one("app_down", 2, app="forum"), False),
        (one("service_down", 1, unit="php8.3-fpm"), one("app_down", 2, app="forum"), True),
        (one("service_down", 1, unit="postfix"), one("app_down", 2, app="blog"), False),
        (one("service_down", 1, unit="mariadb"), one("app_down", 2, app="gone"), False),
        (FULL, one("service_down", 2, unit="mariadb"), True),
        (FULL, one("certificate_expiring", 2, domain="x"), False),
        (replace(FULL, severity=Severity.WARNING), one("app_down", 2, app="blog"), False),
        (replace(FULL, severity=Severity.WARNING), one("disk_full_soon", 2, filesystem="/"), True),
        (FULL, one("disk_full_soon", 2, filesystem="/home"), False),
        (one("disk_read_only", 1, filesystem="/"), one("disk_nearly_full", 2, filesystem="/"), True),
        (one("network_down", 1), one("host_unreachable", 2, host="merle"), True),
        (one("network_down", 1), one("heartbeat_failing", 2), True),
        (one("network_down", 1), one("alertmanager_failing", 2), True),
        (one("network_down", 1), one("app_down", 2, app="blog"), False),
        (one("machine_stalled", 1, resource="memory"), one("app_errors", 2, app="blog"), True),
        (one("machine_stalled", 1, resource="memory"), one("app_down", 2, app="blog"), False),
        (one("app_down", 1, app="blog"), one("app_errors", 2, app="blog"), True),
        (one("app_down", 1, app="blog"), one("app_errors", 2, app="nuage"), False),
        (one("host_unreachable", 1, host="merle"), one("backup_failed", 2, app="blog", host="merle"), True),
        (one("host_unreachable", 1, host="merle"), one("backup_late", 2, app="blog", host="merle"), False),
    ],
)
def test_what_follows(cause: Incident, other: Incident, follows: bool) -> None:
    assert causes([other, cause], [], APPS, NOW) == ({other.key: cause.id} if follows else {})


def test_what_follows_keeps_quiet_a_minute_longer_so_that_it_can_recover() -> None:
    over = replace(one("service_down", 1, unit="mariadb"), phase=Phase.RESOLVED, resolved_at=NOW)
    down = one("app_down", 2, app="blog")
    assert causes([down], [over], APPS, NOW + AFTERWARDS - timedelta(seconds=1)) == {down.key: 1}
    assert causes([down], [over], APPS, NOW + AFTERWARDS) == {}
    assert causes([down], [over], APPS, NOW - timedelta(days=1)) == {}


RULES = ["disk_nearly_full", "disk_read_only", "files_nearly_out", "service_down", "app_down", "network_down"]
RULES += ["machine_stalled", "memory_low", "host_unreachable", "app_errors", "backup_failed", "disk_full_soon"]
ANY = st.builds(
    one,
    st.sampled_from(RULES),
    st.integers(1, 99),
    app=st.sampled_from(["blog", "nuage"]),
    unit=st.sampled_from(["mariadb", "php8.2-fpm"]),
    filesystem=st.sampled_from(["/", "/home"]),
    host=st.sampled_from(["merle", "alouette"]),
)


@given(st.lists(ANY, max_size=12, unique_by=(lambda item: item.key, lambda item: item.id)))
def test_somebody_at_the_root_always_speaks(incidents: list[Incident]) -> None:
    found = causes(incidents, [], APPS, NOW)
    by_number = {item.id: item for item in incidents}
    for incident in incidents:
        seen = {incident.key}
        while incident.key in found:
            incident = by_number[found[incident.key]]
            assert incident.key not in seen, "a circle in which nobody speaks"
            seen.add(incident.key)
