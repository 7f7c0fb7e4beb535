"""Whether an app may be upgraded with a quiet mind: a fresh proven backup, room, a maintenance declared. Pure.

What fails is told with what to do; what only should be known is told without a judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from agent.sizes import size
from agent.status import AppStatus, Status
from coloc.language import Translate

FRESH = timedelta(hours=24)
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Point:
    """One thing that was looked at. `good` None: only to be known."""

    good: bool | None
    text: str
    to_do: str = ""


@dataclass(frozen=True, slots=True)
class Around:
    """What the daemon does not tell: files of the package that somebody changed, and room on the app's disk."""

    changed: Sequence[str] = ()
    free_bytes: int | None = None


def upgrade_points(
    status: Status, app: AppStatus, around: Around, say: Translate, time: Callable[[datetime], str]
) -> Iterator[Point]:
    """What to know before an upgrade of `app`, what is to be mended first in between."""
    yield _running(app, say)
    yield _backup(status, app, say, time)
    yield _room(app, around, say)
    yield _maintenance(status, app, say)
    if around.changed:
        names = ", ".join(around.changed[:_NAMED]) + (" …" if len(around.changed) > _NAMED else "")
        yield Point(None, say("changed by hand, an upgrade may undo it: {names}").format(names=names))


def _running(app: AppStatus, say: Translate) -> Point:
    if app.up is False:
        return Point(False, say("the app does not run"), f"journalctl -u {app.id} -n 50")
    return Point(app.up, say("the app runs") if app.up else say("whether the app runs is not known"))


def _backup(status: Status, app: AppStatus, say: Translate, time: Callable[[datetime], str]) -> Point:
    proven = [(each.last_proven_at, each.host) for each in status.backups if each.app == app.id and each.last_proven_at]
    if not proven:
        return Point(False, say("no backup of it was ever proven"), f"coloc-agent backup {app.id}")
    at, host = max(proven)
    if status.at - at > FRESH:
        text = say("its last proven backup is old: {time} ({host})").format(time=time(at), host=host)
        return Point(False, text, f"coloc-agent backup {app.id}")
    return Point(True, say("proven backup: {time} ({host})").format(time=time(at), host=host))


def _room(app: AppStatus, around: Around, say: Translate) -> Point:
    if around.free_bytes is None or app.disk_bytes is None:
        return Point(None, say("whether there is room is not known"))
    needed = int(app.disk_bytes + (app.database_bytes or 0))
    words = say("free: {free}; the app and its copy before the upgrade: {needed}")
    text = words.format(free=size(around.free_bytes), needed=size(needed))
    return Point(around.free_bytes > needed, text, say("make room first: coloc-agent apps"))


def _maintenance(status: Status, app: AppStatus, say: Translate) -> Point:
    for one in status.maintenances:
        if one.ended_at is None and one.about in {"", app.id, app.project}:
            return Point(True, say("maintenance declared: M{id} {title}").format(id=one.id, title=one.title))
    what = f'coloc-agent maintenance declare "…" --app {app.id} --for 1h --by NAME'
    return Point(None, say("no maintenance is declared"), what)
