"""Whether mail and the webhook speak of an incident: last resorts, for what Matrix does not take. Writes nothing.

The rules, in plain sentences:
* Matrix does not take our words when the oldest one for a room waits longer than the channel's `after`, and was tried;
* then a last resort tells the incidents that would ring in that room and whose word still waits, unless somebody took
  them on; that messages for Matrix wait is told by it as well;
* with `always`, or without Matrix, it tells every incident;
* whoever heard of an incident there hears that it is over. Worse or older is told only while Matrix is still silent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta

from agent import told_store
from agent.incidents import Change, Incident, Phase
from agent.loudness import Loudness
from agent.told_store import Place
from coloc import outbox
from coloc.config.channels import LAST_RESORTS
from coloc.config.whole import Config
from coloc.outbox import Kind


def last_resorts_for(
    connection: sqlite3.Connection,
    config: Config,
    incident: Incident,
    loudness: Loudness,
    told: Mapping[str, Place],
    *,
    now: datetime,
) -> list[str]:
    """The last resorts that tell an incident at this stage, when nobody heard of it there yet."""
    found = []
    for name in LAST_RESORTS:
        keys = getattr(config.channels, name)
        if keys is None or name in told or not config.reaches("alert"):
            continue
        if keys.always or config.channels.matrix is None:
            found.append(name)
        elif incident.phase is Phase.FIRING and loudness is Loudness.RINGS and not incident.acked_by:
            after = timedelta(seconds=keys.after)
            if _is_of_matrix(incident) or _waits(connection, config, incident, told.get("matrix"), now - after):
                found.append(name)
    return found


def says_more(
    connection: sqlite3.Connection, config: Config, place: Place, change: Change, now: datetime, *, rings: bool
) -> bool:
    """True when a change of what a last resort told is told there as well. `rings`: it would in Matrix."""
    if change is Change.RESOLVED:
        return True
    keys, matrix = getattr(config.channels, place.channel), config.channels.matrix
    if not rings or change not in {Change.WORSE, Change.ESCALATED} or keys is None:
        return False
    rooms = {matrix.room, *(project.room for project in config.projects.values() if project.room)} if matrix else set()
    since = now - timedelta(seconds=keys.after)
    return keys.always or not rooms or any(outbox.stalled(connection, "matrix", room, since) for room in rooms)


def _is_of_matrix(incident: Incident) -> bool:
    return incident.rule == "messages_waiting" and dict(incident.labels).get("channel") == "matrix"


def _waits(
    connection: sqlite3.Connection, config: Config, incident: Incident, place: Place | None, since: datetime
) -> bool:
    """True when its room is silent and the word about it is among those that wait, or is only about to be written."""
    room = place.target if place is not None else room_of(config, incident)
    if not outbox.stalled(connection, "matrix", room, since):
        return False
    if place is None:
        return True
    waiting = outbox.carriers(connection, place.about)
    loud = any(row.kind is Kind.NEW or row.message.rings for row in waiting)
    return loud or (bool(waiting) and not told_store.is_heard(connection, incident.id, place))


def room_of(config: Config, incident: Incident) -> str:
    """The room of Matrix where an incident is told: its project's when it has one, else the machine's."""
    project = config.projects.get(dict(incident.labels).get("project", ""))
    room = project.room if project else None
    return room or (config.channels.matrix.room if config.channels.matrix else "")
