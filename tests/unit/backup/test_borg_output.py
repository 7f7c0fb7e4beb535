"""Borg's JSON becomes our types, for the client of Debian 12 and for ours; anything else is one error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup.borg_errors import BorgError, HostDown, Said, failure
from backup.borg_output import (
    Listener,
    Progress,
    parse_archive_infos,
    parse_created,
    parse_item,
    parse_line,
    parse_list,
    parse_repository_info,
)

CAPTURED = Path(__file__).parents[2] / "captured" / "borg"
VERSIONS = pytest.mark.parametrize("version", ["1.2.4", "1.4.5"])


@VERSIONS
def test_create(version: str) -> None:
    created = parse_created((CAPTURED / version / "create.out").read_text(), [])
    assert created.files == 29
    assert created.original_bytes > 31_000_000
    assert created.deduplicated_bytes > 31_000_000
    assert created.started_at.tzinfo is UTC
    assert len(created.repository_id) == 64
    assert created.warnings == ()


@VERSIONS
def test_a_missing_source_is_a_warning_of_the_archive(version: str) -> None:
    listener = Listener()
    for line in (CAPTURED / version / "create-missing-src.err").read_text().splitlines():
        listener(line)
    created = parse_created((CAPTURED / version / "create-missing-src.out").read_text(), listener.said)
    assert [warning.text.startswith("/nonexistent: ") for warning in created.warnings] == [True]
    assert created.unreadable == ()


def test_what_changes_is_life_and_what_cannot_be_read_is_not() -> None:
    text = (CAPTURED / "1.4.5" / "create.out").read_text()
    said = [
        Said("WARNING", "/a: file changed while we backed it up", "FileChangedWarning"),
        Said("WARNING", "/b: open: [Errno 13] Permission denied: 'b'", "BackupPermissionError"),
        Said("WARNING", "/c: stat: [Errno 2] No such file or directory: 'c'", "BackupFileNotFoundError"),
        Said("WARNING", "/d: read: [Errno 5] Input/output error: 'd'", "BackupIOError"),
        Said("WARNING", "The files cache can't be read. [[Errno 2] No such file or directory: 'x']"),
        Said("INFO", "terminating"),
    ]
    created = parse_created(text, said)
    assert [line.text[:2] for line in created.warnings] == ["/a", "/b", "/c", "/d"]
    assert [line.text[:2] for line in created.unreadable] == ["/b", "/d"]


@VERSIONS
def test_list(version: str) -> None:
    listing = parse_list((CAPTURED / version / "list-after-fail.out").read_text())
    archives = listing.archives
    assert len(listing.repository_id) == 64
    assert [archive.name for archive in archives][1:] == ["app1-b", "app1-c", "app1-c2", "db-1", "db-2", "db-4"]
    assert archives[0].started_at.date() == datetime(2026, 11, 23, tzinfo=UTC).date()


@VERSIONS
def test_info_of_an_archive(version: str) -> None:
    (info,) = parse_archive_infos((CAPTURED / version / "info-archive.out").read_text())
    assert (info.name, info.files) == ("app1-b", 29)
    assert info.original_bytes > 31_000_000


@VERSIONS
def test_info_of_the_repository(version: str) -> None:
    info = parse_repository_info((CAPTURED / version / "info-repo.out").read_text())
    assert (len(info.id), info.unique_bytes > 35_000_000) == (64, True)


@VERSIONS
def test_items(version: str) -> None:
    items = [parse_item(line) for line in (CAPTURED / version / "list-items.out").read_text().splitlines()]
    assert items[0].type == "d"
    assert items[2].path.endswith("/sub/f")
    assert {item.type for item in items} >= {"d", "-"}


@VERSIONS
def test_progress_of_create_and_check(version: str) -> None:
    seen: list[Progress] = []
    for name in ("create", "check"):
        listener = Listener(seen.append)
        for line in (CAPTURED / version / f"{name}.err").read_text().splitlines():
            listener(line)
    assert seen[-1].total_bytes > 0
    assert any(step.files == 28 or step.done_bytes > 1_000_000 for step in seen)


def _spoken(text: str, msgid: str = "", level: str = "WARNING") -> str:
    return json.dumps({"type": "log_message", "levelname": level, "message": text, "msgid": msgid})


@pytest.mark.parametrize("place", [0, 500, 999])
@pytest.mark.parametrize(
    ("harmless", "msgid"),
    [
        ("/a: file changed while we backed it up", "FileChangedWarning"),
        ("/a: stat: [Errno 2] No such file or directory: 'a'", "BackupFileNotFoundError"),
        ("Remote: hello", ""),
    ],
)
def test_a_thousand_harmless_words_hide_no_file_that_could_not_be_read(place: int, harmless: str, msgid: str) -> None:
    listener = Listener()
    for number in range(1000):
        listener(_spoken(harmless, msgid))
        if number == place:
            listener(_spoken("/b: read: [Errno 5] Input/output error: 'b'", "BackupIOError"))
    created = parse_created((CAPTURED / "1.4.5" / "create.out").read_text(), listener.said)
    assert [line.text[:2] for line in created.unreadable] == ["/b"]
    assert len(listener.said) <= 1001


def test_the_reason_of_the_end_is_heard_after_a_thousand_words() -> None:
    listener = Listener()
    for _ in range(1000):
        listener(_spoken("Remote: hello"))
    listener(_spoken("Failed to create/acquire the lock", "LockTimeout", "ERROR"))
    assert listener.said[-1].msgid == "LockTimeout"
    assert len(listener.said) <= 200


def test_a_broken_connection_is_the_reason_and_not_the_file_that_vanished_before() -> None:
    listener = Listener()
    listener(_spoken("/a: stat: [Errno 2] No such file or directory: 'a'", "BackupFileNotFoundError"))
    listener(_spoken("Connection closed by remote host.", "ConnectionClosed", "ERROR"))
    assert isinstance(failure(listener.said, 80, "merle"), HostDown)


def test_more_vanished_files_than_can_be_remembered_are_no_success() -> None:
    listener = Listener()
    for number in range(6000):
        listener(_spoken(f"/{number}: stat: [Errno 2] No such file or directory: 'a'", "BackupFileNotFoundError"))
    created = parse_created((CAPTURED / "1.4.5" / "create.out").read_text(), listener.said)
    assert [line.text for line in created.unreadable] == ["more than 5000 files vanished meanwhile"]


def test_junk_is_kept_as_text() -> None:
    assert parse_line("Traceback (most recent call last):") == Said("TEXT", "Traceback (most recent call last):")
    assert parse_line("[1, 2]") == Said("TEXT", "[1, 2]")
    assert parse_line("   ") is None
    assert parse_line("[" * 100_000) == Said("TEXT", "[" * 2000)


@settings(deadline=None)
@given(st.text())
def test_no_line_breaks_the_listener(text: str) -> None:
    Listener(lambda _: None)(text)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"archives": 3}', '{"archives": [{"name": "x"}]}', "nul"])
def test_anything_else_is_one_error(text: str) -> None:
    for parse in (parse_list, parse_archive_infos, parse_repository_info, parse_item):
        with pytest.raises(BorgError, match="printed what cannot be read"):
            parse(text)
    with pytest.raises(BorgError):
        parse_created(text, [])
