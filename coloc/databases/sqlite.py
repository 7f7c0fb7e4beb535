"""SQLite files: a sound copy while an app writes, a check, and counts. Never opened for writing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from coloc.errors import ColocError

BESIDE = ("-wal", "-shm", "-journal")


def copy_online(source: Path, target: Path) -> None:
    """Copy a database that may be in use. Raises ColocError; `target` is then worth nothing."""
    try:
        with closing(_open(source)) as reading, closing(sqlite3.connect(target)) as writing:
            reading.backup(writing)
            # The copy must stand alone: a header that says WAL would ask for two more files when it is opened.
            writing.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise ColocError(
            f"{source} cannot be copied: {error}", hint="is it an SQLite file, and may we read it?"
        ) from error


def check_and_count(path: Path) -> dict[str, int]:
    """quick_check, then the rows of every table. Raises ColocError for a damaged file."""
    try:
        with closing(_open(path)) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if verdict != "ok":
                raise ColocError(f"{path} is damaged: {verdict}", hint="take an older archive, or mend it by hand")
            return {name: _count(connection, name) for name in _tables(connection)}
    except sqlite3.Error as error:
        raise ColocError(f"{path} is no sound SQLite file: {error}", hint="take another archive") from error


def _tables(connection: sqlite3.Connection) -> list[str]:
    # Virtual tables may need an extension that only the app has; their content lies in ordinary shadow tables.
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name"
    )
    return [row[0] for row in rows if not row[0].startswith("sqlite_")]


def _count(connection: sqlite3.Connection, table: str) -> int:
    quoted = '"' + table.replace('"', '""') + '"'
    return int(connection.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0])  # noqa: S608 - quoted


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30)
