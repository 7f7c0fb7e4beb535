"""A real dbus-daemon, and a systemd on it in another implementation of D-Bus: changes are heard, and nothing else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coloc import unit_signals
from coloc.unit_signals import Bus, UnitSignals, subscribe, unescaped
from tests.fakes.system_bus import SystemBus
from tests.fakes.waiting import until

Start = Callable[[], tuple[UnitSignals, list[frozenset[str]]]]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[SystemBus]:
    bus = SystemBus(tmp_path)
    yield bus
    bus.stop()


@pytest.fixture
def listen(bus: SystemBus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(unit_signals, "_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(unit_signals, "_AGAIN_SECONDS", 0.1)
    running: list[UnitSignals] = []

    def start() -> tuple[UnitSignals, list[frozenset[str]]]:
        heard: list[frozenset[str]] = []
        running.append(UnitSignals(heard.append, bus=bus.socket))
        running[-1].start()
        until(running[-1].listens.is_set)
        return running[-1], heard

    yield start
    for signals in running:
        signals.stop()


def test_units_that_change_are_heard_by_their_names(bus: SystemBus, listen: Start) -> None:
    _, heard = listen()
    assert bus.subscribed == 1
    bus.change("blog_2eservice")
    until(lambda: heard)
    assert heard == [frozenset({"blog.service"})]
    bus.change("php8_2e2_2dfpm_2eservice")
    until(lambda: len(heard) == 2)
    assert heard[1] == {"php8.2-fpm.service"}


def test_other_signals_are_not(bus: SystemBus, listen: Start) -> None:
    _, heard = listen()
    bus.change("blog_2eservice", interface="org.freedesktop.systemd1.Service")
    bus.change("wiki_2eservice", member="SomethingElse")
    bus.change("last_2eservice")
    until(lambda: heard)
    assert heard == [frozenset({"last.service"})]


def test_a_storm_is_told_a_few_times_and_whole(bus: SystemBus, listen: Start) -> None:
    _, heard = listen()
    for number in range(300):
        bus.change(f"u{number}_2eservice")
    until(lambda: len(frozenset().union(*heard)) == 300)
    assert len(heard) <= 3


def test_a_bus_that_comes_back_is_heard_again(bus: SystemBus, listen: Start) -> None:
    signals, heard = listen()
    bus.stop()
    until(lambda: not signals.listens.is_set())
    bus.start()
    until(signals.listens.is_set)
    bus.change("blog_2eservice")
    until(lambda: heard)


def test_no_bus_or_one_that_refuses_is_an_error_in_words(bus: SystemBus, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        subscribe(tmp_path / "none")
    bus.refuses = True
    with pytest.raises(OSError, match="refuses Subscribe"):
        subscribe(bus.socket)


def test_what_is_no_bus_is_left_within_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_signals, "_ANSWER_SECONDS", 0.3)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "bus"))
        server.listen()
        with pytest.raises(OSError, match="timed out"):
            subscribe(tmp_path / "bus")


@given(st.binary(max_size=400))
def test_nonsense_from_the_bus_neither_hangs_nor_makes_names_up(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with Bus(ours) as bus, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        done = threading.Event()
        try:
            for _ in range(10):
                assert all(name.isprintable() for name in bus.changed(0.01))
        except (OSError, ValueError):
            done.set()
        assert done.is_set(), "the end of the connection was not seen"


@pytest.mark.parametrize(
    ("path", "name"),
    [("blog_2eservice", "blog.service"), ("a_5fb_40c_2eservice", "a_b@c.service"), ("plain", "plain")],
)
def test_names_are_unescaped(path: str, name: str) -> None:
    assert unescaped(path) == name
