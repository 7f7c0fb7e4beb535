"""Forgetting an app for good: its archives on every host, what root remembers. A host that is down is done later.

Rules. Only an app that is not on the server. Only what was made before it was asked for: an app of the same name that
comes later keeps its own. A forgetting stays open, per host, until that host has deleted and given the room back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from backup import ledger
from backup.borg import Repository
from backup.journal import Journal
from backup.names import checkpoint_of, parse_archive_name, run_time
from backup.retention import Left
from coloc.errors import ColocError, StateError
from coloc.facts import write_whole
from coloc.times import for_people, iso, parse_iso


@dataclass(frozen=True, slots=True)
class Forgetting:
    """An app to be forgotten on one host. done_at None: still open."""

    app: str
    host: str
    asked_at: datetime
    done_at: datetime | None = None
    removed: int = 0


def refuse_to_forget(app: str, here: Iterable[str], left: Left, now: datetime, zone: ZoneInfo) -> None:
    """Raises ColocError while the app is on the server, or has not been gone for long enough."""
    if app in here:
        raise ColocError(
            f"{app} is on this server: its backups are needed", hint="remove the app first (yunohost app remove)"
        )
    may_go_at = left.may_go_at(app)
    if may_go_at is None or now < may_go_at:
        when = f"until {for_people(may_go_at, zone)}" if may_go_at else "since tonight's run has not yet seen it gone"
        raise ColocError(
            f"what {app} left behind stays ({when}: backup.left_after)",
            hint=f"if its people ask for it sooner: coloc-agent forget {app} --now",
        )


def archives_to_forget(coloc: str, app: str, names: Iterable[str], asked_at: datetime) -> list[str]:
    """The archives of an app, checkpoints too, that were begun before it was asked to forget it. Pure."""
    found = []
    for name in names:
        owner = parse_archive_name(name) or checkpoint_of(name)
        if owner and (owner.coloc, owner.app) == (coloc, app) and run_time(owner.run) <= asked_at:
            found.append(name)
    return found


def ask_to_forget(journal: Journal, app: str, hosts: Sequence[str], now: datetime) -> list[Forgetting]:
    """Write down that the app is to be forgotten on these hosts, before anything is deleted. Raises StateError."""
    asked = [each for each in forgettings(journal, app=app) if each.done_at is None and each.host in hosts]
    new = [Forgetting(app, host, now) for host in hosts if host not in {each.host for each in asked}]
    with journal.transaction() as connection:
        connection.executemany(
            "INSERT INTO forgetting (app, host, asked_at) VALUES (?, ?, ?)",
            [(each.app, each.host, iso(each.asked_at)) for each in new],
        )
    return [*asked, *new]


def forgettings(journal: Journal, *, app: str = "", host: str = "") -> list[Forgetting]:
    """Those of an app, or of a host, oldest first."""
    rows = journal.ask(
        "SELECT app, host, asked_at, done_at, removed FROM forgetting"
        " WHERE (? = '' OR app = ?) AND (? = '' OR host = ?) ORDER BY asked_at, host",
        (app, app, host, host),
    )
    return [
        Forgetting(row[0], row[1], parse_iso(row[2]), parse_iso(row[3]) if row[3] else None, int(row[4]))
        for row in rows
    ]


def forget_on(
    repository: Repository, journal: Journal, what: Forgetting, *, coloc: str, names: Iterable[str], now: datetime
) -> Forgetting:
    """Delete on one host and give the room back; done again it finishes what was cut. Raises BorgError, StateError."""
    host, app = what.host, what.app
    gone = archives_to_forget(coloc, app, names, what.asked_at)
    runs = {owner.run for name in gone if (owner := parse_archive_name(name) or checkpoint_of(name))}
    runs |= {run for known, run in journal.proven(host) if known == app and run_time(run) <= what.asked_at}
    # First: a proven set that we know and that is gone means that somebody else removed it.
    ledger.write_all(journal, [ledger.Entry(host, "removed", app, run, {}) for run in sorted(runs)], now)
    journal.forget(host, [(app, run) for run in sorted(runs)])
    row = (app, host, iso(what.asked_at))
    # Counted before it is done: a second call after a cut finds fewer, and the receipt tells what was there at first.
    journal.ask(
        "UPDATE forgetting SET removed = max(removed, ?) WHERE app = ? AND host = ? AND asked_at = ?", (len(gone), *row)
    )
    repository.delete(gone)
    repository.compact()
    _forget_cache(repository.base, f"{coloc}.{app}")
    with journal.transaction() as connection:
        connection.execute("DELETE FROM contents WHERE host = ? AND app = ?", (host, app))
        connection.execute(
            "UPDATE forgetting SET done_at = ? WHERE app = ? AND host = ? AND asked_at = ?", (iso(now), *row)
        )
        still = "SELECT 1 FROM forgetting WHERE app = ? AND done_at IS NULL"
        if not connection.execute(still, (app,)).fetchone():
            connection.execute("DELETE FROM left_apps WHERE app = ?", (app,))
    done = next(each for each in forgettings(journal, app=app, host=host) if each.asked_at == what.asked_at)
    keep_receipt(journal, coloc, app, what.asked_at)
    return done


def keep_receipt(journal: Journal, coloc: str, app: str, asked_at: datetime) -> tuple[Path, str]:
    """Write the receipt of a forgetting as it stands now, for root alone. Raises StateError."""
    text = receipt(coloc, [each for each in forgettings(journal, app=app) if each.asked_at == asked_at])
    path = journal.folder / "receipts" / f"forget-{app}-{asked_at:%Y%m%dT%H%M%SZ}.txt"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, text)
    except OSError as error:
        raise StateError(
            f"the receipt {path} cannot be written: {error.strerror}", hint="free some space, then run it again"
        ) from error
    return path, text


def receipt(coloc: str, what: Sequence[Forgetting]) -> str:
    """What its people are given: which app, when, where, how much; and what is still open. Pure."""
    lines = [f"Reçu / receipt: {coloc}, app {what[0].app}"] if what else []
    for each in what:
        state = f"{each.removed} archives effacées / deleted, {iso(each.done_at)}" if each.done_at else ""
        lines.append(f"{each.host}: {state or 'en attente / still open: the host could not be asked yet'}")
        lines.append(f"  demandé / asked: {iso(each.asked_at)}")
    return "\n".join([*lines, ""])


def _forget_cache(base: Path, suffix: str) -> None:
    """Borg's memory of the app's files: names are hashed there, but it is the app's all the same."""
    for file in base.glob(f".cache/borg/*/files.{suffix}"):
        file.unlink(missing_ok=True)
