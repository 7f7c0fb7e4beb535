"""Alerts that a team's Alertmanager tells us by its webhook: parsed, kept, and judged like our own findings.

What carries our own mark, or is one of our rules for Prometheus, is left out: we tell it ourselves, and a circle would
ring for ever. https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from agent.incidents import Finding, Severity
from agent.rule_table import SPECS
from coloc.config.alertmanager import FromAlertmanager
from coloc.model import Colocation
from coloc.times import iso, parse_iso

FOREIGN = "alertmanager:"
SENT_BY = "coloc-agent"
MOST = 500  # alerts that fire at a time
_NAME = re.compile(r"[^A-Za-z0-9_.:-]")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")
_WHERE = re.compile(r"https?://[!-~]{1,300}")
_LABELS, _LONGEST, _KEPT = ("app", "project", "instance"), 300, timedelta(days=1)
_CRITICAL, _INFO = (
    {"critical", "page", "error", "emergency", "disaster", "high"},
    {"info", "none", "information", "low"},
)


@dataclass(frozen=True, slots=True)
class ForeignAlert:
    """One alert as it stands. `labels`: those that say what it is about; `value`: what the message needs."""

    fingerprint: str
    name: str
    labels: Mapping[str, str]
    severity: Severity
    value: Mapping[str, str]
    firing: bool


def read_webhook(body: bytes, coloc: str) -> tuple[list[ForeignAlert], int]:
    """The alerts of a webhook's body, and how many of it were our own. Raises ValueError with a sentence."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the body is not JSON") from error
    if not isinstance(data, dict) or data.get("version") != "4" or not isinstance(data.get("alerts"), list):
        raise ValueError("the body is not a webhook of Alertmanager, version 4")
    if not all(isinstance(one, dict) for one in data["alerts"]):
        raise ValueError("an alert is not an object")
    found = [one for one in data["alerts"] if not _is_ours(_words(one.get("labels")), coloc)]
    return [_alert(one) for one in found], len(data["alerts"]) - len(found)


def keep(connection: sqlite3.Connection, alerts: Sequence[ForeignAlert], now: datetime) -> int:
    """Write them down in the caller's transaction; returns for how many there was no room."""
    connection.execute("DELETE FROM foreign_alerts WHERE firing = 0 AND seen_at < ?", (iso(now - _KEPT),))
    lost = 0
    for one in alerts:
        known = connection.execute("SELECT 1 FROM foreign_alerts WHERE fingerprint = ?", (one.fingerprint,)).fetchone()
        if known is None and _count(connection) >= MOST:
            lost += 1
            continue
        words = json.dumps(dict(one.labels)), str(one.severity), json.dumps(dict(one.value))
        row = (one.fingerprint, one.name, *words, int(one.firing), iso(now))
        connection.execute("INSERT OR REPLACE INTO foreign_alerts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return lost


def standing(connection: sqlite3.Connection, keys: FromAlertmanager | None, now: datetime) -> tuple[ForeignAlert, ...]:
    """What fires now; what was not said again for `forget_after` does not."""
    if keys is None:
        return ()
    since = now - timedelta(seconds=keys.forget_after)
    rows = connection.execute("SELECT * FROM foreign_alerts WHERE firing = 1 ORDER BY fingerprint").fetchall()
    return tuple(_from_row(row) for row in rows if parse_iso(row["seen_at"]) >= since)


def finding_of(alert: ForeignAlert, colocation: Colocation) -> Finding:
    """What the rules would say: nothing waits, since Alertmanager has waited already."""
    labels = {name: alert.labels[name] for name in _LABELS if name in alert.labels}
    if labels.get("app") in colocation.inventory.apps:
        labels["project"] = colocation.project_of(labels["app"])
    else:  # a word of theirs that names nobody here
        labels.pop("app", None)
        if labels.get("project") not in colocation.projects:
            labels.pop("project", None)
    labels["alert"] = alert.fingerprint
    return Finding(f"{FOREIGN}{alert.name}", tuple(sorted(labels.items())), True, alert.severity, value=alert.value)


def _is_ours(labels: Mapping[str, str], coloc: str) -> bool:
    return labels.get("sent_by") == SENT_BY or (labels.get("alertname") in SPECS and labels.get("coloc") == coloc)


def _alert(one: Mapping[str, Any]) -> ForeignAlert:
    labels, notes = _words(one.get("labels")), _words(one.get("annotations"))
    fingerprint, status = one.get("fingerprint"), one.get("status")
    if not isinstance(fingerprint, str) or not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError("an alert has no fingerprint")
    if status not in ("firing", "resolved"):  # it may be no word, nor even hashable
        raise ValueError("an alert is neither firing nor resolved")
    name = labels.get("alertname", "")
    places = (notes.get("runbook_url"), one.get("generatorURL"))
    where = next((place for place in places if isinstance(place, str) and _WHERE.fullmatch(place)), "")
    value = {"text": notes.get("summary") or notes.get("title") or name or "?", "why": notes.get("description", "")}
    value = {key: text[:_LONGEST] for key, text in (value | {"where": where}).items() if text}
    severity = labels.get("severity", "").lower()
    loud = Severity.CRITICAL if severity in _CRITICAL else Severity.INFO if severity in _INFO else Severity.WARNING
    about = {key: labels[key][:_LONGEST] for key in _LABELS if labels.get(key)}
    return ForeignAlert(fingerprint, _NAME.sub("_", name)[:60] or "_", about, loud, value, status == "firing")


def _words(found: object) -> dict[str, str]:
    """Labels or annotations: names and texts, and nothing else."""
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ValueError("labels and annotations are texts")
    return {name: text.encode("utf-8", "replace").decode() for name, text in found.items()}


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM foreign_alerts WHERE firing = 1").fetchone()[0])


def _from_row(row: sqlite3.Row) -> ForeignAlert:
    labels, value = json.loads(row["labels"]), json.loads(row["value"])
    return ForeignAlert(row["fingerprint"], row["name"], labels, Severity(row["severity"]), value, bool(row["firing"]))
