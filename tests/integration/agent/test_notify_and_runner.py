"""The words to systemd on a real socket, and the nightly run as a real child or a real file."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.notify import Notifier
from agent.runner import ChildRunner, SystemdRunner
from coloc.errors import ColocError


def until(holds: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    address = str(tmp_path / "notify") if request.param == "path" else f"@coloc-test-{tmp_path.name}-{id(request)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("\0" + address[1:] if address.startswith("@") else address)
        ear.settimeout(5)
        yield address, ear


def test_systemd_hears_each_word_as_one_datagram(systemd: tuple[str, socket.socket]) -> None:
    address, ear = systemd
    notifier = Notifier(address)
    notifier.ready("demo: stage alert")
    notifier.status("all is well\nMAINPID=1")
    notifier.reloading()
    notifier.alive()
    notifier.stopping()
    heard = [ear.recv(4096).decode() for _ in range(5)]
    assert heard[:2] == ["READY=1\nSTATUS=demo: stage alert", "STATUS=all is well MAINPID=1"]
    word, _, usec = heard[2].partition("\nMONOTONIC_USEC=")
    assert word == "RELOADING=1"
    assert abs(int(usec) - time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000) < 10_000_000
    assert heard[3:] == ["WATCHDOG=1", "STOPPING=1"]


def test_the_address_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "s"))
        ear.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "s"))
        Notifier().alive()
        assert ear.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "/gone/notify", "/" + "x" * 300])
def test_without_systemd_words_go_nowhere(address: str) -> None:
    Notifier(address).ready("x")


def test_a_socket_that_is_full_does_not_hold_the_agent(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "s"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    filler.sendto(b"x", str(tmp_path / "s"))
        began = time.monotonic()
        Notifier(str(tmp_path / "s")).alive()
        assert time.monotonic() - began < 3


def test_systemd_is_woken_by_a_file_each_time(tmp_path: Path) -> None:
    runner = SystemdRunner(tmp_path / "wake")
    runner.start_backup()
    assert (tmp_path / "wake" / "backup").read_bytes() == b""
    (tmp_path / "wake" / "backup").unlink()
    runner.start_backup()
    assert (tmp_path / "wake" / "backup").exists()
    runner.stop()


def test_a_wake_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ColocError, match="the nightly run cannot be started") as caught:
        SystemdRunner(tmp_path / "file").start_backup()
    assert "systemctl start coloc-agent-backup" in caught.value.hint
    with pytest.raises(ColocError, match="the nightly run cannot be started"):
        ChildRunner(tmp_path / "coloc.yml", tmp_path / "file" / "log").start_backup()


NIGHT = """#!/usr/bin/env python3
import pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
def note(word):
    with (here / "words").open("a") as file: file.write(word + "\\n")
def on_int(*_):
    note("int"); time.sleep(0.3); note("saved"); sys.exit(0)
signal.signal(signal.SIGINT, on_int)
signal.signal(signal.SIGTERM, lambda *_: note("term"))
note("began " + " ".join(sys.argv[1:]))
while not (here / "end").exists(): time.sleep(0.01)
"""


@pytest.fixture
def night(tmp_path: Path) -> Path:
    (tmp_path / "night").write_text(NIGHT.replace("/usr/bin/env python3", sys.executable))
    (tmp_path / "night").chmod(0o755)
    return tmp_path


def words(folder: Path) -> list[str]:
    return (folder / "words").read_text().splitlines() if (folder / "words").exists() else []


def test_a_child_runs_once_at_a_time_and_again_when_it_ended(night: Path) -> None:
    runner = ChildRunner(night / "coloc.yml", night / "log" / "backup.log", python=str(night / "night"))
    runner.start_backup()
    runner.start_backup()
    assert until(lambda: len(words(night)) == 1)
    assert words(night) == [f"began -m agent --config {night}/coloc.yml backup --nightly"]
    (night / "end").touch()
    began = len(words(night))

    def starts_again() -> bool:
        runner.start_backup()
        return len(words(night)) > began

    assert until(starts_again)
    runner.stop()


def test_a_child_that_is_stopped_gets_int_alone_and_time_to_save(night: Path) -> None:
    runner = ChildRunner(night / "coloc.yml", night / "backup.log", python=str(night / "night"))
    runner.start_backup()
    assert until(lambda: len(words(night)) == 1)
    runner.stop()
    assert words(night)[1:] == ["int", "saved"]
    runner.stop()


def test_stopping_what_never_began_is_nothing(tmp_path: Path) -> None:
    ChildRunner(tmp_path, tmp_path / "log").stop()
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
