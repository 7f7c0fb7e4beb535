"""state.db on real disks: damage, a full disk, kill -9 and newer files; nothing committed is lost."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent import incident_store, told_store
from agent.incidents import Change, Incident, Phase, Severity, Step
from agent.told_store import Place
from coloc import outbox
from coloc.errors import StateError
from coloc.outbox import Kind, Message
from coloc.state import MIGRATIONS, State, open_state
from coloc.times import iso

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
OLD = NOW - timedelta(days=61)
LIMIT = iso(NOW - timedelta(days=60))
SECOND = "CREATE TABLE second (x TEXT) STRICT; INSERT INTO second VALUES ('new')"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state.db"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    state = open_state(path)
    yield state
    state.close()


def say(state: State, key: str, at: datetime, how: str = "waiting", kind: Kind = Kind.NEW, about: str = "") -> None:
    with state.transaction() as connection:
        message = Message("text", "html")
        outbox.add(connection, channel="c", target="t", kind=kind, key=key, about=about or key, message=message, now=at)
        connection.execute("UPDATE outbox SET state = ? WHERE key = ?", (how, key))


def keys(state: State) -> list[str]:
    return [row[0] for row in state.connection.execute("SELECT key FROM outbox ORDER BY id")]


def incident(state: State, key: str, phase: Phase = Phase.FIRING) -> Incident:
    over = OLD if phase is Phase.RESOLVED else None
    new = Incident(key, "app_down", (), Phase.FIRING, Severity.CRITICAL, {}, OLD, fired_at=OLD)
    with state.transaction() as connection:
        saved = incident_store.save(connection, Step(new, Change.FIRED), OLD)
        connection.execute(
            "UPDATE incidents SET phase = ?, resolved_at = ? WHERE id = ?", (phase, over and iso(over), saved.id)
        )
    return saved


def test_the_file_and_what_sqlite_lays_beside_it_are_for_their_owner_alone(path: Path) -> None:
    os.umask(before := os.umask(0))
    assert before != 0
    os.umask(0)
    try:
        with closing(open_state(path)) as state:
            state.put("a", "b")
            modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    with closing(open_state(path)):
        pass
    path.chmod(0o644)
    with closing(open_state(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_word_is_remembered_after_closing(path: Path) -> None:
    with closing(open_state(path)) as state:
        state.put("word", "one")
        state.put("word", "two")
        assert state.get("other") is None
    with closing(open_state(path)) as state:
        assert state.get("word") == "two"


def test_a_transaction_is_all_or_nothing_whatever_ends_it(state: State) -> None:
    for error in (RuntimeError, KeyboardInterrupt, sqlite3.IntegrityError):
        with pytest.raises(error), state.transaction():
            state.put("word", "half")
            raise error
        assert state.get("word") is None
    with state.transaction():
        state.put("word", "whole")
    assert state.get("word") == "whole"


def test_a_file_of_a_newer_agent_is_refused_and_not_touched(path: Path) -> None:
    with closing(open_state(path, migrations=[*MIGRATIONS, SECOND])):
        pass
    before = path.read_bytes()
    newer = len(MIGRATIONS) + 1
    with pytest.raises(StateError, match=f"written by a newer coloc-agent \\(form {newer}, this one knows") as caught:
        open_state(path)
    assert f"state.db.before-{newer}" in caught.value.hint
    assert path.read_bytes() == before


def test_before_a_migration_the_file_is_copied_and_the_copy_can_be_put_back(path: Path) -> None:
    with closing(open_state(path)) as state:
        state.put("word", "kept")
    number = len(MIGRATIONS) + 1
    with closing(open_state(path, migrations=[*MIGRATIONS, SECOND])) as state:
        assert state.connection.execute("SELECT x FROM second").fetchone()[0] == "new"
        assert state.get("word") == "kept"
    copy = path.with_name(f"state.db.before-{number}")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    for leftover in path.parent.glob("state.db-*"):
        leftover.unlink()
    copy.rename(path)
    with closing(open_state(path)) as state:
        assert state.get("word") == "kept"


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    with closing(open_state(path)) as state:
        state.put("word", "kept")
    with pytest.raises(StateError, match="cannot be brought up to date"):
        open_state(path, migrations=[*MIGRATIONS, "CREATE TABLE half (x TEXT); SELECT * FROM nowhere"])
    with closing(open_state(path)) as state:
        assert state.get("word") == "kept"
        assert state.connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone()[0] == 0


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4096, b"\0" * 8192]
)
def test_what_is_no_database_is_one_sentence_that_says_what_to_do(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StateError, match="is damaged") as caught:
        open_state(path)
    assert f"mv {path} {path}.damaged" in caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("form", [-1, -5, 2**31 - 1])
def test_a_form_that_never_was_is_refused(path: Path, form: int) -> None:
    with closing(open_state(path)) as state:
        state.connection.execute(f"PRAGMA user_version = {form}")
    with pytest.raises(StateError, match=r"is damaged|newer coloc-agent"):
        open_state(path)


def test_a_folder_in_its_place_or_a_file_in_place_of_its_folder_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "state.db", tmp_path / "file" / "state.db"):
        with pytest.raises(StateError, match="cannot be opened"):
            open_state(path)


@pytest.mark.parametrize("seed", range(60))
def test_damage_anywhere_is_a_state_error_or_harmless(path: Path, seed: int) -> None:
    with closing(open_state(path)) as state:
        for number in range(50):
            state.put(f"key{number}", "value" * 50)
            say(state, f"k{number}", NOW)
    dice = random.Random(seed)
    data = bytearray(path.read_bytes())
    if seed % 3 == 0:
        del data[dice.randrange(1, len(data)) :]
    else:
        for _ in range(dice.choice([1, 20, 2000])):
            data[dice.randrange(len(data) if seed % 3 == 1 else 200)] = dice.randrange(256)
    path.write_bytes(data)
    try:
        with closing(open_state(path)) as state:
            state.get("key1")
            state.put("key1", "x")
            with state.transaction() as connection:
                connection.execute("DELETE FROM outbox WHERE id < 3")
            state.tidy(LIMIT)
    except StateError as error:
        assert str(path) in str(error)
        assert error.hint


def test_damage_while_open_is_a_state_error(path: Path) -> None:
    with closing(open_state(path)) as state:
        for number in range(500):
            state.put(f"key{number}", "value" * 100)
        state.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        state.connection.execute("PRAGMA cache_size = 1")
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))
        with pytest.raises(StateError):
            for number in range(500):
                state.get(f"key{number}")


def test_what_waits_to_be_said_is_never_tidied_away_however_old(state: State) -> None:
    for how in ("waiting", "blocked", "sent", "refused", "dropped"):
        say(state, how, OLD, how)
        say(state, f"young {how}", NOW, how)
    say(state, "told", OLD, "sent")
    say(state, "its edit", NOW, "waiting", Kind.EDIT, about="told")
    state.tidy(LIMIT)
    assert set(keys(state)) == {
        "waiting", "blocked", "young waiting", "young blocked", "young sent", "young refused", "young dropped",
        "told", "its edit",
    }  # fmt: skip


@pytest.mark.parametrize(
    "tidy", [lambda state: state.tidy(LIMIT), State.give_up_history], ids=["tidy", "give_up_history"]
)
def test_the_first_message_of_an_open_incident_stays_so_that_its_end_can_edit_it(state: State, tidy: object) -> None:
    open_one, over = incident(state, "a"), incident(state, "b", Phase.RESOLVED)
    for each in (open_one, over):
        say(state, f"incident:{each.id}:c:t", OLD, "sent")
        told_store.remember(state.connection, [each.id], Place("c", "t", f"incident:{each.id}:c:t"), OLD, rings=True)
    say(state, f"incident:{open_one.id}9:c:t", OLD, "sent")
    tidy(state)  # type: ignore[operator]
    assert keys(state) == [f"incident:{open_one.id}:c:t"]
    assert incident_store.get(state.connection, open_one.id) is not None
    assert incident_store.get(state.connection, over.id) is None


def test_the_number_of_an_incident_is_never_given_twice(state: State) -> None:
    first = incident(state, "a", Phase.RESOLVED)
    state.give_up_history()
    assert incident(state, "b").id > first.id


def test_history_is_bounded_in_time_and_in_rows(state: State) -> None:
    number = incident(state, "a").id
    with state.transaction() as connection:
        connection.execute("DELETE FROM incident_history")
        for line in range(100):
            incident_store.note(connection, number, OLD if line < 50 else NOW, str(line), "")
        connection.executemany(
            "INSERT INTO facts VALUES (?, 'backup', ?, '{}')", [(str(n), iso(OLD if n else NOW)) for n in range(9)]
        )
    state.tidy(LIMIT, keep=10)
    assert [what for _, what, _ in incident_store.history(state.connection, number)] == [str(n) for n in range(90, 100)]
    assert state.connection.execute("SELECT id FROM facts").fetchall()[0][0] == "0"


def test_the_reserve_is_laid_aside_once_and_given_up(state: State, path: Path) -> None:
    state.keep_reserve()
    state.keep_reserve()
    assert path.with_name("state.db.reserve").stat().st_size == 1024 * 1024
    state.give_up_history()
    assert not path.with_name("state.db.reserve").exists()


def fill(folder: Path) -> Path:
    """Use up every byte of the disk below `folder`."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65536, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def test_a_full_disk_is_a_state_error_and_nothing_is_lost(tmp_path: Path) -> None:
    assert os.geteuid() == 0, "run this suite as root: only root can make a small disk to fill"
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], check=True)
    try:
        with closing(open_state(disk / "state.db")) as state:
            state.put("word", "kept")
            say(state, "waiting", NOW)
            state.keep_reserve()
            ballast = fill(disk)
            with pytest.raises(StateError, match="disk"):
                for number in range(1000):
                    with state.transaction():
                        state.put(f"more{number}", "x" * 4000)
            assert state.get("word") == "kept"
            state.give_up_history()  # the reserve makes room for what matters
            say(state, "still said", NOW)
            ballast.unlink()
            with state.transaction():
                state.put("word", "after")
        with closing(open_state(disk / "state.db")) as state:
            assert state.get("word") == "after"
            assert keys(state) == ["waiting", "still said"]
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    assert os.geteuid() == 0, "run this suite as root: only root can make a small disk to fill"
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_long_history_is_given_up_with_no_more_room_than_the_reserve(disk: Path) -> None:
    with closing(open_state(disk / "state.db")) as state:
        number = incident(state, "a").id
        with state.transaction() as connection:
            for line in range(10_000):
                incident_store.note(connection, number, OLD, str(line), "x" * 60)
        say(state, "waiting", NOW)
        state.keep_reserve()
        fill(disk)
        state.give_up_history()
        assert incident_store.history(state.connection, number) == []
        for turn in range(300):
            say(state, f"still said {turn}", NOW)
        assert keys(state)[0] == "waiting"
        assert len(keys(state)) == 301


