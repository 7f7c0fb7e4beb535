"""What a project or an app uses of a quota's resource now: the same figures as /metrics. None is "not measured"."""

from __future__ import annotations

from collections.abc import Mapping

from agent.observation import Observation
from agent.quota_agreements import Agreement
from coloc.config.whole import Config

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
_GAUGES = {"files": "disk_files", "database_connections": "database_connections"}
_RATES = {"io": ("disk_read_bytes_total", "disk_written_bytes_total"), "network": ("web_bytes_total",)}
_MAILS = "mail_messages_total"
_COUNTED = {"mail_per_hour": _HOUR, "mail_per_day": _DAY}


def used(observation: Observation, agreement: Agreement) -> float | None:
    """The use of one agreed resource."""
    kind, name = ("app", agreement.app) if agreement.app else ("project", agreement.project)
    figures = observation.usage.apps if agreement.app else observation.usage.projects
    known = figures.get(name)
    found = known.of(agreement.resource) if known else None
    return _read(observation, kind, name, agreement.resource) if found is None else found


def _read(observation: Observation, kind: str, name: str, resource: str) -> float | None:
    readings = observation.readings
    if resource in _GAUGES:
        found = [value for _, value in readings.now(f"coloc_{kind}_{_GAUGES[resource]}", **{kind: name})]
        return sum(found) if found else None
    if resource in _RATES:
        rates = [
            rate
            for counter in _RATES[resource]
            for _, rate in readings.per_second(f"coloc_{kind}_{counter}", _MINUTE, **{kind: name})
        ]
        known = [rate for rate in rates if rate is not None]
        return sum(known) if rates and len(known) == len(rates) else None
    if resource in _COUNTED and readings.knows("coloc_mail_open"):
        # After a start the span begins anew: the figure says less than the whole until it is over, never more.
        return sum(
            grown for _, grown in readings.increase(f"coloc_{kind}_{_MAILS}", _COUNTED[resource], **{kind: name})
        )
    return None


def quota_spans(config: Config) -> Mapping[str, float]:
    """Which counters are to be remembered for the limits of coloc.yml, and for how long."""
    spans: dict[str, float] = {}
    for kind, blocks in (("project", config.projects), ("app", config.apps)):
        for resource in {resource for block in blocks.values() for resource, _ in block.quotas.limits()}:
            for counter in _RATES.get(resource, ()):
                spans[f"coloc_{kind}_{counter}"] = _MINUTE
            if resource in _COUNTED:
                name = f"coloc_{kind}_{_MAILS}"
                spans[name] = max(spans.get(name, 0.0), _COUNTED[resource])
    return spans
