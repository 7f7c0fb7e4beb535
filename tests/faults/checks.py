"""What must hold after every fault, judged without the agent: by Borg alone, by the files, the rows and /proc."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from collections.abc import Iterable
from contextlib import closing

from coloc.facts import Fact
from tests.faults.faults import Scene, borg_env
from tests.faults.house import BIN, House, Snapshot, files_below, sqlite_rows, wait_for


class Broken(AssertionError):
    """A promise that was not kept."""


def expect(holds: bool, what: str) -> None:
    """Raises Broken."""
    if not holds:
        raise Broken(what)


def judge_archives(house: House, claimed: Iterable[tuple[tuple[str, str, str], list[str]]]) -> None:
    """Every set that the agent calls good comes back, by Borg alone, as the app was."""
    for (host, app, run), archives in claimed:
        truth = house.truths[app, run]
        for archive in archives:
            _judge_archive(house, host, app, archive, truth)


def _judge_archive(house: House, host: str, app: str, archive: str, truth: Snapshot) -> None:
    what = f"{archive} on {host} is called good, and"
    scratch = house.folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    place = f"{house.repositories[host]}::{archive}"
    argv = [str(BIN / "borg"), "--bypass-lock", "extract", place]
    done = subprocess.run(argv, env=borg_env(house), cwd=scratch, capture_output=True, text=True, timeout=300)
    expect(done.returncode == 0, f"{what} Borg cannot extract it: {done.stderr[-300:]}")
    dumps = [path for path in scratch.iterdir() if path.suffix in {".sql", ".db", ".sqlite"}]
    if archive.endswith(".files"):
        found = files_below(scratch / "var/www" / app)
        expect(found == truth["files"], f"{what} its files differ: {_difference(found, truth['files'])}")
    elif dumps and dumps[0].suffix == ".sql":
        text = dumps[0].read_text()
        expect("-- Dump completed" in text, f"{what} its dump has no end")
        missing = [words for _, words in truth["mysql"] if words not in text]
        expect(not missing, f"{what} lacks {len(missing)} rows")
    else:
        expect(len(dumps) == 1, f"{what} it holds {[path.name for path in scratch.iterdir()]}")
        expect(sqlite_rows(dumps[0]) == truth["sqlite"], f"{what} its SQLite rows differ")


def _difference(found: Snapshot, truth: Snapshot) -> str:
    return ", ".join(sorted(name for name in {*found, *truth} if found.get(name) != truth.get(name))[:5])


def judge_apps(before: dict[str, Snapshot], after: dict[str, Snapshot], what: str) -> None:
    """No data of an app was changed."""
    for app, snapshot in before.items():
        for kind, value in snapshot.items():
            same = after[app][kind] == value
            detail = "" if same or kind != "files" else f": {_difference(after[app][kind], value)}"
            expect(same, f"{kind} of {app} changed by {what}{detail}")


def judge_words(scene: Scene, code: int, said: str, facts: list[Fact]) -> None:
    """One true message: what failed is said once, in a sentence, and an exit code of 0 means that all went well."""
    expect("Traceback" not in said, f"a traceback is no sentence: {said[-1500:]}")
    failed = [fact for fact in facts if fact.values.get("ok") is False and fact.kind in {"backup", "drill", "check"}]
    heads = [(fact.kind, str(fact.values.get("app", "")), str(fact.values["host"])) for fact in failed]
    expect(len(heads) == len(set(heads)), f"told twice: {heads}")
    for fact in failed:
        failure = str(fact.values["failure"])
        expect(bool(failure) and "\n" not in failure, f"not a sentence: {failure!r}")
    if scene.silent:
        return
    expect(code == 0 or bool(said.strip()), f"exit code {code} without a word")
    expect(code != 0 or not failed, f"exit code 0, and yet {heads} failed")
    expect(code >= 0 or scene.struck, f"ended by signal {-code}")


def judge_rest(house: House) -> None:
    """Within a minute nothing runs any more."""
    expect(wait_for(lambda: not house.processes.all(), 60), f"still running: {house.processes.all()}")


def judge_kept(house: House) -> None:
    """On each host each app has at least one set that is known as proven and whose archives are there."""
    for host, place in house.repositories.items():
        argv = [str(BIN / "borg"), "--bypass-lock", "list", "--short", str(place)]
        done = subprocess.run(argv, env=borg_env(house), capture_output=True, text=True, timeout=60)
        expect(done.returncode == 0, f"{host} cannot be listed: {done.stderr[-300:]}")
        there = set(done.stdout.split())
        for (where, app, run), archives in house.proven().items():
            if where == host:
                gone = set(archives) - there
                expect(not gone, f"{app} of {run} is called proven on {host}, and {sorted(gone)} are gone")
        for app in ("blog", "wiki"):
            kept = [key for key in house.proven() if key[:2] == (host, app)]
            expect(bool(kept), f"nothing proven of {app} is left on {host}")


def judge_integrity(house: House) -> None:
    """The journal is a whole database."""
    with closing(sqlite3.connect(house.journal / "backups.db")) as journal:
        (verdict,) = journal.execute("PRAGMA integrity_check").fetchone()
    expect(verdict == "ok", f"the journal is damaged: {verdict}")
