"""`coloc-agent restore APP --yunohost`: shows what would be done, asks, and lets YunoHost bring the whole app back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import click

from agent.colocation import read_colocation
from agent.commands.backup_yunohost import install_hooks
from agent.sizes import size
from backup.hosts import open_repository
from backup.journal import Journal, open_journal
from backup.names import SYSTEM
from backup.nightly import run_night
from backup.restore_plan import Candidate, choose, files_archive_of, refuse_when_full, safe_manifest
from backup.restore_prepare import find_candidates, read_manifest
from backup.stopping import stopped_by_signals
from backup.yunohost_apps import yunohost_program
from backup.yunohost_call import Yunohost
from backup.yunohost_restore import Whole, WholeRestore, is_there, require_yunohosts, rooms, unfinished
from coloc.command import run
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool
from coloc.language import Translate
from coloc.times import for_people, now_utc


def find(
    config: Config, app: str, journal: Journal, *, host: str | None, archive: str | None, at: datetime | None
) -> Whole:
    """The set that would come back. Raises ColocError."""
    candidates, _ = find_candidates(config, app, journal, hosts=[host] if host else [], run=run)
    whole = whole_of(config, choose(candidates, app, archive=archive, at=at, now=now_utc()))
    require_yunohosts(whole.manifest)
    return whole


def whole_of(config: Config, chosen: Candidate) -> Whole:
    """A set as it would come back whole; whether YunoHost can read it, its manifest says. Raises ColocError."""
    repository = open_repository(config, chosen.host)
    name = files_archive_of(chosen)
    manifest = safe_manifest(read_manifest(repository, name), chosen, config.coloc.name)
    size_of = sum(each.original_bytes for each in repository.archive_infos(name))
    return Whole(chosen.set.app, chosen, name, manifest, size_of)


def plan_text(config: Config, whole: Whole, say: Translate) -> str:
    """What would be done, for people."""
    when = for_people(whole.candidate.set.at, config.zone)
    proof = say("read back") if whole.candidate.set.proven else say("NOT PROVEN")
    first = say("{app}: run {run} of {when}, {host}, {proof}")
    run_id, host = whole.candidate.set.run, whole.candidate.host
    lines = [first.format(app=whole.app, run=run_id, when=when, host=host, proof=proof)]
    if note := unfinished(config, whole.app):
        lines.append("  " + say("a restore of {when} was cut off; this one goes on").format(when=note.began_at))
    if whole.app == SYSTEM:
        lines.append("  " + say("users, permissions, domains, certificates and mail of this server are replaced"))
    elif is_there(config, whole.app):
        lines.append("  " + say("the app is backed up first, then removed, then restored by YunoHost"))
    else:
        lines.append("  " + say("the app is not installed: YunoHost restores it"))
    room = say("room in {folder}: {needed} of {free} free")
    lines += [
        "  " + room.format(folder=each.folder, needed=size(each.needed_bytes), free=size(each.free_bytes))
        for each in rooms(config, whole)
    ]
    return "\n".join(lines)


def restore_through_yunohost(
    config: Config, whole: Whole, on_step: Callable[[str], None], config_path: Path, *, save: bool = True
) -> str:
    """Do it; the archive of what was there before, "" for nothing. Raises ColocError. save: what is there, first."""
    program = yunohost_program(config)
    if program is None:
        raise ColocError("there is no YunoHost here", hint="bring it back without --yunohost, or elsewhere with --to")
    install_hooks(config, config_path)
    options, host = config.backup.yunohost, whole.candidate.host
    repository = open_repository(config, host)
    return WholeRestore(
        config,
        Yunohost(program, options.lock_wait, options.app_duration),
        repository,
        Spool(config.paths.facts),
        (lambda: save_now(config, whole.app, host)) if save else (lambda: ""),
        now_utc,
        on_step,
    ).go(whole)


def save_now(config: Config, app: str, host: str) -> str:
    """Back an app up to a host, read it back; the archive's name. Raises ColocError."""
    journal, stop = open_journal(config.paths.journal), threading.Event()
    try:
        with stopped_by_signals(stop):
            night = run_night(
                config,
                read_colocation(config),
                apps=[app],
                hosts=[host],
                spool=Spool(config.paths.facts),
                journal=journal,
                stop=stop,
            )
    finally:
        journal.close()
    good = [each.archive for each in night.results if each.ok]
    if not good:
        why = [each.failure for each in night.results] + [each.why for each in night.plan.failed]
        raise ColocError(
            f"{app} could not be backed up first: {'; '.join(why)[:300]}",
            hint=f"nothing was changed; in its place, without YunoHost: coloc-agent restore {app}",
        )
    return good[0]


def show_plan(config: Config, whole: Whole, say: Translate) -> None:
    """Print it, and refuse what cannot fit. Raises ColocError."""
    click.echo(plan_text(config, whole, say))
    refuse_when_full(rooms(config, whole))
