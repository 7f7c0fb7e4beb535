"""What people write after `!maintenance` and `--from`, in both languages, at any hour of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.maintenance.wishes import MaintenanceWish, parse_begin, understand_maintenance

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)  # 13:00 in Paris
TEN = datetime(2026, 11, 23, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("maintenant", NOW),
        ("22:00", TEN),
        ("22h", TEN),
        ("22h30", TEN + HOUR / 2),
        ("12:58", NOW - HOUR / 30),  # just now: the clock of who wrote it
        ("11:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),  # tomorrow's
        ("2026-11-28 22:00", datetime(2026, 11, 28, 21, tzinfo=UTC)),
        ("2026-07-28T22:00", datetime(2026, 7, 28, 20, tzinfo=UTC)),
        ("2026-11-28T22:00+00:00", datetime(2026, 11, 28, 22, tzinfo=UTC)),
    ],
)
def test_when_it_begins(text: str, expected: datetime) -> None:
    assert parse_begin(text, NOW, PARIS) == expected


@pytest.mark.parametrize("text", ["", "soon", "25:00", "12:61", "2026-11-28", "2026-13-01T10:00", "²2:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_begin(text, NOW, PARIS)


def test_an_hour_that_the_clock_change_leaves_out_or_doubles_is_one_moment() -> None:
    spring = datetime(2027, 3, 27, 23, tzinfo=UTC)
    assert parse_begin("2:30", spring, PARIS) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    autumn = datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert parse_begin("2:30", autumn, PARIS) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


DECLARED = MaintenanceWish("declare", title="Mise à jour de l'agenda", about="nuage", begins_at=TEN, span=HOUR)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("", MaintenanceWish("list")),
        ("liste", MaintenanceWish("list")),
        ("start 3", MaintenanceWish("start", 3)),
        ("finir M3", MaintenanceWish("end", 3)),
        ("prolonger #3 30m", MaintenanceWish("extend", 3, span=HOUR / 2)),
        ("cancel 12", MaintenanceWish("cancel", 12)),
        ('"Mise à jour de l\'agenda" nuage 22:00 1h', DECLARED),
        ("« Mise à jour de l'agenda » nuage 22h 60m", DECLARED),
        ("“Mise à jour de l'agenda”  nuage  2026-11-23 22:00  1h", DECLARED),
        ('"x" serveur now 2h', MaintenanceWish("declare", title="x", begins_at=NOW, span=2 * HOUR)),
        ("extend 3", MaintenanceWish("")),
        ("end", MaintenanceWish("")),
        ("end 3 4", MaintenanceWish("")),
        ("extend 3 soon", MaintenanceWish("")),
        ('"x" nuage 22:00', MaintenanceWish("")),
        ("nuage 22:00 1h", MaintenanceWish("")),
        ('"x" nuage never 1h', MaintenanceWish("")),
    ],
)
def test_what_people_write_in_a_room(text: str, wish: MaintenanceWish) -> None:
    assert understand_maintenance(text, NOW, PARIS) == wish


@given(
    st.text() | st.from_regex(r'"[^"]*" \S+ \S+ \S+'),
    st.datetimes(
        timezones=st.just(UTC),
        min_value=datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis wants it naive
    ),
)
def test_nothing_that_is_written_stumbles(text: str, now: datetime) -> None:
    wish = understand_maintenance(text, min(now, datetime(9000, 1, 1, tzinfo=UTC)), PARIS)
    assert wish.verb in {"", "list", "start", "extend", "end", "cancel", "declare"}
