"""SQLite files are copied also where nothing may be written beside them, as the nightly run's unit has it."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from coloc.databases.sqlite import check_and_count, copy_online
from coloc.errors import ColocError

NOBODY = 65534


@pytest.fixture
def closed() -> Iterator[Path]:
    """A WAL database in a folder where an ordinary user may only read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(sqlite3.connect(folder / "rest.db")) as connection, connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE posts (body TEXT)")
            connection.execute("INSERT INTO posts VALUES ('été')")
        (folder / "rest.db").chmod(0o444)
        (folder / "out").mkdir()
        (folder / "out").chmod(0o777)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


def as_nobody(act: Callable[[], object]) -> str:
    """What `act` raises when somebody without root's rights does it; "" when all is well."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            act()
        except BaseException as error:
            os.write(writing, repr(error).encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(pid, 0)
    return said


def test_a_wal_database_that_nobody_has_open_is_copied(closed: Path) -> None:
    assert as_nobody(lambda: copy_online(closed / "rest.db", closed / "out" / "copy.db")) == ""
    assert check_and_count(closed / "out" / "copy.db") == {"posts": 1}


def test_one_with_a_journal_that_cannot_be_read_is_refused(closed: Path) -> None:
    closed.chmod(0o755)
    (closed / "rest.db-wal").touch(0o000)
    closed.chmod(0o555)
    said = as_nobody(lambda: copy_online(closed / "rest.db", closed / "out" / "copy.db"))
    assert ColocError.__name__ in said
