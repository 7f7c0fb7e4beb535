"""What people read: an incident, or a digest of many, as text and HTML in their language. Pure.

Each message says what happened, since when, and what to do; nothing from outside goes in unneutralised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from alerts.measured_words import CUSTOM, FOREIGN, MEASURED
from alerts.plain import plain
from alerts.reasons import in_language
from alerts.words import Words, n_
from coloc.language import Translate, translator
from coloc.outbox import Message
from coloc.times import for_people


@dataclass(frozen=True, slots=True)
class IncidentText:
    """The facts of an incident that a message needs. `value`: the rule's figures and names, from outside."""

    id: int
    rule: str
    labels: Mapping[str, str]
    severity: str  # info | warning | critical
    phase: str  # firing | clearing | resolved
    since: datetime
    until: datetime | None = None
    value: Mapping[str, str] = field(default_factory=dict)
    acked_by: str = ""
    silenced_until: datetime | None = None
    unstable: bool = False  # it comes and goes
    followers: int = 0  # what follows from it and keeps quiet


RULES: Mapping[str, Words] = {
    "app_down": Words(
        n_("{label} ({app}) is down"),
        n_("Units: {units}"),
        n_("Look at its log: journalctl -u {app} -n 50; then: systemctl restart {app}"),
    ),
    "collector_failing": Words(
        n_("The collector {collector} cannot measure"),
        n_("It says: {error}"),
        n_("Its figures are old and their rules are blind; see: journalctl -u coloc-agent"),
    ),
    "host_unreachable": Words(
        n_("No backup can go to {host}"),
        n_("It says: {why}"),
        n_("Mend it, or tell who keeps that host; the others go on. Try again: coloc-agent backup --host {host}"),
    ),
    "backup_failed": Words(
        n_("The backup of {app} to {host} failed"),
        n_("It says: {why}"),
        n_("Mend it, then: coloc-agent backup {app} --host {host}"),
    ),
    "backup_late": Words(
        n_("{app} has no recent backup at {host}"),
        n_("Last good backup: {last}"),
        n_("Try it now: coloc-agent backup {app} --host {host}"),
    ),
    "backup_shrunk": Words(
        n_("The last backup of {app} to {host} is much smaller than before"),
        n_("It holds {percent} % of the largest of the three before"),
        n_("Was something deleted? Look at what changed: coloc-agent archives {app}"),
    ),
    "host_nearly_full": Words(
        n_("The backup host {host} is nearly full"),
        n_("It says: {why}"),
        n_("Ask its owner for room, or keep fewer archives there (backup.hosts.{host}.keep); then: coloc-agent prune"),
    ),
    "key_not_escrowed": Words(
        n_("What opens the backups is in nobody else's hands"),
        n_("It says: {why}"),
        n_("Give it to the adminsys: coloc-agent key export"),
    ),
    "drill_failed": Words(
        n_("The drill of {app} from {host} failed: it may not be restorable there"),
        n_("It says: {why}"),
        n_("Try another host, then this one again: coloc-agent drill {app} --host {host}"),
    ),
    "check_failed": Words(
        n_("The repository on {host} is damaged"),
        n_("It says: {why}"),
        n_("Repair nothing yet: tell its adminsys, and see the runbook; other hosts have the backups as well"),
    ),
    "drill_overdue": Words(
        n_("{app} was not proven whole by a drill from {host} for too long"),
        n_("Last whole drill: {last}"),
        n_("Prove it now, whatever it reads from there: coloc-agent drill {app} --host {host}"),
    ),
    "disk_nearly_full": Words(
        n_("The disk {filesystem} is {percent} % full"),
        "",
        n_("See which app grows: coloc-agent apps, then make room or ask its project"),
    ),
    "quota_exceeded": Words(
        n_("{project} uses {percent} % of its quota: {resource}"),
        n_("Step: {step}"),
        n_("Talk with the project's adminsys; see: coloc-agent quota"),
    ),
    "maintenance_overrun": Words(
        n_("The maintenance M{maintenance} goes on beyond its planned end"),
        n_("{title}; planned end: {last}"),
        n_(
            "Done? coloc-agent maintenance end {maintenance}; not yet: coloc-agent maintenance extend {maintenance} 30m"
        ),
    ),
    "config_invalid": Words(
        n_("coloc.yml cannot be used; the agent goes on with what it had"),
        n_("It says: {error}"),
        n_("Mend the file, then: systemctl reload coloc-agent"),
    ),
    **MEASURED,
}
_UNKNOWN = Words(n_("Incident of the rule {rule}"), "", n_("See: coloc-agent alerts"))
SIGNS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}
_NUMBER = re.compile(r"\[#\d+\]")
_IN_A_DIGEST = 100  # some ten kilobytes
_STEPS = {
    "warn": n_("warned"),
    "throttle": n_("throttled (simulation)"),
    "hard": n_("bounded (simulation)"),
    "held:throttle": n_("throttled"),
    "held:hard": n_("bounded"),
}
_RESOURCES = {
    "cpu": n_("processor"),
    "memory": n_("memory"),
    "disk": n_("disk"),
    "database": n_("databases"),
    "processes": n_("processes"),
    "mail_per_hour": n_("mails per hour"),
    "mail_per_day": n_("mails per day"),
    "files": n_("files"),
    "io": n_("reading and writing"),
    "network": n_("network"),
    "database_connections": n_("database connections"),
}


