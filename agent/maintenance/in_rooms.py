"""What somebody who may asks for after `!maintenance`, done at the desk, and the answer to it."""

from __future__ import annotations

from datetime import datetime

from agent.commands_in_rooms import may_in
from agent.maintenance.desk import Desk
from agent.maintenance.plan import Maintenance, Trouble
from agent.maintenance.wishes import MaintenanceWish, understand_maintenance
from alerts import answers
from coloc.config.whole import Config
from coloc.outbox import Message


def maintenance_answer(config: Config, desk: Desk, text: str, person: str, language: str) -> Message:
    """Do it, within the evaluator's transaction; what a person may not, or cannot, is told instead."""
    wish = understand_maintenance(text, desk.now, config.zone)
    if wish.verb == "list":
        lines = [(f"M{one.id} {one.title}", one.started_at or one.begins_at, one.ends_at) for one in desk.open_ones()]
        return answers.maintenances(lines, language, config.zone)
    if not wish.verb:
        return answers.answer("maintenance how", language, zone=config.zone)
    done = _declare(config, desk, wish, person) if wish.verb == "declare" else _ask(config, desk, wish, person)
    if isinstance(done, str):
        return answers.answer(f"maintenance {done}", language, zone=config.zone, id=wish.number, name=wish.about)
    which = "declared" if wish.verb == "declare" else wish.verb
    time: datetime = done.begins_at if wish.verb == "declare" else done.ends_at
    return answers.answer(f"maintenance {which}", language, zone=config.zone, time=time, id=done.id)


def _declare(config: Config, desk: Desk, wish: MaintenanceWish, person: str) -> Maintenance | str:
    scope = desk.scope(wish.about)
    if scope is None:
        return "what"
    app, project = scope
    if not may_in(config, person, desk.project_of(app, project)):
        return "not yours"
    return _told(desk.declare(wish.title, person, wish.begins_at or desk.now, wish.span, app=app, project=project))


def _ask(config: Config, desk: Desk, wish: MaintenanceWish, person: str) -> Maintenance | str:
    one = desk.find(wish.number)
    if one is None:
        return "over"
    if not may_in(config, person, desk.project_of(one.app, one.project)):
        return "not yours"
    return _told(desk.ask(one.id, wish.verb, wish.span))


def _told(done: Maintenance | Trouble) -> Maintenance | str:
    return str(done) if isinstance(done, Trouble) else done
