"""Silences that people ask for ahead: what they cover, from when to when. None is without an end.

They change what is said, never what is seen. An incident that is silenced by itself carries its own mark.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from agent.incidents import MAX_SILENCE, Incident
from coloc.times import iso, parse_iso

LABELS = ("app", "project", "host", "filesystem")


@dataclass(frozen=True, slots=True)
class Silence:
    """One silence. `rule` "" covers every rule; each label must be as the pattern says (`wordpress*`)."""

    begins_at: datetime
    ends_at: datetime
    by: str
    rule: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    id: int = 0
    maintenance: int = 0  # the number of the maintenance that keeps it quiet, which is no silence that anybody lifts

    def is_on(self, now: datetime) -> bool:
        """True while it lasts; one that would last longer than can be asked for is of a clock that was ahead."""
        return self.begins_at <= now < self.ends_at <= now + MAX_SILENCE + timedelta(hours=1)

    def covers(self, incident: Incident) -> bool:
        """True when the incident is among what it keeps quiet."""
        labels = dict(incident.labels)
        return (not self.rule or fnmatchcase(incident.rule, self.rule)) and all(
            name in labels and fnmatchcase(labels[name], pattern) for name, pattern in self.labels.items()
        )

    @property
    def scope(self) -> str:
        """What it covers, as people write it: `app=wiki rule=app_down`; "" is everything."""
        parts = [f"{name}={pattern}" for name, pattern in self.labels.items()]
        return " ".join([*parts, *([f"rule={self.rule}"] if self.rule else [])])


def covering(incident: Incident, silences: Iterable[Silence], now: datetime) -> Silence | None:
    """Of those that last and cover it, the one that ends last."""
    lasting = [silence for silence in silences if silence.is_on(now) and silence.covers(incident)]
    return max(lasting, key=lambda silence: silence.ends_at, default=None)


def is_silenced(incident: Incident, silences: Iterable[Silence], now: datetime) -> bool:
    """True when one that lasts covers it."""
    return covering(incident, silences, now) is not None


def known(connection: sqlite3.Connection, now: datetime) -> list[Silence]:
    """The silences that are not over, in the order in which they were asked for."""
    rows = connection.execute("SELECT * FROM silences WHERE ends_at > ? ORDER BY id", (iso(now),))
    return [
        Silence(
            parse_iso(row["begins_at"]),
            parse_iso(row["ends_at"]),
            row["by"],
            row["rule"],
            json.loads(row["labels"]),
            row["why"],
            row["id"],
        )
        for row in rows
    ]


def add(connection: sqlite3.Connection, silence: Silence) -> None:
    """Remember one, inside the caller's transaction."""
    connection.execute(
        "INSERT INTO silences (rule, labels, begins_at, ends_at, by, why) VALUES (?, ?, ?, ?, ?, ?)",
        (
            silence.rule,
            json.dumps(dict(silence.labels)),
            iso(silence.begins_at),
            iso(silence.ends_at),
            silence.by,
            silence.why,
        ),
    )


def end(connection: sqlite3.Connection, number: int, now: datetime) -> bool:
    """End one now; False when none of that number lasts."""
    done = connection.execute(
        "UPDATE silences SET ends_at = ? WHERE id = ? AND ends_at > ?", (iso(now), number, iso(now))
    )
    return done.rowcount > 0
