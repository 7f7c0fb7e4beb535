"""All logs that are there, counted once and from their beginning: what `coloc-agent logs` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.mail import MailCollector
from collectors.mail_queue import BOUNCED, DEFERRED, EXPIRED, MESSAGES, RECIPIENTS, SENT
from collectors.web import WebCollector
from collectors.web_lines import BYTES, CLASSES
from coloc.config.whole import Config
from coloc.inventory.declared import with_declared
from coloc.inventory.projects import colocation
from coloc.inventory.yunohost import read_inventory
from coloc.model import Colocation
from coloc.times import now_utc

_MAIL = {"messages": MESSAGES, "recipients": RECIPIENTS, "sent": SENT, "deferred": DEFERRED, "bounced": BOUNCED}


@dataclass(frozen=True, slots=True)
class Counted:
    """Rows of figures by app, as the collectors have them; what could not be seen, a sentence each."""

    web: Mapping[str, list[float]]
    mail: Mapping[str, list[float]]
    unseen: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values. Classes without a request, and `expired` where nothing did, are left out."""
        return {
            "access_log": {app: _web(row) for app, row in self.web.items()},
            "mail_log": {app: _mail(row) for app, row in self.mail.items()},
        }

    def as_table(self) -> str:
        """For people."""
        lines = [f"{'APP':24} {'REQUESTS':>10} {'BYTES':>16} {'MAILS':>8} {'RECIPIENTS':>10}"]
        for app in sorted({*self.web, *self.mail}):
            web, mail = _web(self.web.get(app)), _mail(self.mail.get(app))
            lines.append(
                f"{app:24} {web['requests']:>10} {web['bytes']:>16} {mail['messages']:>8} {mail['recipients']:>10}"
            )
        return "\n".join(lines)


def count_once(config: Config | None, root: Path | None) -> Counted:
    """Read the apps, then every log of theirs, to the end."""
    folder = root or (config.root if config else Path("/"))
    inventory = read_inventory(folder)
    found = (
        colocation(config, with_declared(inventory, config.apps, folder)) if config else Colocation(inventory, (), {})
    )
    web, mail = WebCollector(folder, whole=True), MailCollector(folder, whole=True)
    for collector in (web, mail):
        collector.read_to_the_end(found, now_utc())
    return Counted(web.counts(), mail.counts(), (*web.limits(), *mail.limits()))


def _web(row: list[float] | None) -> dict[str, Any]:
    classes = [int(item) for item in row[1 : 1 + len(CLASSES)]] if row else []
    status = {name: count for name, count in zip(CLASSES, classes, strict=False) if count}
    return {"requests": sum(classes), "bytes": int(row[BYTES]) if row else 0, "status": status}


def _mail(row: list[float] | None) -> dict[str, int]:
    figures = {name: int(row[place]) if row else 0 for name, place in _MAIL.items()}
    if row and row[EXPIRED]:
        figures["expired"] = int(row[EXPIRED])
    return figures
