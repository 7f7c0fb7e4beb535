"""Borg's failures become one typed sentence each, for the client of Debian 12 and for ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from backup.borg_errors import (
    ArchiveExists,
    ArchiveMissing,
    BorgError,
    ContentFailed,
    HostDown,
    HostRefused,
    NoBorgThere,
    PathRefused,
    QuotaExceeded,
    RepositoryFull,
    RepositoryLocked,
    RepositoryMissing,
    RepositoryReplaced,
    Said,
    SourceMissing,
    WrongPassphrase,
    failure,
)
from backup.borg_output import Listener

CAPTURED = Path(__file__).parents[2] / "captured" / "borg"


def listen(file: Path) -> Listener:
    listener = Listener()
    for line in file.read_text().splitlines():
        listener(line)
    return listener


@pytest.mark.parametrize("version", ["1.2.4", "1.4.5"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("badpass", WrongPassphrase),
        ("badpass-modern", WrongPassphrase),
        ("lock-timeout", RepositoryLocked),
        ("lock-timeout-modern", RepositoryLocked),
        ("norepo", RepositoryMissing),
        ("noarchive", ArchiveMissing),
        ("no-borg-there", NoBorgThere),
        ("path-not-allowed", PathRefused),
        ("ssh-denied", HostRefused),
        ("ssh-refused", HostDown),
        ("contentcmd-fail", ContentFailed),
        ("create-missing-src", SourceMissing),
        ("create-exists", ArchiveExists),
        ("usage-error", BorgError),
    ],
)
def test_each_captured_failure_has_its_type(version: str, name: str, kind: type[BorgError]) -> None:
    error = failure(listen(CAPTURED / version / f"{name}.err").said, 2, "merle")
    assert type(error) is kind
    assert str(error).startswith("merle: ")
    assert error.hint
    assert "\n" not in error.sentence()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Said("ERROR", "x", "Repository.StorageQuotaExceeded"), QuotaExceeded),
        (Said("ERROR", "Remote: The storage quota (30.00 GB) has been exceeded (30.1 GB)."), QuotaExceeded),
        (Said("ERROR", "Traceback ...\nOSError: [Errno 28] No space left on device", "Exception"), RepositoryFull),
        (Said("ERROR", "x", "Cache.RepositoryReplay"), RepositoryReplaced),
        (Said("ERROR", "x", "ConnectionBrokenWithHint"), HostDown),
        (Said("ERROR", "x", "ConnectionClosed"), HostDown),
        (Said("TEXT", "Segmentation fault"), BorgError),
    ],
)
def test_other_failures(said: Said, kind: type[BorgError]) -> None:
    assert type(failure([said], 2, "merle")) is kind


def test_a_host_that_is_not_the_one_we_know_is_refused() -> None:
    said = [
        Said("WARNING", "Remote: Host key verification failed."),
        Said("ERROR", "Connection closed by remote host.", "ConnectionClosedWithHint"),
    ]
    assert type(failure(said, 81, "merle")) is HostRefused


def test_silence_has_a_sentence_too() -> None:
    killed = "merle: borg was killed (signal 9) — was memory short (dmesg)? run it again"
    assert failure([], -9, "merle").sentence() == killed


def test_lines_are_bounded() -> None:
    listener = Listener()
    for _ in range(1000):
        listener("junk " * 10_000)
    assert len(listener.said) == 100
    assert all(len(said.text) <= 2000 for said in listener.said)


def test_a_file_name_cannot_write_on_the_terminal() -> None:
    said = [Said("WARNING", "/a\x1b[2J\udcff\nb: [Errno 13] Permission denied", "BackupPermissionError")]
    assert "(/a?[2J? b: [Errno 13]" in str(failure(said, 105, "merle"))
