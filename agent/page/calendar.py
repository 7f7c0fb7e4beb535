"""A calendar of archives for each backup host: what each of the last 31 days brought, in words and as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from agent.page.paper import Paper, escape
from agent.page.remembered import CALENDAR_DAYS, SavedDay

WEEK = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_MOST_NAMES = 5


def calendars(paper: Paper) -> str:
    """One for each host of coloc.yml."""
    saved = paper.remembered.saved_days()
    heading = f"<h2>{paper.word('Calendar of archives')}</h2>"
    if saved is None:
        return f"{heading}<p>{paper.word('The history cannot be read now')}</p>"
    today = paper.status.at.astimezone(paper.zone).date()
    shown = "".join(_calendar(paper, host, saved, today) for host in paper.status.hosts)
    legend = (
        f'<p class="soft"><span class="good">✓</span> {paper.word("apps saved")} · '
        f'<span class="bad">✗</span> {paper.word("apps that failed")} · — {paper.word("nothing")}</p>'
    )
    return f'{heading}{legend}<div class="calendars">{shown}</div>'


def _calendar(paper: Paper, host: str, saved: Sequence[SavedDay], today: date) -> str:
    first = today - timedelta(days=CALENDAR_DAYS - 1)
    days = {each.day: each for each in saved if each.host == host and first <= each.day <= today}
    weekdays = "".join(f'<th scope="col">{paper.word(day)}</th>' for day in WEEK)
    weeks = "".join(_week(monday, first, today, days) for monday in _mondays(first, today))
    name = escape(host)
    table = (
        f'<table class="calendar" aria-label="{paper.word("Calendar of archives")}: {name}">'
        f"<thead><tr>{weekdays}</tr></thead><tbody>{weeks}</tbody></table>"
    )
    return f"<section><h3>{name}</h3>{_in_words(paper, days, today)}{table}</section>"


def _mondays(first: date, today: date) -> list[date]:
    monday = first - timedelta(days=first.weekday())
    return [monday + timedelta(weeks=week) for week in range((today - monday).days // 7 + 1)]


def _week(monday: date, first: date, today: date, days: Mapping[date, SavedDay]) -> str:
    cells = (_cell(monday + timedelta(days=number), first, today, days) for number in range(len(WEEK)))
    return f"<tr>{''.join(cells)}</tr>"


def _cell(day: date, first: date, today: date, days: Mapping[date, SavedDay]) -> str:
    if not first <= day <= today:
        return "<td></td>"
    number = f'<time datetime="{day.isoformat()}">{day.day}</time>'
    found = days.get(day)
    if found is None:
        return f'<td class="soft">{number} —</td>'
    good = f'<span class="good">✓ {found.saved}</span>' if found.saved else ""
    bad = f' <span class="bad">✗ {len(found.failed)}</span>' if found.failed else ""
    return f"<td>{number} {good}{bad}</td>"


def _in_words(paper: Paper, days: Mapping[date, SavedDay], today: date) -> str:
    """The same as a sentence: how many days went well since the first one, and which ones did not, newest first."""
    if not days:
        return f"<p>{paper.word('No archive in the last 31 days')}</p>"
    watched = (today - min(days)).days + 1
    failed = [days[day] for day in sorted(days, reverse=True) if days[day].failed]
    told = paper.word("{days} days: {good} went well, {bad} with a failure, {none} without a backup").format(
        days=watched, good=len(days) - len(failed), bad=len(failed), none=watched - len(days)
    )
    items = "".join(
        f"<li>{each.day.isoformat()}{paper.colon}{_names(paper, each.failed)}</li>" for each in failed[:_MOST_NAMES]
    )
    return f"<p>{told}</p>" + (f"<p>{paper.word('Failed')}{paper.colon.rstrip()}</p><ul>{items}</ul>" if items else "")


def _names(paper: Paper, apps: Sequence[str]) -> str:
    shown = ", ".join(escape(app) for app in apps[:_MOST_NAMES])
    rest = len(apps) - _MOST_NAMES
    return shown + (f" (+ {rest} {paper.word('more')})" if rest > 0 else "")
