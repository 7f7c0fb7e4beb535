"""A maintenance on a real homeserver and the forum's stand-in: one post, one notice, edited to the end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.maintenance.desk import Desk
from agent.maintenance.plan import Maintenance
from alerts.channel import Channel
from alerts.delivery import Delivery
from alerts.forum import ForumChannel
from alerts.matrix import MatrixChannel
from coloc import outbox
from coloc.config.whole import Config
from coloc.model import App
from coloc.secrets import Secret
from coloc.state import State, open_state
from coloc.times import for_people, now_utc
from tests.fakes.colocations import colocation
from tests.fakes.discourse import running
from tests.fakes.room import Room
from tests.fakes.synapse import Synapse
from tests.fakes.waiting import until


def waiting(state: State) -> int:
    return sum(count for count, _ in outbox.depth(state.connection).values())


@pytest.mark.parametrize("fault", ["lost", "reset", "html502"])
def test_a_forum_that_stumbles_delays_nothing_and_bears_one_post(
    tmp_path: Path, synapse: Synapse, room: Room, fault: str
) -> None:
    state = open_state(tmp_path / "state.db")
    with running() as (forum, url):
        forum.fault(fault)
        config = Config.model_validate(
            {
                "coloc": {"name": "ruche"},
                "stage": "alert",
                "channels": {
                    "matrix": {"homeserver": synapse.base_url, "room": room.id},
                    "forum": {"url": url, "user": "coloc-agent", "topic": 7},
                },
            }
        )
        channels: dict[str, Channel] = {
            "matrix": MatrixChannel(synapse.base_url, Secret(room.bot["access_token"]), room.id),
            "forum": ForumChannel(url, "coloc-agent", Secret("good-key"), 7),
        }
        apps = colocation(App("nuage", "nextcloud", "Nuage"))
        delivery = Delivery(state.path, channels)
        delivery.start()
        try:
            begin = now_utc()
            with state.transaction() as connection:
                made = Desk(connection, config, apps, begin).declare(
                    "Mise à jour", "léa", begin, timedelta(hours=1), app="nuage"
                )
                Desk(connection, config, apps, begin).follow_the_clock()
            assert isinstance(made, Maintenance)
            delivery.wake()
            until(lambda: room.messages(), seconds=20)
            forum.human("Merci !")
            end = begin + timedelta(minutes=20)
            with state.transaction() as connection:
                Desk(connection, config, apps, end).ask(made.id, "end", timedelta(0))
            delivery.wake()
            until(lambda: waiting(state) == 0, seconds=30)
        finally:
            delivery.stop()
    (post,) = forum.ours()
    at = for_people(end, ZoneInfo("Europe/Paris"))
    for text in (post.replace("\\", ""), room.messages()[0]):
        assert "Maintenance terminée : Mise à jour [M1]" in text
        assert f"Terminée : {at}" in text
        assert "Rien de ce qu'elle concerne n'est en panne." in text
    sent = [event["content"] for event in room.events() if event["content"]["m.mentions"] == {}]
    assert {each["msgtype"] for each in sent if "m.relates_to" not in each} == {"m.notice"}, "nobody is rung"
    state.close()
