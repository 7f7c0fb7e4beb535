"""The checks of the charter: which points are not kept. Pure; the words are elsewhere, and never name a person.

A check that is relaxed still finds its point, marked with the day until which that was agreed. After that day it counts
again, marked as due for a review. Nothing here is an alarm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import chain

from agent.charter.day_store import Watched
from agent.charter.facts import AppFacts, CharterFacts, Service, people_of
from agent.charter.point import CharterPoint
from coloc.config.register import CHECKS, Relaxation

_ENOUGH = 0.9  # of the days of a span: then what was not seen did not happen
_EMPTY_VESSELS = frozenset({"my_webapp", "redirect", "custom_webapp"})  # each holds something else


def charter_points(facts: CharterFacts) -> tuple[CharterPoint, ...]:
    """Every point that is not kept, in the order of the checks."""
    return tuple(chain.from_iterable(check(facts) for check in _CHECKS.values()))


def bus_factors(facts: CharterFacts) -> tuple[dict[str, int], dict[str, int]]:
    """How many people can look after each app that a project claims, and after each project."""
    apps = {each.app.id: len(each.people) for each in facts.apps if each.projects}
    return apps, {name: len(people_of(facts.config, name, facts.today)) for name in facts.config.projects}


def counts(points: Iterable[CharterPoint]) -> dict[str, tuple[int, int]]:
    """Check → points that are not kept, and points that are relaxed; of people, how many they are."""
    kept, relaxed = Counter[str](), Counter[str]()
    for point in points:
        (relaxed if point.relaxed_until else kept)[point.check] += point.count if point.of == "people" else 1
    return {check: (kept[check], relaxed[check]) for check in CHECKS}


def _bus_factor(facts: CharterFacts) -> Iterator[CharterPoint]:
    apps, projects = bus_factors(facts)
    for name, people in projects.items():
        if people < 2:
            relaxed = facts.config.projects[name].charter.relaxed
            yield _point(facts, CharterPoint("bus_factor", "project", name, count=people), relaxed)
    for each in facts.apps:
        # With one project alone the line above has said it, unless its own block tells otherwise.
        is_told = len(each.projects) == 1 and projects.get(each.projects[0], 2) < 2
        if apps.get(each.app.id, 2) < 2 and not is_told:
            point = CharterPoint("bus_factor", "app", each.app.id, count=apps[each.app.id])
            yield _point(facts, point, each.relaxed)


def _undeclared(facts: CharterFacts) -> Iterator[CharterPoint]:
    yield from _of_apps(facts, "undeclared", lambda each: not each.projects)


def _unpresented(facts: CharterFacts) -> Iterator[CharterPoint]:
    yield from _of_apps(facts, "unpresented", lambda each: each.register.presented is None)
    known = facts.config.adminsys
    yield from _of_people(facts, "unpresented", [name for name in known if known[name].charter.presented is None])


def _no_charter(facts: CharterFacts) -> Iterator[CharterPoint]:
    known = facts.config.adminsys
    missing = [name for name in known if known[name].charter.accepted_charter is None]
    yield from _of_people(facts, "no_charter", missing)


def _wrong_server(facts: CharterFacts) -> Iterator[CharterPoint]:
    here = facts.config.coloc.kind
    for each in facts.apps:
        if each.kind and each.kind != here:
            yield _point(facts, CharterPoint("wrong_server", "app", each.app.id, names=(each.kind,)), each.relaxed)


def _several_instances(facts: CharterFacts) -> Iterator[CharterPoint]:
    yield from _doubles(facts, "several_instances", lambda each: "" if each.base in _EMPTY_VESSELS else each.base)


def _same_kind(facts: CharterFacts) -> Iterator[CharterPoint]:
    """Different apps for the same purpose; of one app twice the check before has told."""
    for point in _doubles(facts, "same_kind", lambda each: each.category):
        bases = {each.base for each in services(facts) if each.category == point.subject}
        if len(bases) > 1:
            yield point


def _already_offered(facts: CharterFacts) -> Iterator[CharterPoint]:
    """Once for each service that the association has, with the link."""
    for category, offer in facts.config.charter.already_offered.items():
        apps = [each for each in facts.apps if category in {each.category, each.category.partition("/")[0]}]
        yield from _grouped(facts, "already_offered", category, apps, least=1, link=offer.link)


def _changed_files(facts: CharterFacts) -> Iterator[CharterPoint]:
    for each in facts.apps:
        if each.app.modified_files:
            files = each.app.modified_files
            point = CharterPoint("changed_files", "app", each.app.id, names=files[:20], count=len(files))
            yield _point(facts, point, each.relaxed)


def _mail_without_need(facts: CharterFacts) -> Iterator[CharterPoint]:
    span = facts.config.charter.unused_after

    def is_so(each: AppFacts) -> bool:
        seen = each.watched
        return each.app.mail_allowed and seen is not None and _was_none(seen.mails, seen, span)

    yield from _of_apps(facts, "mail_without_need", is_so)


def _mailboxes(facts: CharterFacts) -> Iterator[CharterPoint]:
    if facts.mailboxes:
        yield CharterPoint("mailboxes", "server", count=facts.mailboxes)


def _no_upgrade(facts: CharterFacts) -> Iterator[CharterPoint]:
    oldest = facts.now - timedelta(seconds=facts.config.charter.no_upgrade_after)
    for each in facts.apps:
        if each.upgraded_at is not None and each.upgraded_at < oldest:
            yield _point(facts, CharterPoint("no_upgrade", "app", each.app.id, since=each.upgraded_at), each.relaxed)


def _unused(facts: CharterFacts) -> Iterator[CharterPoint]:
    span = facts.config.charter.unused_after

    def is_so(each: AppFacts) -> bool:
        seen = each.watched
        return bool(each.app.domain) and seen is not None and _was_none(seen.requests, seen, span)

    yield from _of_apps(facts, "unused", is_so)


def _no_backup(facts: CharterFacts) -> Iterator[CharterPoint]:
    for each in facts.apps:
        left_out = each.app.do_not_backup_data and bool(each.app.data_dir)
        if holds_data(each) and (left_out or not each.is_backed_up):
            yield _point(facts, CharterPoint("no_backup", "app", each.app.id), each.relaxed)


_CHECKS: Mapping[str, Callable[[CharterFacts], Iterator[CharterPoint]]] = {
    "bus_factor": _bus_factor,
    "undeclared": _undeclared,
    "unpresented": _unpresented,
    "no_charter": _no_charter,
    "wrong_server": _wrong_server,
    "several_instances": _several_instances,
    "same_kind": _same_kind,
    "already_offered": _already_offered,
    "changed_files": _changed_files,
    "mail_without_need": _mail_without_need,
    "mailboxes": _mailboxes,
    "no_upgrade": _no_upgrade,
    "unused": _unused,
    "no_backup": _no_backup,
}


def services(facts: CharterFacts) -> list[Service]:
    """The apps of this server, then those of the others."""
    here = [Service(each.app.id, each.app.base_id, each.category) for each in facts.apps]
    return [*here, *facts.elsewhere]


def holds_data(each: AppFacts) -> bool:
    """True when something would be missed."""
    return bool(each.app.folders or each.app.databases)


def _was_none(figure: float | None, watched: Watched, span: float) -> bool:
    """True when nothing was seen within a span; False also when it was not watched for long enough."""
    return watched.days >= span / 86400 * _ENOUGH and figure == 0


def _of_apps(facts: CharterFacts, check: str, is_so: Callable[[AppFacts], bool]) -> Iterator[CharterPoint]:
    for each in facts.apps:
        if is_so(each):
            yield _point(facts, CharterPoint(check, "app", each.app.id), each.relaxed)


def _of_people(facts: CharterFacts, check: str, names: Iterable[str]) -> Iterator[CharterPoint]:
    """How many people, those who are relaxed apart; never who."""
    kinds = Counter(
        replace(_point(facts, CharterPoint(check, "people"), facts.config.adminsys[name].charter.relaxed), count=0)
        for name in names
    )
    for point, number in kinds.items():
        yield replace(point, count=number)


def _doubles(facts: CharterFacts, check: str, group: Callable[[Service], str]) -> Iterator[CharterPoint]:
    found: dict[str, list[Service]] = {}
    for each in services(facts):
        found.setdefault(group(each), []).append(each)
    here = {each.app.id: each for each in facts.apps}
    for subject, members in sorted(found.items()):
        if subject and any(not each.server for each in members):
            ours = [here[each.app] for each in members if not each.server]
            others = tuple(str(each) for each in members if each.server)
            yield from _grouped(facts, check, subject, ours, least=2, others=others)


def _grouped(
    facts: CharterFacts,
    check: str,
    subject: str,
    apps: list[AppFacts],
    *,
    least: int,
    link: str = "",
    others: tuple[str, ...] = (),
) -> Iterator[CharterPoint]:
    """One point for several apps; those that are relaxed are left out while enough others remain."""
    if len(apps) + len(others) < least or not apps:
        return
    point = CharterPoint(check, "service", subject, link=link)
    judged = [(each, _point(facts, point, each.relaxed)) for each in apps]
    still = [(each, judge) for each, judge in judged if not judge.relaxed_until]
    if still and len(still) + len(others) >= least:
        names = (*(each.app.id for each, _ in still), *others)
        yield replace(point, names=names, count=len(names), review_due=any(judge.review_due for _, judge in still))
    else:
        until = min(judge.relaxed_until for _, judge in judged if judge.relaxed_until)
        names = (*(each.app.id for each in apps), *others)
        yield replace(point, names=names, count=len(names), relaxed_until=until)


def _point(facts: CharterFacts, point: CharterPoint, relaxed: Mapping[str, Relaxation]) -> CharterPoint:
    found = relaxed.get(point.check)
    if found is None:
        return point
    if found.review >= facts.today:
        return replace(point, relaxed_until=found.review.isoformat())
    return replace(point, review_due=True)
