"""The ping of the heartbeat against a real server: when it goes, how it counts, and that its address stays a secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from agent.copies import speaking
from agent.door import Door
from agent.pinger import Pinger
from agent.pinging import pinger_families, pinger_of, remember
from agent.web import Request, Response, Web
from coloc.config.heartbeat import Heartbeat
from coloc.config.whole import Config
from coloc.errors import ConfigError
from coloc.state import State, open_state
from tests.fakes.sshd import free_port
from tests.fakes.waiting import until

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
SECRET = "0f1e2d3c-s3cret"


class Taker:
    """A healthchecks-style address."""

    def __init__(self) -> None:
        self.asked, self.status = 0, HTTPStatus.OK
        port = free_port()
        self.web = Web("127.0.0.1", port, {f"/ping/{SECRET}": self.take}, door=Door())
        self.url = f"http://127.0.0.1:{port}/ping/{SECRET}"

    def take(self, _: Request) -> Response:
        self.asked += 1
        return Response(b"OK", status=self.status)


@pytest.fixture
def taker() -> Iterator[Taker]:
    taker = Taker()
    taker.web.start()
    yield taker
    taker.web.stop()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(tmp_path / "state.db")
    yield state
    state.close()


def keys(folder: Path, url: str, **more: Any) -> Heartbeat:
    file = folder / "ping"
    file.write_text(url)
    file.chmod(0o600)
    return Heartbeat.model_validate({"ping_file": str(file)} | more)


def config(heartbeat: Heartbeat | None) -> Config:
    data = {"ping_file": str(heartbeat.ping_file)} if heartbeat else None
    return Config.model_validate({"coloc": {"name": "c"}, "heartbeat": data})


def test_it_asks_once_a_minute_however_often_a_round_is_made(taker: Taker, tmp_path: Path) -> None:
    clock = [100.0]
    pinger = Pinger(keys(tmp_path, taker.url), NOW, now=lambda: NOW, monotonic=lambda: clock[0])
    pinger.start()
    for second in (0, 15, 30, 45, 61):
        clock[0] = 100.0 + second
        assert pinger.ping() is (second in {0, 61})
        expected = 1 if second < 60 else 2
        until(lambda expected=expected: pinger.pings.arrived == expected, what="the ping")  # type: ignore[misc]
    pinger.stop()
    assert taker.asked == 2


def test_a_failure_counts_and_is_logged_once_without_the_address(
    taker: Taker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)  # the daemon's own
    later = NOW + timedelta(hours=1)
    pinger = Pinger(keys(tmp_path, taker.url, every=0), NOW, now=lambda: later)
    pinger.start()
    taker.status = HTTPStatus.NOT_FOUND
    for number in (1, 2):
        pinger.ping()
        until(lambda number=number: pinger.pings.failed == number, what="the failure")  # type: ignore[misc]
    assert pinger.pings.awaited_since == NOW
    taker.status = HTTPStatus.OK
    pinger.ping()
    until(lambda: pinger.pings.arrived == 1, what="the ping")
    pinger.stop()
    assert pinger.pings.awaited_since == later
    ours = [record for record in caplog.records if record.name == "agent.pinger"]
    assert [record.levelname for record in ours] == ["WARNING", "INFO"]
    assert ours[0].__dict__["why"] == "it answers 404"
    everything = caplog.text + repr([record.__dict__ for record in ours]) + repr(vars(pinger))
    assert SECRET not in everything


def test_nobody_there_is_a_failure_and_not_an_end(tmp_path: Path) -> None:
    pinger = Pinger(keys(tmp_path, f"http://127.0.0.1:{free_port()}/{SECRET}", method="post", every=0), NOW)
    pinger.start()
    for number in (1, 2):
        pinger.ping()
        until(lambda number=number: pinger.pings.failed == number, what="the failure")  # type: ignore[misc]
    pinger.stop()
    assert pinger.pings.why.startswith("no answer")


def test_an_address_in_clear_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        Pinger(keys(tmp_path, f"http://hc.example.org/{SECRET}"), NOW)
    assert SECRET not in error.value.sentence()


def test_a_restart_does_not_make_an_old_failure_young(state: State, tmp_path: Path) -> None:
    mine = config(keys(tmp_path, "https://hc.example.org/x"))
    pinger = pinger_of(mine, state, NOW)
    assert pinger is not None
    remember(pinger, state)
    again = pinger_of(mine, state, NOW + timedelta(hours=2))
    assert again is not None
    assert again.pings.awaited_since == NOW
    ahead = pinger_of(mine, state, NOW - timedelta(days=1))
    assert ahead is not None
    assert ahead.pings.awaited_since == NOW - timedelta(days=1), "the clock was ahead"


def test_without_heartbeat_nothing_is_asked_and_one_that_comes_later_begins_anew(state: State, tmp_path: Path) -> None:
    mine = config(keys(tmp_path, "https://hc.example.org/x"))
    remember(pinger_of(mine, state, NOW), state)
    assert pinger_of(config(None), state, NOW) is None
    assert pinger_families(None) == []
    later = pinger_of(mine, state, NOW + timedelta(days=30))
    assert later is not None
    assert later.pings.awaited_since == NOW + timedelta(days=30)


def test_a_copy_of_the_server_does_not_feign_that_the_original_lives(state: State, tmp_path: Path) -> None:
    mine = replace(config(keys(tmp_path, "https://hc.example.org/x")), root=tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("0123\n")
    assert speaking(mine, state).heartbeat is not None
    (tmp_path / "etc/machine-id").write_text("4567\n")
    assert speaking(mine, state).heartbeat is None
