"""Matrix is down: mail through a real postfix and a webhook tell it, killed or not; back, the room reads it unrung."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from alerts.channel import Channel
from alerts.delivery import Delivery
from alerts.elsewhere import elsewhere_of
from alerts.hushing import patience_of
from alerts.mail import MailChannel
from alerts.matrix import MatrixChannel
from alerts.webhook import WebhookChannel
from coloc import outbox
from coloc.outbox import Kind, Message
from coloc.secrets import Secret
from coloc.state import State, open_state
from coloc.times import now_utc
from tests.fakes.postfix import postfix
from tests.fakes.room import Room
from tests.fakes.sshd import free_port
from tests.fakes.taker import taking
from tests.fakes.telling_house import TellingHouse
from tests.fakes.waiting import until

_ROOT = Path(__file__).parents[3]
_KILLS, _ROWS = 6, 40


def depth(state: State, *channels: str) -> int:
    return sum(count for name, (count, _) in outbox.depth(state.connection).items() if not channels or name in channels)


def test_what_last_resorts_told_is_read_in_the_room_afterwards_and_rings_nobody(tmp_path: Path, room: Room) -> None:
    token = Secret(room.bot["access_token"])
    with ExitStack() as stack:
        server, taker = stack.enter_context(postfix(tmp_path / "postfix")), stack.enter_context(taking())
        channels = {
            "matrix": {"homeserver": room._server.base_url, "room": room.id},
            "mail": {"sender": "coloc@house.test", "to": ["lea@kept.test"]},
            "webhook": {"url": taker.url},
        }
        house = TellingHouse(tmp_path, channels=channels)

        def delivery(homeserver: str) -> Delivery:
            found: dict[str, Channel] = {
                "matrix": MatrixChannel(homeserver, token, room.id),
                "mail": MailChannel("127.0.0.1", server.port, sender="c@house.test", to=["lea@kept.test"], coloc="c"),
                "webhook": WebhookChannel(Secret(taker.url), None, coloc="c"),
            }
            made = Delivery(
                house.path,
                found,
                language="en",
                now=lambda: house.now,
                idle_seconds=0.05,
                elsewhere=elsewhere_of(house.config),
                patience=patience_of(house.config),
            )
            made.start()
            return made

        house.see("a0")
        silent = delivery(f"http://127.0.0.1:{free_port()}")
        tried = "SELECT 1 FROM outbox WHERE channel = 'matrix' AND attempts >= 2 AND state = 'waiting'"
        until(lambda: house.state.connection.execute(tried).fetchone() is not None, what="two tries")
        house.see("a0", after=16 * 60)
        until(lambda: not depth(house.state, "mail", "webhook") and len(server.box()) == 1, what="the mail")
        silent.stop()
        assert server.box()[0]["Subject"] == "[c] 🟠 A0 (a0) is down [#1]"
        assert [text.splitlines()[0] for text in taker.texts()] == ["🟠 A0 (a0) is down [#1]"]
        back = delivery(room._server.base_url)
        until(lambda: not depth(house.state), what="Matrix")
        (event,) = room.events()
        assert event["content"]["msgtype"] == "m.notice"
        assert event["content"]["body"].splitlines()[-1] in {"Told before by: mail", "Told before by: webhook"}
        house.see(after=60)
        until(lambda: not depth(house.state) and len(server.box()) == 2, what="the end")
        back.stop()
        text = room.messages()[0]
        assert "Resolved" in text
        assert text.splitlines()[-1] == "Told before by: mail, webhook"
        assert server.box()[1]["References"] == server.box()[0]["Message-ID"]
        house.state.close()


def test_killed_at_any_moment_each_message_arrives_at_least_once_with_its_own_key(tmp_path: Path) -> None:
    state, chance = open_state(tmp_path / "state.db"), random.Random(7)
    for number in range(_ROWS):
        with state.transaction() as connection:
            outbox.add(
                connection,
                channel="webhook",
                target="webhook",
                kind=Kind.NEW,
                key=f"test:{number}",  # what is not folded into a digest
                about=f"test:{number}",
                message=Message(f"message {number}", ""),
                now=now_utc(),
            )
    wanted = {row["txn_id"] for row in state.connection.execute("SELECT txn_id FROM outbox")}
    argv = [sys.executable, "-m", "tests.fakes.delivering", str(state.path)]
    with taking() as taker:
        for number in range(_KILLS + 1):
            with subprocess.Popen(
                [*argv, taker.url, "webhook"], cwd=_ROOT, env={"PATH": os.environ["PATH"]}, stdout=subprocess.PIPE
            ) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == b"started\n"
                if number < _KILLS:
                    before = len(taker.got)
                    until(lambda before=before: len(taker.got) > before or not depth(state), what="a message")  # type: ignore[misc]
                    time.sleep(chance.uniform(0, 0.01))  # any moment, not a lucky one
                else:
                    until(lambda: not depth(state), seconds=60, what="the rest")
                process.kill()
        assert set(taker.keys()) == wanted
        assert sorted(taker.texts()) == sorted(f"message {number}" for number in range(_ROWS))
        assert len(taker.keys()) <= _ROWS + _KILLS
    state.close()
