"""Mail that each app sent: messages, recipients and how it went, from postfix's log.

Mail that comes in, and mail between postfix's own programs, is nobody's here. Marks and counts are kept together.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.app_counters import AppCounters
from collectors.labels import OTHER
from collectors.log_folder import LogFolder
from collectors.mail_lines import parse
from collectors.mail_queue import (
    BOUNCED,
    DEFERRED,
    EXPIRED,
    FIGURES,
    MESSAGES,
    RECIPIENTS,
    SENT,
    MailQueue,
    Senders,
)
from collectors.ownership import UserIds, ownership, user_ids_below
from collectors.paths import below
from collectors.shares import project_label
from coloc.memory import ForgetfulMemory, Memory
from coloc.model import Colocation

_FOLDER = "/var/log"
_LOG = "mail.log"
_MOST_LOOKS = 100_000
_KEY = "mail"
_LOOK_BYTES = 32 << 20
_NO_APPS = ("_system", "_user", "_unattributed", OTHER)
_OUTCOMES = {"sent": SENT, "deferred": DEFERRED, "bounced": BOUNCED, "expired": EXPIRED}


class MailCollector:
    """Read what postfix has logged since the last look."""

    name = "mail"
    deadline_seconds = 60.0

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        interval_seconds: float = 15.0,
        memory: Memory | None = None,
        user_ids: UserIds | None = None,
        whole: bool = False,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._root, self._memory, self._whole = root, memory or ForgetfulMemory(), whole
        self._user_ids = user_ids or user_ids_below(root)
        self._counters = AppCounters(FIGURES)
        self._queue = MailQueue(self._counters.row)
        self._log: LogFolder | None = None
        self._senders = Senders({}, {}, {})
        self._senders_of: Colocation | None = None

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:
        """Count what is new. Nothing is said before all that an earlier process had counted is counted again."""
        log = self._log = self._log or self._begin()
        if colocation is not self._senders_of:
            self._senders, self._senders_of = senders_of(colocation, self._user_ids), colocation
        moment = int(now.timestamp())
        try:
            for _, lines in log.look(from_start=self._whole):
                self._count(lines, moment)
        except FileNotFoundError:
            return
        self._queue.forget_old(moment)
        self._counters.share_out(colocation)
        self._remember(log)
        if log.caught_up and log.followed:
            yield from self._families(colocation)

    def read_to_the_end(self, colocation: Colocation, now: datetime) -> None:
        """Look until all that is there was read."""
        for _ in range(_MOST_LOOKS):
            list(self.collect(colocation, now))
            if self._log is None or self._log.caught_up or not self._log.followed:
                return

    def limits(self) -> tuple[str, ...]:
        """What cannot be measured from here."""
        if self._log is not None and self._log.refused:
            return ("postfix's log cannot be read, so mail is unknown: set SupplementaryGroups=adm in its unit",)
        return ()

    def counts(self) -> Mapping[str, list[float]]:
        """App → its figures, by the places in `mail_queue`."""
        return {app: row for app, row in self._counters.rows.items() if any(row)}

    def _count(self, lines: bytes, moment: int) -> None:
        for line in lines.split(b"\n"):
            if b"postfix" in line:
                event = parse(line)
                if event is not None:
                    self._queue.take(event, self._senders, moment)

    def _begin(self) -> LogFolder:
        log = LogFolder(below(self._root, _FOLDER), _LOG, most_logs=1, look_bytes=_LOOK_BYTES, only=_LOG)
        try:
            saved = json.loads(self._memory.get(_KEY) or "null")
        except ValueError:
            saved = None
        if isinstance(saved, dict):
            self._counters.restore(saved.get("counts"))
            self._queue.restore(saved.get("queue"))
            log.restore(saved.get("marks"))
        return log

    def _remember(self, log: LogFolder) -> None:
        saved = {"marks": log.marks(), "counts": self._counters.to_json(), "queue": self._queue.to_json()}
        self._memory.put(_KEY, json.dumps(saved, separators=(",", ":")))

    def _families(self, colocation: Colocation) -> Iterator[Metric]:
        names = ["app", "project"]
        messages = CounterMetricFamily("coloc_app_mail_messages", "Mails sent off.", labels=names)
        recipients = CounterMetricFamily("coloc_app_mail_recipients", "Recipients of these mails.", labels=names)
        results = CounterMetricFamily(
            "coloc_app_mail_deliveries", "Recipients, by how it went.", labels=["app", "project", "result"]
        )
        for app, row in sorted(self._counters.rows.items()):
            if app not in colocation.inventory.apps and app not in _NO_APPS:
                continue
            label = project_label(colocation, app)
            messages.add_metric([app, label], row[MESSAGES])
            recipients.add_metric([app, label], row[RECIPIENTS])
            for result, place in _OUTCOMES.items():
                results.add_metric([app, label, result], row[place])
        yield from (messages, recipients, results)
        messages = CounterMetricFamily("coloc_project_mail_messages", "Mails; by shares.", labels=["project"])
        for project, row in sorted(self._counters.projects.items()):
            messages.add_metric([project], row[MESSAGES])
        yield messages
        yield GaugeMetricFamily("coloc_mail_open", "Mails under way.", value=len(self._queue.open))
        yield CounterMetricFamily("coloc_mail_forgotten", "Mails lost sight of: too many.", value=self._queue.dropped)


def senders_of(colocation: Colocation, user_ids: UserIds) -> Senders:
    """Who sends as what. A domain of one app only is that app's; not the main domain, where the system sends too."""
    inventory = colocation.inventory
    owners: dict[str, set[str]] = defaultdict(set)
    for app in inventory.apps.values():
        for domain in {app.domain, *(url.partition("/")[0] for url in app.urls)} - {None, ""}:
            owners[str(domain).lower()].add(app.id)
    owners.pop(str(inventory.main_domain).lower(), None)
    domains = {domain: next(iter(apps)) for domain, apps in owners.items() if len(apps) == 1}
    return Senders({app: app for app in inventory.apps}, ownership(colocation, user_ids).uid_app, domains)
