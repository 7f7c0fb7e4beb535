"""Which archive sets of a host stay. Pure: takes what the repository and the journal know, returns a reason for each.

Rules, first match decides, per app; days are those of the colocation's zone.
1. An app that is no longer here: everything stays. Somebody may want it back; `left_after` later its people may have it
   forgotten (`backup.forgetting`), which no rule here does.
2. A set from the future (a clock was wrong): stays, and takes nobody's place.
3. No set of the app is proven: everything stays.
4. The newest proven set stays, whatever the numbers say.
5. A set younger than that stays and takes nobody's place: it may be at work, or tell what goes wrong.
6. An older set without its archive of files is unfinished and goes.
7. The newest `last` sets stay, and the newest of each of the `daily` last days that have one, and so for weeks (ISO),
   months and years. Where a day has a proven set, the newest proven one is the day's. The proven ones are counted once
   more by themselves: sets that were never proven push none of them out.
8. The newest `minimum` proven sets stay, whatever a host's numbers say.
9. The rest goes. Archives of one run stay or go together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from coloc.config.backups import Keep

FUTURE = timedelta(hours=26)


@dataclass(frozen=True, slots=True)
class ArchiveSet:
    """The archives of one app and run on one host. proven: the journal saw it read back, and all of it is there."""

    app: str
    run: str
    at: datetime
    archives: tuple[str, ...]
    complete: bool
    proven: bool


@dataclass(frozen=True, slots=True)
class Left:
    """What apps left behind: since when each is gone, and how long that stays before it may be forgotten."""

    since: Mapping[str, datetime] = field(default_factory=dict)
    after: timedelta = timedelta(days=90)

    def may_go_at(self, app: str) -> datetime | None:
        """From when on the app may be forgotten; None while nobody saw that it is gone."""
        since = self.since.get(app)
        return None if since is None else since + self.after


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a set, and why."""

    set: ArchiveSet
    keep: bool
    reason: str


def plan_retention(
    sets: Iterable[ArchiveSet],
    keep: Keep,
    *,
    zone: ZoneInfo,
    apps: frozenset[str],
    now: datetime,
    minimum: int = 1,
    left: Left | None = None,
) -> list[Verdict]:
    """A verdict for each set, by app, newest first. `apps`: those that are on the server now."""
    by_app: dict[str, list[ArchiveSet]] = {}
    for each in sets:
        by_app.setdefault(each.app, []).append(each)
    verdicts: list[Verdict] = []
    for app in sorted(by_app):
        ordered = sorted(by_app[app], key=lambda each: (each.at, each.run), reverse=True)
        if app in apps:
            verdicts += _plan_app(ordered, keep, zone, minimum, now)
        else:
            reason = _gone(app, left or Left(), zone, now)
            verdicts += [Verdict(each, True, reason) for each in ordered]
    return verdicts


def _gone(app: str, left: Left, zone: ZoneInfo, now: datetime) -> str:
    may_go_at = left.may_go_at(app)
    if may_go_at is None:
        return "the app is gone: nothing of it is removed"
    since = f"gone since {left.since[app].astimezone(zone):%Y-%m-%d}"
    if now < may_go_at:
        return f"{since}: stays; from {may_go_at.astimezone(zone):%Y-%m-%d} on `coloc-agent forget {app}` removes it"
    return f"{since}: stays until `coloc-agent forget {app}`"


def _plan_app(ordered: Sequence[ArchiveSet], keep: Keep, zone: ZoneInfo, minimum: int, now: datetime) -> list[Verdict]:
    present = [each for each in ordered if each.at <= now + FUTURE]
    proven = [each for each in present if each.proven]
    if not proven:
        return [Verdict(each, True, "no set of this app is proven yet") for each in ordered]
    newest = (proven[0].at, proven[0].run)
    complete = [each for each in present if each.complete and (each.at, each.run) <= newest]
    least = {each.run: f"minimum {number}" for number, each in enumerate(proven[:minimum], start=1)}
    reasons = least | _slots([each for each in complete if each.proven], keep, zone) | _slots(complete, keep, zone)
    return [Verdict(each, *_judge(each, proven[0], reasons.get(each.run, ""), now)) for each in ordered]


def _judge(each: ArchiveSet, newest: ArchiveSet, slots: str, now: datetime) -> tuple[bool, str]:
    if each.at > now + FUTURE:
        return True, "from the future: was a clock wrong?"
    if each.run == newest.run:
        return True, f"the newest proven, {slots}"
    if (each.at, each.run) > (newest.at, newest.run):
        return True, "younger than the newest proven"
    if not each.complete:
        return False, "unfinished, and a later one is proven"
    return (True, slots) if slots else (False, "no rule keeps it")


def _slots(complete: Sequence[ArchiveSet], keep: Keep, zone: ZoneInfo) -> dict[str, str]:
    """run → the rules that keep it, in words."""
    words: dict[str, list[str]] = {}
    for number, each in enumerate(complete[: keep.last], start=1):
        words.setdefault(each.run, []).append(f"last {number}")
    for name, count, period in (
        ("daily", keep.daily, _day),
        ("weekly", keep.weekly, _week),
        ("monthly", keep.monthly, _month),
        ("yearly", keep.yearly, _year),
    ):
        for number, each in enumerate(_newest_of_each(complete, period, zone)[:count], start=1):
            words.setdefault(each.run, []).append(f"{name} {number}")
    return {run: ", ".join(rules) for run, rules in words.items()}


def _newest_of_each(
    complete: Sequence[ArchiveSet], period: Callable[[date], Hashable], zone: ZoneInfo
) -> list[ArchiveSet]:
    chosen: dict[Hashable, ArchiveSet] = {}
    for each in complete:
        key = period(each.at.astimezone(zone).date())
        if key not in chosen or (each.proven and not chosen[key].proven):
            chosen[key] = each
    return list(chosen.values())


def _day(day: date) -> Hashable:
    return day


def _week(day: date) -> Hashable:
    return day.isocalendar()[:2]


def _month(day: date) -> Hashable:
    return day.year, day.month


def _year(day: date) -> Hashable:
    return day.year
