"""The door for a team's Alertmanager, with the real one: who may tell, what is kept, and what is answered."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agent.foreign_alerts import SENT_BY
from agent.foreign_door import PATH, ForeignDoor, takers_of
from agent.web import Web
from coloc.secrets import Secret
from coloc.state import open_state
from tests.fakes.alertmanager import Alertmanager
from tests.fakes.waiting import until

TOKEN = "a-token-of-forty-letters"
CAPTURED = Path(__file__).parents[2] / "captured/alertmanager/am-webhook-firing.json"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}


class Told:
    """A web server with the door, on a state."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "state.db"
        self.state = open_state(self.path)
        self.woken: list[bool] = []
        self.door = ForeignDoor(Secret(TOKEN), "c", self.path, lambda: self.woken.append(True))
        self.web = Web("127.0.0.1", 0, {}, takers=takers_of(self.door), read_seconds=1.0)
        self.web.start()

    def post(self, body: bytes, headers: Mapping[str, str] = SHOWN, path: str = PATH) -> tuple[int, str]:
        with closing(http.client.HTTPConnection(*self.web.address, timeout=20)) as connection:
            connection.request("POST", path, body=body, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def rows(self) -> list[tuple[str, int]]:
        rows = self.state.connection.execute("SELECT name, firing FROM foreign_alerts ORDER BY name").fetchall()
        return [(row["name"], row["firing"]) for row in rows]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    found = Told(tmp_path)
    yield found
    found.web.stop()
    found.state.close()


def post_alert(address: str, labels: Mapping[str, str], **more: str) -> None:
    host, port = address.split(":")

    def once() -> bool:
        with closing(http.client.HTTPConnection(host, int(port), timeout=5)) as connection:
            body: list[dict[str, Any]] = [{"labels": dict(labels), "annotations": {"summary": "slow"}, **more}]
            try:
                connection.request("POST", "/api/v2/alerts", json.dumps(body), {"Content-Type": "application/json"})
                return connection.getresponse().status == 200
            except OSError:
                return False

    until(once)


def test_a_real_alertmanager_tells_begin_and_end_and_nothing_of_ours(told: Told, tmp_path: Path) -> None:
    with Alertmanager(tmp_path / "am", f"{told.web.url}{PATH}", token=TOKEN) as alertmanager:
        post_alert(alertmanager.address, {"alertname": "Circle", "sent_by": SENT_BY})
        post_alert(alertmanager.address, {"alertname": "Slow", "severity": "critical"})
        until(lambda: told.rows() == [("Slow", 1)])
        ended = {"startsAt": "2026-11-23T00:00:00Z", "endsAt": "2026-11-23T00:01:00Z"}
        post_alert(alertmanager.address, {"alertname": "Slow", "severity": "critical"}, **ended)
        until(lambda: told.rows() == [("Slow", 0)])
        until(lambda: told.door.ours > 0)
    assert told.woken and told.door.refused == 0


@pytest.mark.parametrize(
    "shown", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xe9", f"Bearer  {TOKEN} x"]
)
def test_who_does_not_show_the_token_is_told_so_and_nothing_is_kept(told: Told, shown: str) -> None:
    status, said = told.post(CAPTURED.read_bytes(), {"Authorization": shown})
    assert (status, said) == (401, "show the token of from_alertmanager.token_file\n")
    assert told.rows() == [] and not told.woken and told.door.refused == 1


def test_a_large_body_of_a_stranger_is_not_kept_and_still_answered(told: Told) -> None:
    status, _ = told.post(b"x" * (1024 * 1024), {"Authorization": "Bearer wrong"})
    assert status == 401


def test_each_refusal_has_its_own_word(told: Told) -> None:
    assert told.post(b"x" * (1024 * 1024 + 1))[0] == 413
    assert told.post(b"{}") == (400, "the body is not a webhook of Alertmanager, version 4\n")
    assert told.post(b"", path="/other")[0] == 405
    with closing(http.client.HTTPConnection(*told.web.address, timeout=5)) as connection:
        connection.putrequest("POST", PATH)
        connection.putheader("Authorization", f"Bearer {TOKEN}")
        connection.endheaders()
        assert connection.getresponse().status == 411
    assert told.rows() == []


def test_a_body_that_never_comes_holds_nobody_up(told: Told) -> None:
    with closing(http.client.HTTPConnection(*told.web.address, timeout=20)) as slow:
        slow.putrequest("POST", PATH)
        slow.putheader("Authorization", f"Bearer {TOKEN}")
        slow.putheader("Content-Length", "1000")
        slow.endheaders()
        assert told.post(CAPTURED.read_bytes())[0] == 200
        with pytest.raises(http.client.RemoteDisconnected):
            slow.getresponse()


def test_trouble_of_ours_asks_to_be_told_again(told: Told) -> None:
    told.state.connection.execute("DROP TABLE foreign_alerts")
    status, said = told.post(CAPTURED.read_bytes())
    assert (status, said) == (503, "it cannot be kept now, say it again\n")
    assert told.door.taken == 0 and not told.woken
