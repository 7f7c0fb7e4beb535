"""Every whole line once: whatever happens to the file between two looks, and wherever the looks cut it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors import log_follow
from collectors.log_folder import LogFolder

NAME = "a.test-access.log"


class Log:
    """A log and whoever turns it; nginx keeps writing into the file that it opened last."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.path.touch()
        self.written: list[bytes] = []
        self._file = self.path.open("ab", buffering=0)

    def write(self, count: int = 1) -> None:
        for _ in range(count):
            line = b"line %d %s\n" % (len(self.written), b"x" * (len(self.written) * 7 % 90))
            self._file.write(line)
            self.written.append(line)

    def begin_line(self) -> bytes:
        """Half a line; `end_line` writes the rest."""
        line = b"line %d in two halves\n" % len(self.written)
        self._file.write(line[:9])
        return line

    def end_line(self, line: bytes) -> None:
        self._file.write(line[9:])
        self.written.append(line)

    def rename(self) -> None:
        """What logrotate does before nginx is told."""
        for number in range(8, 0, -1):
            for suffix in ("", ".gz"):
                old = self.path.with_name(f"{NAME}.{number}{suffix}")
                if old.exists():
                    old.rename(self.path.with_name(f"{NAME}.{number + 1}{suffix}"))
        self.path.rename(self.path.with_name(f"{NAME}.1"))
        self.path.touch()

    def reopen(self) -> None:
        self._file.close()
        self._file = self.path.open("ab", buffering=0)

    def compress(self, number: int) -> None:
        plain = self.path.with_name(f"{NAME}.{number}")
        if not plain.exists():
            return
        packed = plain.with_name(f"{plain.name}.gz")
        with plain.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target)
        status = plain.stat()
        os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
        plain.unlink()

    def copy_and_truncate(self) -> None:
        """logrotate's copytruncate."""
        for number in range(8, 0, -1):
            for suffix in ("", ".gz"):
                old = self.path.with_name(f"{NAME}.{number}{suffix}")
                if old.exists():
                    old.rename(self.path.with_name(f"{NAME}.{number + 1}{suffix}"))
        shutil.copyfile(self.path, self.path.with_name(f"{NAME}.1"))
        os.truncate(self.path, 0)

    def close(self) -> None:
        self._file.close()


def follow(folder: Path, *, look_bytes: int = 1 << 20) -> LogFolder:
    return LogFolder(folder, "-access.log", most_logs=10, look_bytes=look_bytes)


def restarted(old: LogFolder, folder: Path, *, look_bytes: int = 1 << 20) -> LogFolder:
    new = follow(folder, look_bytes=look_bytes)
    new.restore(json.loads(json.dumps(old.marks())))
    return new


def lines_of(logs: LogFolder) -> list[bytes]:
    return [line for _, piece in logs.look() for line in piece.splitlines(keepends=True)]


def test_a_first_look_begins_at_the_end_and_a_later_log_at_its_beginning(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(3)
    half = log.begin_line()
    logs = follow(tmp_path)
    assert lines_of(logs) == []
    log.end_line(half)
    log.write(2)
    (tmp_path / "new.test-access.log").write_bytes(b"one\n")
    assert sorted(lines_of(logs)) == sorted([*log.written[3:], b"one\n"])
    log.close()


def test_what_nginx_still_writes_into_the_renamed_file_is_not_lost(tmp_path: Path) -> None:
    log, logs = Log(tmp_path), follow(tmp_path)
    seen = lines_of(logs)
    log.write(2)
    log.rename()
    log.write(2)
    seen += lines_of(logs)
    log.write(2)
    seen += lines_of(logs)
    log.reopen()
    log.write(1)
    seen += lines_of(logs)
    assert seen == log.written
    log.close()


def test_three_rotations_and_compression_while_the_agent_was_down_lose_nothing(tmp_path: Path) -> None:
    log, logs = Log(tmp_path), follow(tmp_path)
    seen = lines_of(logs)
    log.write(20)
    seen += lines_of(logs)
    for _ in range(3):
        log.write(5)
        log.rename()
        log.reopen()
        log.write(5)
        log.compress(2)
    log.compress(1)
    logs = restarted(logs, tmp_path)
    seen += lines_of(logs)
    assert seen == log.written
    assert logs.gaps == 0
    log.close()


def test_an_inode_that_is_used_again_is_not_taken_for_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"")
    logs = follow(tmp_path)
    lines_of(logs)
    path.write_bytes(b"old line\n")
    assert lines_of(logs) == [b"old line\n"]
    with path.open("r+b") as file:  # the same inode, other bytes, and longer than before
        file.write(b"new line 1\nnew line 2\n")
    assert lines_of(logs) == [b"new line 1\n", b"new line 2\n"]
    assert logs.gaps == 1


