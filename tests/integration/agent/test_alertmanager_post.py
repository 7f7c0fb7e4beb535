"""Incidents at a real Alertmanager: they arrive once, end, survive its absence, and are told by its own webhook."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from agent import incident_store
from agent.alertmanager_post import Poster, poster_families, poster_of
from agent.copies import speaking
from agent.incidents import Change, Incident, Phase, Severity, Step
from agent.web import Request, Response, Web
from coloc.config.whole import Config
from coloc.state import State, open_state
from coloc.times import now_utc
from tests.fakes.alertmanager import Alertmanager, Receiver
from tests.fakes.prometheus import free_port
from tests.fakes.waiting import until

HOSTILE = 'nuage"}\n@room <b>\u202e'


def config(address: str, **more: Any) -> Config:
    return Config.model_validate(
        {
            "coloc": {"name": "hautepierre"},
            "stage": "alert",
            "alertmanager": {"url": f"http://{address}", "every": 1} | more,
        }
    )


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    state = open_state(tmp_path / "state.db")
    yield state
    state.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def fired(state: State, app: str, now: datetime) -> Incident:
    incident = Incident(
        f"app_down{{app={app!r}}}",
        "app_down",
        (("app", app), ("project", "velo")),
        Phase.FIRING,
        Severity.WARNING,
        {},
        pending_since=now,
        fired_at=now,
    )
    return save(state, incident, Change.FIRED, now)


def save(state: State, incident: Incident, change: Change, now: datetime) -> Incident:
    with state.transaction() as connection:
        return incident_store.save(connection, Step(incident, change), now)


def poster(config: Config) -> Poster:
    made = poster_of(config)
    assert made is not None
    made.start()
    return made


def figures(poster: Poster) -> list[float]:
    return [sample.value for family in poster_families(poster) for sample in family.samples]


def known(address: str) -> list[dict[str, Any]]:
    with urlopen(f"http://{address}/api/v2/alerts", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)
        return found


def test_an_incident_begins_and_ends_there_and_its_webhook_tells_both(
    state: State, tmp_path: Path, receiver: Receiver
) -> None:
    with Alertmanager(tmp_path / "am", receiver.url) as alertmanager:
        ours = poster(config(alertmanager.address))
        begun = now_utc() - timedelta(seconds=5)
        incident = fired(state, HOSTILE, begun)

        def posted(count: int) -> None:
            def done() -> bool:
                ours.offer(state.connection, now_utc())
                return ours.taken >= count

            until(done, what=f"{count} posts")

        posted(2)  # the second says the same again, and makes no second alert
        (alert,) = known(alertmanager.address)
        assert alert["labels"]["app"] == HOSTILE
        until(lambda: [each["status"] for each in receiver.alerts] == ["firing"], what="the webhook")
        over = replace(incident, phase=Phase.RESOLVED, resolved_at=now_utc())
        save(state, over, Change.RESOLVED, now_utc())
        posted(ours.taken + 1)
        until(lambda: [each["status"] for each in receiver.alerts] == ["firing", "resolved"], what="the end")
        assert {each["labels"]["incident"] for each in receiver.alerts} == {str(incident.id)}
        ours.stop()


def test_what_is_open_arrives_when_it_answers_again(
    state: State, tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    alertmanager = Alertmanager(tmp_path / "am", receiver.url)
    ours = poster(config(alertmanager.address))
    fired(state, "nuage", now_utc())
    for number in (1, 2):
        assert ours.offer(state.connection, now_utc()), "what was not taken is due"
        until(lambda number=number: ours.failed == number, what="the failure")  # type: ignore[misc]
    assert ours.trouble.startswith("no answer")
    assert figures(ours) == [0, 0, 2]
    with alertmanager:

        def arrived() -> bool:
            ours.offer(state.connection, now_utc())
            return ours.taken > 0

        until(arrived, what="the post")
        assert [each["labels"]["app"] for each in known(alertmanager.address)] == ["nuage"]
        assert figures(ours)[0] == 1
        ours.stop()
    said = [record.levelname for record in caplog.records if record.name == "agent.alertmanager_post"]
    assert said == ["WARNING", "INFO"], "once each, not at every try"


def test_trouble_ends_though_what_was_to_be_said_is_gone_meanwhile(
    state: State, tmp_path: Path, receiver: Receiver
) -> None:
    alertmanager = Alertmanager(tmp_path / "am", receiver.url)
    ours = poster(config(alertmanager.address))
    incident = fired(state, "nuage", now_utc())
    ours.offer(state.connection, now_utc())
    until(lambda: ours.failed == 1, what="the failure")
    save(state, replace(incident, phase=Phase.PENDING), Change.VANISHED, now_utc())
    with alertmanager:

        def well() -> bool:
            ours.offer(state.connection, now_utc())
            return not ours.trouble

        until(well, what="a post that was taken")
        ours.stop()


def test_its_token_goes_along_and_stands_nowhere_else(
    state: State, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    asked: list[str | None] = []

    def take(request: Request) -> Response:
        asked.append(request.headers.get("Authorization"))
        return Response(b"no", status=HTTPStatus.FORBIDDEN)

    token = tmp_path / "token"
    token.write_text("s3cret-token\n")
    token.chmod(0o600)
    port = free_port()
    web = Web("127.0.0.1", port, {"/am/api/v2/alerts": take})
    web.start()
    ours = poster(config(f"127.0.0.1:{port}/am", token_file=str(token)))
    fired(state, "nuage", now_utc())
    ours.offer(state.connection, now_utc())
    until(lambda: ours.failed == 1, what="the refusal")
    ours.stop()
    web.stop()
    assert "s3cret" not in caplog.text + repr(vars(ours)) + ours.trouble


def test_a_stage_before_alert_and_a_copy_of_the_server_post_nothing(state: State, tmp_path: Path) -> None:
    mine = config("127.0.0.1:9093")
    assert poster_of(replace(mine, stage="observe")) is None
    mine = replace(mine, root=tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text("0123\n")
    assert poster_of(speaking(mine, state)) is not None
    (tmp_path / "etc/machine-id").write_text("4567\n")
    assert poster_of(speaking(mine, state)) is None
