"""Retention keeps what it promises: examples as tables, promises as properties, both nights of the clock change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from backup.names import new_run
from backup.retention import ArchiveSet, Left, Verdict, plan_retention
from coloc.config.backups import Keep

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
APPS = frozenset({"blog"})


def archive_set(at: datetime, *, app: str = "blog", complete: bool = True, proven: bool = True) -> ArchiveSet:
    run = new_run(at)
    return ArchiveSet(app, run, at, (f"ruche.{app}.{run}.files",), complete, complete and proven)


def plan(sets: list[ArchiveSet], keep: Keep, now: datetime = NOW) -> list[Verdict]:
    return plan_retention(sets, keep, zone=PARIS, apps=APPS, now=now)


def kept(verdicts: list[Verdict]) -> list[datetime]:
    return [verdict.set.at for verdict in verdicts if verdict.keep]


def nights(count: int, last: datetime = NOW) -> list[ArchiveSet]:
    return [archive_set(last - timedelta(days=number)) for number in range(count)]


def test_days_weeks_and_months() -> None:
    verdicts = plan(nights(100), Keep(last=2, daily=7, weekly=4, monthly=3))
    ages = [(NOW - at).days for at in kept(verdicts)]
    # Mon 23 Nov: seven days; the Sundays 22, 15, 8 end earlier weeks; 31 Oct and 30 Sep end earlier months.
    assert ages == [0, 1, 2, 3, 4, 5, 6, 8, 15, 23, 54]


def test_reasons_are_said() -> None:
    verdicts = plan(nights(3), Keep(last=1, daily=2, weekly=0, monthly=0))
    assert [(verdict.keep, verdict.reason) for verdict in verdicts] == [
        (True, "the newest proven, last 1, daily 1"),
        (True, "daily 2"),
        (False, "no rule keeps it"),
    ]


def test_the_night_that_lasts_longer_is_one_day() -> None:
    # 25 October 2026: 02:30 comes twice in Paris, at 00:30 and at 01:30 UTC.
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    late = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)  # 23:30 in Paris, after the change
    before = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)  # 00:30 on the 25th in Paris
    verdicts = plan(
        [archive_set(at) for at in (before, first, second, late)], Keep(last=1, daily=7, weekly=0, monthly=0)
    )
    assert kept(verdicts) == [late]


def test_the_night_that_lacks_an_hour_is_one_day() -> None:
    # 29 March 2026: 02:30 does not exist in Paris.
    eve = datetime(2026, 3, 28, 22, 59, tzinfo=UTC)  # 23:59 on the 28th
    night = datetime(2026, 3, 28, 23, 1, tzinfo=UTC)  # 00:01 on the 29th
    end = datetime(2026, 3, 29, 21, 59, tzinfo=UTC)  # 23:59 on the 29th, one hour "too early" in UTC
    next_day = datetime(2026, 3, 29, 22, 1, tzinfo=UTC)  # 00:01 on the 30th
    verdicts = plan([archive_set(at) for at in (eve, night, end, next_day)], Keep(last=1, daily=9, weekly=0, monthly=0))
    assert kept(verdicts) == [next_day, end, eve]


def test_an_app_that_is_gone_is_kept_whole() -> None:
    sets = [archive_set(NOW - timedelta(days=number), app="gone") for number in range(50)]
    assert all(verdict.keep for verdict in plan(sets, Keep(last=1, daily=0, weekly=0, monthly=0)))


def test_what_an_app_left_behind_says_from_when_on_it_may_be_forgotten() -> None:
    sets = [archive_set(NOW - timedelta(days=200), app="gone")]
    since = {"gone": datetime(2026, 11, 1, tzinfo=UTC)}
    reasons = [
        plan_retention(sets, Keep(), zone=PARIS, apps=APPS, now=now, left=Left(since))[0].reason
        for now in (NOW, NOW + timedelta(days=90))
    ]
    assert reasons == [
        "gone since 2026-11-01: stays; from 2027-01-30 on `coloc-agent forget gone` removes it",
        "gone since 2026-11-01: stays until `coloc-agent forget gone`",
    ]


def test_the_minimum_stays_whatever_a_host_says() -> None:
    miser = Keep(last=1, daily=0, weekly=0, monthly=0)
    sets = [*nights(5), archive_set(NOW - timedelta(hours=1), proven=False)]
    verdicts = plan_retention(sets, miser, zone=PARIS, apps=APPS, now=NOW, minimum=3)
    assert [verdict.reason for verdict in verdicts if verdict.keep] == [
        "the newest proven, last 1",
        "minimum 2",
        "minimum 3",
    ]


def test_nothing_goes_before_something_is_proven() -> None:
    sets = [archive_set(NOW - timedelta(days=number), proven=False) for number in range(50)]
    assert all(verdict.keep for verdict in plan(sets, Keep(last=1, daily=0, weekly=0, monthly=0)))


def test_failing_nights_never_push_out_good_ones() -> None:
    good = [archive_set(NOW - timedelta(days=number)) for number in range(10, 20)]
    bad = [archive_set(NOW - timedelta(days=number), proven=False) for number in range(10)]
    verdicts = plan(good + bad, Keep(last=1, daily=3, weekly=0, monthly=0))
    assert kept(verdicts) == [each.at for each in (*bad, *good[:3])]


def test_nights_that_were_never_proven_take_no_place_of_good_ones_afterwards() -> None:
    good = [archive_set(NOW - timedelta(days=number)) for number in range(10, 20)]
    bad = [archive_set(NOW - timedelta(days=number), proven=False) for number in range(1, 10)]
    verdicts = plan([archive_set(NOW), *bad, *good], Keep(last=2, daily=4, weekly=0, monthly=0))
    assert {each.at for each in good[:3]} <= set(kept(verdicts))


def test_an_unfinished_set_goes_only_when_a_later_one_is_proven() -> None:
    old = archive_set(NOW - timedelta(hours=30), complete=False)
    proven = archive_set(NOW - timedelta(hours=20))
    new = archive_set(NOW - timedelta(hours=1), complete=False)
    verdicts = plan([old, proven, new], Keep())
    assert [(verdict.set.run, verdict.keep) for verdict in verdicts] == [
        (new.run, True),
        (proven.run, True),
        (old.run, False),
    ]


def test_a_day_belongs_to_its_newest_proven_set() -> None:
    proven = archive_set(NOW - timedelta(days=3, hours=2))
    failed = archive_set(NOW - timedelta(days=3), proven=False)
    verdicts = plan([archive_set(NOW), failed, proven], Keep(last=1, daily=5, weekly=0, monthly=0))
    assert [verdict.keep for verdict in verdicts] == [True, False, True]


def test_a_lost_journal_does_not_empty_the_hosts() -> None:
    forgotten = [archive_set(NOW - timedelta(days=number), proven=False) for number in range(1, 30)]
    verdicts = plan([archive_set(NOW), *forgotten], Keep(last=1, daily=7, weekly=4, monthly=2))
    assert len(kept(verdicts)) >= 10


def test_a_set_from_the_future_takes_nobodys_place() -> None:
    future = archive_set(NOW + timedelta(days=400))
    verdicts = plan([future, *nights(3)], Keep(last=1, daily=0, weekly=0, monthly=0))
    assert [(verdict.keep) for verdict in verdicts] == [True, True, False, False]


MOMENTS = st.integers(min_value=-50, max_value=24 * 800).map(lambda hours: NOW - timedelta(hours=hours))
SETS = st.lists(
    st.builds(
        lambda at, app, complete, proven: archive_set(at, app=app, complete=complete, proven=proven),
        MOMENTS,
        st.sampled_from(["blog", "gone"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=60,
)
KEEPS = st.builds(
    Keep,
    last=st.integers(1, 5),
    daily=st.integers(0, 10),
    weekly=st.integers(0, 6),
    monthly=st.integers(0, 6),
    yearly=st.integers(0, 3),
)


@settings(deadline=None)  # a loaded machine is not a wrong answer
@given(SETS, KEEPS)
def test_promises(sets: list[ArchiveSet], keep: Keep) -> None:
    verdicts = plan(sets, keep)
    assert sorted(verdict.set.run for verdict in verdicts) == sorted(each.run for each in sets)
    here = [each for each in sets if each.app == "blog" and each.at <= NOW + timedelta(hours=26)]
    proven = [each for each in here if each.proven]
    gone = {verdict.set.run for verdict in verdicts if not verdict.keep}
    assert all(verdict.reason for verdict in verdicts)
    assert not any(verdict.set.app == "gone" for verdict in verdicts if not verdict.keep)
    if proven:
        newest = max(proven, key=lambda each: (each.at, each.run))
        assert newest.run not in gone
        assert not any(each.run in gone for each in here if each.at > newest.at)
    else:
        assert not any(each.run in gone for each in sets if each.app == "blog")


@settings(deadline=None)  # a loaded machine is not a wrong answer
@given(SETS, KEEPS, st.integers(1, 5))
def test_never_fewer_proven_than_the_minimum(sets: list[ArchiveSet], keep: Keep, minimum: int) -> None:
    verdicts = plan_retention(sets, keep, zone=PARIS, apps=APPS, now=NOW, minimum=minimum)
    proven = [each for each in sets if each.app == "blog" and each.proven]
    stays = [verdict.set for verdict in verdicts if verdict.keep and verdict.set in proven]
    assert len(stays) >= min(minimum, len(proven))


@settings(deadline=None)  # a loaded machine is not a wrong answer
@given(SETS, KEEPS)
def test_a_second_prune_removes_nothing(sets: list[ArchiveSet], keep: Keep) -> None:
    left = [verdict.set for verdict in plan(sets, keep) if verdict.keep]
    assert all(verdict.keep for verdict in plan(left, keep))


@settings(deadline=None)  # a loaded machine is not a wrong answer
@given(SETS, KEEPS)
def test_asking_to_keep_more_never_removes_more(sets: list[ArchiveSet], keep: Keep) -> None:
    more = Keep(
        last=keep.last + 1,
        daily=keep.daily + 1,
        weekly=keep.weekly + 1,
        monthly=keep.monthly + 1,
        yearly=keep.yearly + 1,
    )
    assert set(kept(plan(sets, keep))) <= set(kept(plan(sets, more)))