def test_an_endless_line_is_passed_over_and_does_not_fill_memory(tmp_path: Path) -> None:
    log, logs = Log(tmp_path), follow(tmp_path, look_bytes=64 << 20)
    lines_of(logs)
    with log.path.open("ab") as file:
        for _ in range(5):
            file.write(b"y" * log_follow.CHUNK)
        file.write(b"end of it\nafter\n")
    assert lines_of(logs) == [b"after\n"]
    log.close()


def test_a_broken_compressed_file_is_a_gap_and_no_failure(tmp_path: Path) -> None:
    log, logs = Log(tmp_path), follow(tmp_path)
    lines_of(logs)
    log.write(2000)
    lines_of(logs)
    log.write(1)
    log.rename()
    log.compress(1)
    packed = tmp_path / f"{NAME}.1.gz"
    packed.write_bytes(packed.read_bytes()[:-700])
    log.reopen()
    log.write(2)
    assert lines_of(logs)[-2:] == log.written[-2:]
    assert logs.gaps >= 1
    log.close()


def test_marks_that_are_damaged_are_as_none(tmp_path: Path) -> None:
    log = Log(tmp_path)
    log.write(2)
    marks: tuple[object, ...] = (
        None,
        [],
        {"x": 1},
        {NAME: [[1, 2], None]},
        {NAME: [["a"] * 5, 3]},
        {"../x.log": [None, None]},
    )
    for damaged in marks:
        logs = follow(tmp_path)
        logs.restore(damaged)
        assert set(lines_of(logs)) <= set(log.written)
    log.close()


def test_an_empty_log_that_got_the_inode_of_the_marked_one_is_not_taken_for_it(tmp_path: Path) -> None:
    log = Log(tmp_path)
    logs = follow(tmp_path)
    assert lines_of(logs) == []
    log.write()
    log.rename()
    log.reopen()
    log.compress(1)
    log.rename()
    marks = json.loads(json.dumps(logs.marks()))
    marks[NAME][0][0] = log.path.stat().st_ino  # as the system may give it
    again = follow(tmp_path)
    again.restore(marks)
    assert lines_of(again) == log.written
    log.close()


STEPS = st.sampled_from(
    ["write", "write", "much", "half", "look", "look", "little look", "rename", "reopen", "compress", "copy", "restart"]
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEPS, max_size=30))
def test_the_same_lines_are_given_wherever_looks_and_rotations_fall(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder))
        logs, seen, half, unopened = follow(Path(folder)), list[bytes](), None, False
        seen += lines_of(logs)
        for step in steps:
            if half is not None and step in {"write", "much", "half"}:
                log.end_line(half)
                half = None
            match step:
                case "write":
                    log.write()
                case "much":
                    log.write(40)
                case "half":
                    half = log.begin_line()
                case "look" | "little look":
                    seen += lines_of(logs)
                case "rename" if not unopened:  # logrotate turns once, then tells nginx
                    log.rename()
                    unopened = True
                case "reopen" if half is None:
                    log.reopen()
                    unopened = False
                case "compress" if not unopened and half is None:
                    log.compress(1)
                case "copy" if half is None and not unopened and log.path.stat().st_size:
                    seen += lines_of(logs)
                    log.copy_and_truncate()
                    seen += lines_of(logs)
                case "restart":
                    logs = restarted(logs, Path(folder), look_bytes=400)
        if half is not None:
            log.end_line(half)
        for _ in range(len(log.written) + 5):
            seen += lines_of(logs)
        log.close()
        assert sorted(seen) == sorted(log.written)
