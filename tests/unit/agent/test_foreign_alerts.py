"""What an Alertmanager tells us: read strictly, told like our own incidents, never in a circle, over when it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.alertmanager_alerts import alerts_of
from agent.foreign_alerts import MOST, ForeignAlert, keep, read_webhook, standing
from agent.incidents import Incident, Severity
from coloc.state import open_state
from tests.fakes.telling_house import NOON, TellingHouse

CAPTURED = Path(__file__).parents[2] / "captured/alertmanager"
FIRING, RESOLVED = ((CAPTURED / f"am-webhook-{name}.json").read_bytes() for name in ("firing", "resolved"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=12,
)


def webhook(*alerts: dict[str, Any]) -> bytes:
    return json.dumps({"version": "4", "alerts": list(alerts)}).encode()


def alert(fingerprint: str = "7c5519bc28956eb2", *, firing: bool = True, **labels: str) -> dict[str, Any]:
    status = "firing" if firing else "resolved"
    return {"status": status, "fingerprint": fingerprint, "labels": {"alertname": "Slow"} | labels, "annotations": {}}


def read(body: bytes) -> list[ForeignAlert]:
    return read_webhook(body, "c")[0]


class Told(TellingHouse):
    """A house that an Alertmanager speaks to."""

    def __init__(self, folder: Path, **config: Any) -> None:
        super().__init__(folder, from_alertmanager={"token_file": "/nowhere", "forget_after": "1h"}, **config)

    def told(self, body: bytes) -> None:
        with self.state.transaction() as connection:
            keep(connection, read(body), self.now)
        self.see()

    def standing(self) -> list[Incident]:
        return [each for each in self.incidents() if each.resolved_at is None]

    def texts(self) -> list[str]:
        return [said.text for said in self.said() if said.channel == "matrix"]


def test_a_captured_webhook_is_read() -> None:
    (one,) = read(FIRING)
    assert (one.name, one.severity, one.firing) == ("DiskFull", Severity.CRITICAL, True)
    assert one.value == {"text": "disque /var à 93 %", "where": "https://exemple.invalid/rb"}
    assert one.labels == {"instance": "vps1"}
    assert [each.firing for each in read(RESOLVED)] == [False]


def test_it_is_told_once_and_ends_when_alertmanager_says_so(tmp_path: Path) -> None:
    house = Told(tmp_path)
    house.told(FIRING)
    house.told(FIRING)
    rung = [said for said in house.said() if said.channel == "matrix" and said.rings]
    assert len(rung) == 1
    assert "disque /var à 93 %" in rung[0].text and "https://exemple.invalid/rb" in rung[0].text
    house.told(RESOLVED)
    assert house.texts()[-1].startswith("✅")
    assert house.standing() == []


def test_what_is_not_said_again_is_over_after_a_while(tmp_path: Path) -> None:
    house = Told(tmp_path)
    house.told(FIRING)
    house.now += timedelta(minutes=59)
    house.see()
    assert len(house.standing()) == 1
    house.now += timedelta(minutes=2)
    house.see()
    assert house.standing() == []


def test_without_the_key_what_was_told_is_over(tmp_path: Path) -> None:
    house = Told(tmp_path)
    house.told(FIRING)
    house.config = replace(house.config, from_alertmanager=None)
    house.see()
    assert house.standing() == []


@pytest.mark.parametrize(
    ("labels", "about"),
    [
        ({"app": "a1"}, {"app": "a1", "project": "velo"}),
        ({"app": "unknown", "project": "velo"}, {"project": "velo"}),
        ({"project": "nobody's"}, {}),
    ],
)
def test_labels_that_name_nobody_here_are_left_out(
    tmp_path: Path, labels: dict[str, str], about: dict[str, str]
) -> None:
    house = Told(tmp_path)
    house.colocation = replace(house.colocation, projects=("velo",), shares={"a1": {"velo": 1.0}})
    house.told(webhook(alert() | {"labels": {"alertname": "Slow"} | labels}))
    (incident,) = house.incidents()
    found = dict(incident.labels)
    assert found.pop("alert") == "7c5519bc28956eb2"
    assert found == about


def test_what_we_posted_or_say_ourselves_is_never_taken_back() -> None:
    ours = [alert(sent_by="coloc-agent"), alert(alertname="app_down", coloc="c")]
    alerts, left_out = read_webhook(webhook(*ours, alert(alertname="app_down", coloc="other")), "c")
    assert (len(alerts), left_out) == (1, 2)


def test_what_alertmanager_told_us_is_not_posted_to_it(tmp_path: Path) -> None:
    house = Told(tmp_path)
    house.told(FIRING)
    assert house.incidents() and alerts_of(house.incidents(), house.config, house.now) == []


def test_hostile_text_neither_rings_nor_forges(tmp_path: Path) -> None:
    house = Told(tmp_path)
    one = alert(alertname="x{y}\n@room" * 40)
    one["annotations"] = {"summary": "@room\n✅ all is well [#1]\u202e<b>", "description": "@lea:m.test " * 200_000}
    house.told(webhook(one))
    (text,) = house.texts()
    assert "@room" not in text and "@lea" not in text and "\u202e" not in text and len(text) < 2000
    assert len(text.split("\n")) == 4
    (incident,) = house.incidents()
    assert "\n" not in incident.rule and "{" not in incident.rule and len(incident.rule) < 80


def test_more_than_there_is_room_for_is_counted_and_what_is_known_goes_on(tmp_path: Path) -> None:
    state = open_state(tmp_path / "state.db")
    with state.transaction() as connection:
        many = read(webhook(*(alert(f"{number:016x}") for number in range(MOST + 3))))
        assert keep(connection, many, NOON) == 3
        assert keep(connection, read(webhook(alert(f"{0:016x}", firing=False))), NOON) == 0
        assert keep(connection, read(webhook(alert(f"{MOST:016x}"))), NOON) == 0
        keys = Told(tmp_path / "house").config.from_alertmanager
        assert len(standing(connection, keys, NOON)) == MOST
    state.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"version": "3", "alerts": []}',
        b"[" * 100_000,
        webhook({"status": "firing", "labels": {}}),
        webhook(alert() | {"status": "maybe"}),
        webhook(alert() | {"labels": {"alertname": 3}}),
        webhook(alert() | {"labels": []}),
        webhook(alert("../../etc")),
        b'{"version": "4", "alerts": [3]}',
    ],
)
def test_what_is_no_webhook_is_one_sentence(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(the body|an alert|labels)[^\n]*$"):
        read(body)


@given(json_values, st.dictionaries(st.sampled_from(["status", "labels", "annotations", "fingerprint"]), json_values))
def test_nothing_else_than_a_sentence_comes_of_any_body(anything: Any, changes: dict[str, Any]) -> None:
    for body in (anything, {"version": "4", "alerts": anything}, {"version": "4", "alerts": [alert() | changes]}):
        try:
            found = read(json.dumps(body).encode())
        except ValueError as error:
            assert "\n" not in str(error)
            continue
        assert all(len(json.dumps(dict(one.value))) < 6000 and len(one.name) <= 60 for one in found)