def test_on_a_full_disk_it_opens_with_what_the_reserve_gives_back(disk: Path) -> None:
    with closing(open_state(disk / "state.db")) as state:
        say(state, "waiting", NOW)
        state.keep_reserve()
    fill(disk)
    with closing(open_state(disk / "state.db")) as state:
        assert keys(state) == ["waiting"]
        say(state, "still said", NOW)
    fill(disk)
    with pytest.raises(StateError, match="its disk is full"):
        open_state(disk / "state.db")
    (disk / "ballast").unlink()
    with closing(open_state(disk / "state.db")) as state:
        assert keys(state) == ["waiting", "still said"]


WRITER = """
import sys
from pathlib import Path
from coloc.state import open_state
state = open_state(Path(sys.argv[1]))
n = int(state.get("n") or 0)
while True:
    n += 1
    with state.transaction():
        state.put("n", str(n))
        state.put("twin", str(n))
    sys.stdout.write(f"{n}\\n"); sys.stdout.flush()
"""


def test_kill_9_in_the_middle_of_writing_loses_nothing_that_was_committed(path: Path) -> None:
    last = 0
    for turn in range(4):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(10 + 7 * turn):
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.stdout.read().splitlines(keepends=True)
        writer.wait()
        writer.stdout.close()
        last = max([last, *(int(line) for line in rest if line.endswith("\n"))])
        with closing(open_state(path)) as state:
            assert int(state.get("n") or 0) >= last
            assert state.get("n") == state.get("twin")
