"""Incidents as Alertmanager takes them, in the form of its `POST /api/v2/alerts`. Pure.

Alertmanager forgets an alert at its `endsAt`: what is open is posted again and again with an end a few turns ahead, so
that an agent that is gone leaves nothing firing for ever; what is over is posted with its real end for a while.
https://prometheus.io/docs/alerting/latest/alerts_api/
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.foreign_alerts import FOREIGN, SENT_BY
from agent.incidents import Incident
from agent.rule_table import SPECS
from agent.telling import incident_text
from alerts.messages import incident_message, incident_title
from coloc.config.whole import Config
from coloc.times import iso

OVER_FOR = timedelta(minutes=15)  # so long an end is repeated: Alertmanager may have been down meanwhile
MOST = 1000
_TURNS = 4
_QUIET = frozenset({"silenced", "inhibited"})
_LONGEST = 4000  # characters


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Its labels are who it is; `lasts`: the condition holds, and `ends_at` is not known."""

    incident: int
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    starts_at: datetime
    ends_at: datetime | None

    @property
    def lasts(self) -> bool:
        """True while it is not over."""
        return self.ends_at is None


def alerts_of(
    incidents: Iterable[Incident], config: Config, now: datetime, posted: Collection[Alert] = ()
) -> list[Alert]:
    """One alert for each incident that fired; one that began silenced or inhibited stays away until that is over.

    What an Alertmanager told us is not told to it again. The night is no reason: Alertmanager has its own
    (`mute_time_intervals`). `posted`: what it was told last; that somebody silenced an incident of those here does not
    end it there.
    """
    before = {each.incident for each in posted}
    heard = (one for one in incidents if one.fired_at is not None and not one.rule.startswith(FOREIGN))
    return [_alert(one, config, now) for one in heard if one.held not in _QUIET or one.id in before][:MOST]


def body_of(alerts: Iterable[Alert], before: Iterable[Alert], now: datetime, every: float) -> list[Mapping[str, Any]]:
    """What is posted. `before`: what was posted last; one that is not there any more (it grew worse: its severity is
    a label) ends now. Times are in order whatever the clock did, since Alertmanager refuses others."""
    alerts = list(alerts)
    known = {each.labels for each in alerts}
    gone = [each for each in before if each.lasts and each.labels not in known]
    until = now + timedelta(seconds=every * _TURNS)
    posted = [_posted(each, until if each.lasts else min(each.ends_at or now, now)) for each in alerts]
    return [*posted, *(_posted(each, now) for each in gone)]


def _posted(alert: Alert, ends_at: datetime) -> Mapping[str, Any]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": iso(min(alert.starts_at, ends_at)),
        "endsAt": iso(ends_at),
    }


def _alert(incident: Incident, config: Config, now: datetime) -> Alert:
    text, language = incident_text(incident, now), config.coloc.language
    labels = {
        **{name: value[:_LONGEST] for name, value in incident.labels if value},
        "alertname": incident.rule,
        "coloc": config.coloc.name,
        "severity": str(incident.loudest or incident.severity),
        "incident": str(incident.id),
        "sent_by": SENT_BY,
    }
    annotations = {
        "summary": incident_title(text, language, config.zone)[:_LONGEST],
        "description": incident_message(text, language, config.zone).text[:_LONGEST],
    }
    spec = SPECS.get(incident.rule)
    if spec is not None:
        annotations["runbook_url"] = spec.runbook
    starts_at = min(incident.fired_at or incident.pending_since, now)
    return Alert(
        incident.id, tuple(sorted(labels.items())), tuple(annotations.items()), starts_at, incident.resolved_at
    )
