"""The nightly command takes the hosts whose night it is, by what root's own journal remembers."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from backup.journal import open_journal
from coloc.times import now_utc

_YML = """\
coloc: {{name: test, timezone: UTC, language: en}}
stage: backup
root: {folder}/root
apps:
  notes: {{folders: [/srv/notes]}}
backup:
  passphrase_file: {folder}/passphrase
  hosts:
    early: {{path: {folder}/early, at: "{early}"}}
    later: {{path: {folder}/later, at: "{later}"}}
paths:
  state: {folder}/state
  facts: {folder}/facts
  journal: {folder}/journal
  requests: {folder}/requests
  wake: {folder}/wake
"""


def nightly(config: Path) -> str:
    argv = [sys.executable, "-m", "agent", "--config", str(config), "backup", "--nightly"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_host_has_its_own_night(tmp_path: Path) -> None:
    notes = tmp_path / "root/srv/notes"
    notes.mkdir(parents=True)
    (notes / "a.txt").write_text("hello")
    (tmp_path / "passphrase").write_text("secret\n")
    (tmp_path / "passphrase").chmod(0o600)
    config = tmp_path / "coloc.yml"
    now = now_utc()
    passed, ahead = now - timedelta(minutes=90), now + timedelta(minutes=90)
    config.write_text(_YML.format(folder=tmp_path, early=f"{passed:%H:%M}", later=f"{ahead:%H:%M}"))
    config.chmod(0o600)
    journal = open_journal(tmp_path / "journal")
    for host in ("early", "later"):
        journal.remember_night(host, now - timedelta(hours=3))
    journal.close()
    told = nightly(config)
    assert "early" in told
    assert "later" not in told
    assert (tmp_path / "early/config").exists()
    assert not (tmp_path / "later").exists()
    assert "no backup host is due now" in nightly(config)


def test_a_journal_without_nights_is_brought_up_to_date(tmp_path: Path) -> None:
    open_journal(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "backups.db")) as connection, connection:
        connection.executescript("DROP TABLE nights; PRAGMA user_version = 1;")
    journal = open_journal(tmp_path)
    assert journal.last_night("merle") is None
    journal.close()