def incident_title(incident: IncidentText, language: str, zone: ZoneInfo) -> str:
    """The one line that names an incident."""
    return _fill(_words(incident.rule).title, incident, translator(language), zone)


def _words(rule: str) -> Words:
    if rule.startswith("alertmanager:"):
        return FOREIGN
    return CUSTOM if rule.startswith("custom:") else RULES.get(rule, _UNKNOWN)


def incident_message(incident: IncidentText, language: str, zone: ZoneInfo) -> Message:
    """The message of an incident as it stands now."""
    say = translator(language)
    words = _words(incident.rule)
    title = _fill(words.title, incident, say, zone)
    resolved = incident.phase == "resolved"
    sign = "✅" if resolved else SIGNS.get(incident.severity, "🟠")
    lines = [_when(incident, say, zone)]
    if not resolved:
        if words.detail and incident.value:
            lines.append(_fill(words.detail, incident, say, zone))
        if incident.unstable:
            lines.append(say("Unstable: it comes and goes; told as over when it was calm for half an hour"))
        if incident.followers:
            lines.append(say("What follows from it keeps quiet: {number}").format(number=incident.followers))
        if incident.acked_by:
            lines.append(say("Taken on by {who}").format(who=plain(incident.acked_by, longest=60)))
        if incident.silenced_until:
            lines.append(say("In silence until {time}").format(time=for_people(incident.silenced_until, zone)))
        lines.append("→ " + _fill(words.to_do, incident, say, zone))
    head = f"{sign} {say('Resolved: {title}').format(title=title) if resolved else title}"
    return _message(f"{head} [#{incident.id}]", lines)


def titles_of(text: str) -> list[str]:
    """The lines of a message that name an incident, one or several; its first line when it names none."""
    lines = text.split("\n")
    return [line for line in lines if _NUMBER.search(line)] or lines[:1]


def digest(titles: Sequence[str], language: str) -> Message:
    """Many messages that waited, as one."""
    say = translator(language)
    shown = [f"• {plain(title)}" for title in titles[:_IN_A_DIGEST]]
    if len(titles) > len(shown):
        shown.append(say("… and {number} more: coloc-agent alerts").format(number=len(titles) - len(shown)))
    return _message("📋 " + say("{number} incidents in one message").format(number=len(titles)), shown)


def given_up(channel: str, key: str, why: str, language: str) -> Message:
    """A message that a channel will never take, told where it can be."""
    say = translator(language)
    head = say("A message was given up on {channel}: {key}").format(channel=plain(channel), key=plain(key))
    return _message(f"⚠ {head}", [in_language(why, language)])


def channel_in_trouble(channel: str, target: str, why: str, waiting: int, language: str) -> Message:
    """A channel does not take our words: where, why, what waits. The reason says what to do."""
    say = translator(language)
    head = say("Messages do not get through on {channel}: {target}").format(
        channel=plain(channel), target=plain(target)
    )
    lines = [in_language(why, language), say("Waiting: {number}. Nothing is lost; see: coloc-agent check")]
    return _message(f"⚠ {head}", [lines[0], lines[1].format(number=waiting)])


def channel_well_again(channel: str, target: str, language: str) -> Message:
    """The same channel takes them again."""
    say = translator(language)
    head = say("Messages get through again on {channel}: {target}")
    return _message(f"✅ {head.format(channel=plain(channel), target=plain(target))}", [])


def told_elsewhere(message: Message, channels: Sequence[str], language: str) -> Message:
    """The message with a line that says where people heard of it before."""
    line = translator(language)("Told before by: {channels}").format(channels=", ".join(channels))
    return replace(message, text=f"{message.text}\n{line}", html=f"{message.html}<br>{escape(line)}")


def known_of(incident: IncidentText, language: str, zone: ZoneInfo) -> tuple[str, str]:
    """What more is known of an incident, and what to do about it."""
    say, words = translator(language), _words(incident.rule)
    detail = _fill(words.detail, incident, say, zone) if words.detail and incident.value else ""
    return detail, _fill(words.to_do, incident, say, zone)


def _when(incident: IncidentText, say: Translate, zone: ZoneInfo) -> str:
    since = for_people(incident.since, zone)
    if incident.until is None:
        return say("Since {since}").format(since=since)
    return say("From {since} to {until}").format(since=since, until=for_people(incident.until, zone))


def _fill(pattern: str, incident: IncidentText, say: Translate, zone: ZoneInfo) -> str:
    values = {**incident.labels, **incident.value, "rule": incident.rule}
    if "last" in values:
        values["last"] = for_people(datetime.fromisoformat(values["last"]), zone) if values["last"] else say("never")
    if incident.rule == "quota_exceeded" and "app" in values:
        values["project"] = f"{values['app']} ({values.get('project', '')})"
    for name, words in (("step", _STEPS), ("resource", _RESOURCES)):
        if name in values:
            values[name] = say(words.get(values[name], values[name]))
    known = _Known({name: plain(str(value)) for name, value in values.items()})
    return say(pattern).format_map(known)


class _Known(dict[str, str]):
    """A figure that a rule did not give is shown as a dash, not as an error at three in the morning."""

    def __missing__(self, key: str) -> str:
        return "—"


def _message(head: str, lines: Sequence[str]) -> Message:
    html = "<br>".join([f"<strong>{escape(head)}</strong>", *(escape(line) for line in lines)])
    return Message("\n".join([head, *lines]), html)
