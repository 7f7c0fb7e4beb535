"""The marks of the open incidents: what follows from what, and how loudly each may be told now. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from agent.aged import aged
from agent.incidents import Change, Incident, Phase
from agent.inhibition import causes
from agent.loudness import is_night, loudness
from agent.rule_table import concern_of
from agent.service_level import service_of
from agent.silences import Silence, is_silenced
from agent.telling import Tidings
from coloc.config.whole import Config
from coloc.model import Colocation


@dataclass(frozen=True, slots=True)
class Marker:
    """What marks depend on, at one moment."""

    config: Config
    colocation: Colocation
    silences: Sequence[Silence]
    now: datetime

    def marked(self, is_open: Iterable[Incident], just_over: Iterable[Incident]) -> list[Incident]:
        """The open incidents with the number of their cause, and how many follow from each."""
        incidents = list(is_open)
        found = causes(incidents, just_over, self.colocation, self.now)
        count = Counter(found[each.key] for each in incidents if each.key in found and each.phase is not Phase.PENDING)
        return [replace(each, cause=found.get(each.key, 0), followers=count[each.id]) for each in incidents]

    def tidings(self, incidents: Iterable[Incident], changes: Mapping[int, Change]) -> list[Tidings]:
        """Each incident with what changed of it and how loudly it may be told."""
        night = is_night(self.now, self.config.quiet_hours, self.config.zone)
        return [self._tidings(each, changes.get(each.id), night=night) for each in incidents]

    def _tidings(self, incident: Incident, change: Change | None, *, night: bool) -> Tidings:
        labels = dict(incident.labels)
        level = loudness(
            incident,
            concern_of(incident.rule, labels),
            service_of(self.config, labels.get("app", "")),
            self.now,
            night=night,
            silenced=is_silenced(incident, self.silences, self.now),
        )
        grew_old = level.is_heard and not incident.escalated and any(aged([incident], self.now))
        return Tidings(incident, change or (Change.ESCALATED if grew_old else None), level)
