"""Turns a Status into the lines that `status` and `alerts` print. Pure; text from outside is made harmless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from agent.page.figures import percent
from agent.page.words import FRENCH as PAGE_FRENCH
from agent.page.words import MAINTENANCE_PHASES
from agent.status import AppStatus, BackupStatus, IncidentStatus, Status
from agent.terminal import bad, columns, good, harmless, heading
from agent.why_quiet import why_quiet
from coloc.times import for_people

FRENCH: Mapping[str, str] = {
    "apps running": "apps en marche",
    "not measured": "non mesuré",
    "No backup host": "Aucun hôte de sauvegarde",
    "backed up": "sauvegardées",
    "newest": "la plus récente",
    "oldest": "la plus ancienne",
    "Collectors": "Collecteurs",
    "all well": "tous en ordre",
    "Messages that wait": "Messages en attente",
    "No open incident": "Aucun incident en cours",
    "To take one on": "Pour en prendre un en charge",
    "since": "depuis",
}


class Glance:
    """The parts of what is printed, for one status and one reader."""

    def __init__(self, status: Status, language: str) -> None:
        self._status, self._language, self._zone = status, language, ZoneInfo(status.timezone)

    def _(self, text: str) -> str:
        if self._language != "fr":
            return text
        return FRENCH.get(text) or PAGE_FRENCH.get(text) or harmless(text)

    def _time(self, moment: datetime | None) -> str:
        return for_people(moment, self._zone) if moment else self._("never")

    def everything(self) -> list[str]:
        """One glance: what `coloc-agent status` prints."""
        status = self._status
        kind, stage = harmless(status.kind), harmless(status.stage)
        first = f"{heading(harmless(status.coloc))} ({kind}) · {self._('Stage')}: {heading(stage)}"
        lines = [f"{first} · {self._('measured at')} {self._time(status.at)}"]
        lines += [
            *self.apps(),
            *self.backups(),
            *self.incidents(),
            *self.maintenances(open_only=True),
            *self.collectors(),
        ]
        return lines + [f"  {harmless(spot)}" for spot in status.blind_spots]

    def apps(self) -> list[str]:
        """How many run, and those that do not."""
        apps = self._status.apps
        running = sum(app.up is True for app in apps)
        known = sum(app.up is not None for app in apps)
        count = f"{running}/{known} {self._('apps running')}"
        counts = [good(count) if running == known else bad(count)] if known else []
        counts += [f"{len(apps) - known} {self._('not measured')}"] if known < len(apps) else []
        lines = [f"{self._('Apps')}: {', '.join(counts) or '0'}"]
        return lines + columns([self._app(app) for app in apps if app.up is False or app.state != "ok"])

    def _app(self, app: AppStatus) -> list[str]:
        state = self._({True: "running", False: "down", None: "unknown"}[app.up])
        state += "" if app.state == "ok" else f", {self._(app.state)}"
        return [harmless(app.id), harmless(app.label), bad(state), harmless("; ".join(app.problems[:3]))]

    def backups(self) -> list[str]:
        """The last word of each backup host."""
        if not self._status.hosts:
            return [f"{self._('Backups')}: {self._('No backup host')}"]
        rows = [self._host(host) for host in self._status.hosts]
        failed = [backup for backup in self._status.backups if not backup.ok and backup.last_try_at]
        return [f"{self._('Backups')}:", *columns(rows), *columns([self._failure(backup) for backup in failed])]

    def _host(self, host: str) -> list[str]:
        done = [item.last_success_at for item in self._status.backups if item.host == host and item.last_success_at]
        count = f"{len(done)}/{len(self._status.apps)} {self._('backed up')}"
        proven = [item.last_proven_at for item in self._status.backups if item.host == host and item.last_proven_at]
        return [
            harmless(host),
            good(count) if done and len(done) >= len(self._status.apps) else bad(count),
            f"{self._('newest')} {self._time(max(done, default=None))}",
            f"{self._('oldest')} {self._time(min(done, default=None))}",
            f"{self._('Proven')} {self._time(max(proven, default=None))}",
            self._drills(host),
        ]

    def _drills(self, host: str) -> str:
        """How many apps a drill proved whole there, how many in part, how many it did not."""
        drills = [item.drill for item in self._status.backups if item.host == host and item.drill]
        whole = sum(drill.whole_at is not None for drill in drills)
        parts = [percent(drill.ratio) for drill in drills if drill.ratio is not None and drill.ratio < 1]
        failed = sum(not drill.ok for drill in drills)
        worse = bad(f"{failed} {self._('failed')}")
        told = f"{self._('drill')}: {whole} {self._('whole')}"
        told += f", {len(parts)} {self._('a part')} ({', '.join(parts[:5])})" if parts else ""
        return f"{told}, {worse}" if failed else told

    def _failure(self, backup: BackupStatus) -> list[str]:
        return [f"{harmless(backup.app)} → {harmless(backup.host)}", bad(self._("failed")), harmless(backup.failure)]

    def incidents(self) -> list[str]:
        """What is open, and how to take it on."""
        if not self._status.open_incidents:
            return [f"{self._('Incidents')}: {good(self._('No open incident'))}", *self.silences()]
        lines = [f"{self._('Open incidents')}:"]
        lines += columns([self._incident(incident) for incident in self._status.open_incidents])
        return [*lines, f"  {self._('To take one on')}: coloc-agent alerts ack ID --by NAME", *self.silences()]

    def silences(self) -> list[str]:
        """What people asked to keep quiet, with the number that lifts it; nothing when there is none."""
        rows = [
            [
                str(each.id),
                harmless(each.covers) or self._("everything"),
                f"{self._('until')} {self._time(each.ends_at)}",
                f"{self._('by')} {harmless(each.by)}",
                harmless(each.why),
            ]
            for each in self._status.silences
        ]
        return [f"{self._('Silences')}:", *columns(rows)] if rows else []

    def maintenances(self, *, open_only: bool = False) -> list[str]:
        """What is planned or worked on, and the last ones that are over; nothing when there is none."""
        rows = [
            [
                f"M{each.id}",
                bad(self._(MAINTENANCE_PHASES[each.phase]))
                if each.phase == "overrun"
                else self._(MAINTENANCE_PHASES[each.phase]),
                harmless(each.title),
                harmless(each.about) or self._("the whole server"),
                f"{self._time(each.started_at or each.begins_at)} → {self._time(each.ended_at or each.ends_at)}",
                f"{self._('by')} {harmless(each.by)}",
                f"{self._('still broken')}: {harmless('; '.join(each.broken[:3]))}" if each.broken else "",
            ]
            for each in self._status.maintenances
            if each.ended_at is None or not open_only
        ]
        return [f"{self._('Maintenances')}:", *columns(rows)] if rows else []

    def past(self, incidents: Sequence[IncidentStatus]) -> list[str]:
        """Incidents with those that are over: from when to when, how it stands, who looked after it."""
        return columns([self._past(incident) for incident in incidents]) or [self._("No incident so far")]

    def _past(self, incident: IncidentStatus) -> list[str]:
        over = incident.resolved_at
        until = f"→ {self._time(over)}" if over else bad(self._(incident.phase))
        why = ", ".join(why_quiet(incident, self._, self._time, harmless))
        return [
            f"#{incident.id}",
            self._(incident.severity) if over else bad(self._(incident.severity)),
            harmless(incident.title),
            self._time(incident.fired_at),
            until,
            why,
        ]

    def _incident(self, incident: IncidentStatus) -> list[str]:
        state = f"{self._('since')} {self._time(incident.fired_at)}"
        state = ", ".join([state, *why_quiet(incident, self._, self._time, harmless)])
        return [f"#{incident.id}", bad(self._(incident.severity)), harmless(incident.title), state]

    def collectors(self) -> list[str]:
        """Those that cannot measure, and messages that did not leave yet."""
        broken = [[harmless(name), bad(harmless(why))] for name, why in self._status.collectors.items() if why]
        lines = [f"{self._('Collectors')}: {good(self._('all well')) if not broken else ''}".rstrip(), *columns(broken)]
        waiting = [f"{harmless(channel)}: {count}" for channel, count in self._status.outbox.items() if count]
        return lines + ([f"{self._('Messages that wait')}: {', '.join(waiting)}"] if waiting else [])
