"""The other campaign: a real daemon is killed and its servers stopped while hundreds of incidents begin and end.

    python -m tests.faults.telling --incidents 200 --kills 30 --seed 7

Alerts come in by `POST /alertmanager`, told again until they are taken, as Alertmanager does. In the end each incident
stands once in the Matrix room, the old ones once on the forum, and each came at least once to the webhook.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from coloc.times import iso, now_utc
from tests.fakes.discourse import Discourse
from tests.fakes.prometheus import free_port
from tests.fakes.room import Room
from tests.fakes.synapse import Synapse
from tests.fakes.taker import Taker, taking
from tests.fakes.waiting import until
from tests.faults.checks import expect

TOKEN = "word"
_OVER = re.compile(r"(\d+)(?: are| incidents are) over")  # the head of a message of several
_PATIENCE = 120.0  # seconds, for everything to be told in the end


@dataclass(slots=True)
class Town:
    """The daemon and everybody that it speaks to."""

    folder: Path
    synapse: Synapse
    room: Room
    forum: Discourse
    taker: Taker
    port: int
    process: subprocess.Popen[bytes] | None = None
    open: dict[str, str] = field(default_factory=dict)  # fingerprint → severity
    over: set[str] = field(default_factory=set)
    kills: int = 0

    def start(self) -> None:
        """Start the daemon; it need not be ready."""
        argv = [sys.executable, "-m", "agent", "--config", str(self.folder / "coloc.yml"), "run"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)

    def kill(self) -> None:
        """It dies without a word."""
        assert self.process is not None
        expect(self.process.poll() is None, f"the daemon ended by itself: {self.said}")
        self.process.kill()
        self.process.wait()
        self.kills += 1

    def end(self) -> None:
        """End the daemon, if it runs."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def said(self) -> str:
        """Its last words."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def tell(self, fingerprints: list[str], *, firing: bool) -> None:
        """One webhook, until it is taken; the daemon may be dead meanwhile."""
        alerts = [
            {
                "status": "firing" if firing else "resolved",
                "fingerprint": fingerprint,
                "labels": {"alertname": "Trouble", "severity": self.open[fingerprint]},
                "annotations": {"summary": word_of(fingerprint)},
            }
            for fingerprint in fingerprints
        ]
        body = json.dumps({"version": "4", "alerts": alerts}).encode()
        until(lambda: self._post(body), seconds=60, what=f"a webhook to be taken; {self.said}")

    def _post(self, body: bytes) -> bool:
        url = f"http://127.0.0.1:{self.port}/alertmanager"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, body, {"Authorization": f"Bearer {TOKEN}"}), timeout=15
            ) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as error:
            with error:
                expect(error.code == 503, f"the webhook was refused with {error.code}")
            return False
        except OSError:
            return False

    def age(self) -> None:
        """Forty minutes go by while the daemon is dead: what is open began that much earlier."""
        earlier = iso(now_utc() - timedelta(minutes=40))
        with closing(sqlite3.connect(self.folder / "state/state.db", timeout=20)) as state, state:
            state.execute("UPDATE incidents SET fired_at = ? WHERE phase = 'firing'", (earlier,))

    def told(self) -> list[str]:
        """What people know of by now: what begins and ends between two looks is nobody's business."""
        with closing(sqlite3.connect(f"file:{self.folder}/state/state.db?mode=ro", uri=True, timeout=20)) as state:
            rows = state.execute(
                "SELECT labels FROM incidents WHERE rule = 'alertmanager:Trouble' AND phase = 'firing'"
            )
            return sorted(dict(json.loads(labels))["alert"] for (labels,) in rows.fetchall())

    def main_messages(self) -> list[str]:
        """What stands in the room, without what is in threads."""
        texts: dict[str, str] = {}
        for event in self.room.events():
            content = event["content"]
            relation = content.get("m.relates_to", {})
            if relation.get("rel_type") == "m.replace":
                texts[relation["event_id"]] = content["m.new_content"]["body"]
            elif relation.get("rel_type") != "m.thread":
                texts[event["event_id"]] = content["body"]
        return list(texts.values())

    def waiting(self) -> int:
        """Messages that were decided and not taken yet."""
        with closing(sqlite3.connect(f"file:{self.folder}/state/state.db?mode=ro", uri=True, timeout=20)) as state:
            return int(state.execute("SELECT count(*) FROM outbox WHERE state IN ('waiting', 'blocked')").fetchone()[0])

    def is_settled(self) -> bool:
        """Everything was decided and taken."""
        with closing(sqlite3.connect(f"file:{self.folder}/state/state.db?mode=ro", uri=True, timeout=20)) as state:
            (open_ones,) = state.execute(
                "SELECT count(*) FROM incidents WHERE rule LIKE 'alertmanager:%' AND phase = 'firing'"
            ).fetchone()
        return int(open_ones) == len(self.open) - len(self.over) and self.waiting() == 0


def word_of(fingerprint: str) -> str:
    """A word that no other incident bears."""
    return f"panne-{fingerprint}-fin"


@contextmanager
def open_town(folder: Path) -> Iterator[Town]:
    """Start the servers; the daemon is not started yet."""
    with ExitStack() as ends:
        synapse = Synapse(folder / "synapse")
        ends.callback(synapse.stop)
        synapse.start()
        room, forum = Room(synapse), Discourse()
        ends.callback(forum.stop)
        forum.settings["admin_requests_per_minute"] = 10_000
        taker = ends.enter_context(taking())
        town = Town(folder, synapse, room, forum, taker, free_port())
        (folder / "root").mkdir()
        for name, words in (("token", TOKEN), ("matrix", room.bot["access_token"]), ("forum", "good-key")):
            (folder / name).write_text(words)
            (folder / name).chmod(0o600)
        (folder / "coloc.yml").write_text(yaml.safe_dump(_configuration(town)))
        ends.callback(town.end)
        yield town


def _configuration(town: Town) -> dict[str, Any]:
    folder = town.folder
    matrix = {"homeserver": town.synapse.base_url, "token_file": str(folder / "matrix"), "room": town.room.id}
    forum = {"url": town.forum.url, "user": "coloc-agent", "key_file": str(folder / "forum"), "topic": 7}
    names = ("state", "facts", "journal", "requests", "wake")
    return {
        "coloc": {"name": "ruche", "language": "en"},
        "root": str(folder / "root"),
        "listen": f"127.0.0.1:{town.port}",
        "stage": "alert",
        "sampling": {"every": "1s"},
        "startup_quiet": "0.3s",  # else nothing new would be told between two kills
        "quiet_hours": "00:00-00:00",
        "paths": {name: str(folder / name) for name in names},
        "channels": {"matrix": matrix, "forum": forum, "webhook": {"url": town.taker.url, "always": True}},
        "from_alertmanager": {"token_file": str(folder / "token")},
    }


def campaign(town: Town, *, incidents: int, kills: int, seed: int) -> None:
    """Begin and end incidents, kill and stop meanwhile, and judge in the end. Raises Broken."""
    chance = random.Random(seed)
    fingerprints = [f"{number:016x}" for number in range(incidents)]
    town.start()
    when = sorted(chance.sample(range(incidents), min(kills, incidents)))
    for number, fingerprint in enumerate(fingerprints):
        town.open[fingerprint] = "critical" if chance.random() < 0.2 else "warning"
        town.tell([fingerprint], firing=True)
        if chance.random() < 0.7 and (known := [name for name in town.told() if name not in town.over]):
            ended = chance.choice(known)
            town.over.add(ended)
            town.tell([ended], firing=False)
        if number in when:
            time.sleep(chance.uniform(0, 1.2))  # any moment, not a lucky one
            town.kill()
            if chance.random() < 0.3:
                town.synapse.kill()
                town.synapse.start()
            if not town.forum.faults:  # it is asked late: they would pile up
                town.forum.fault(chance.choice(["reset", "lost", "html502"]), 2)
            town.start()
        elif chance.random() < 0.2:
            time.sleep(chance.uniform(0, 4))
    until(town.is_settled, seconds=_PATIENCE, what=f"everything to be told; {town.said}")
    town.kill()
    town.age()
    old = [name for name in town.open if name not in town.over and town.open[name] == "critical"]
    town.start()
    for _ in range(2):
        time.sleep(chance.uniform(1, 4))
        town.kill()
        town.start()
    until(
        lambda: all(word_of(name) in "\n".join(town.forum.ours()) for name in old) and town.is_settled(),
        seconds=_PATIENCE,
        what="the forum to hear of what is old",
    )
    judge(town, old)


def judge(town: Town, old: list[str]) -> None:
    """Every incident once in the room, the old ones once on the forum, all of them at the webhook; ends are told.

    A message of a storm names forty and counts the rest: the counts must add up.
    """
    room, forum = town.main_messages(), town.forum.ours()
    standing = Counter(name for name in town.open for text in room if word_of(name) in text)
    doubled = {name: count for name, count in standing.items() if count != 1}
    expect(not doubled, f"told in several messages of the room: {doubled}")
    unnamed = [name for name in town.open if not standing[name]]
    counted = sum(int(number) for text in room for number in re.findall(r"… and (\d+) more", text))
    expect(len(unnamed) == counted, f"{len(unnamed)} are not named in the room, {counted} are counted")
    over = sum(int(number) for text in room for number in _OVER.findall(text.split("\n")[0]))
    over += sum(text.startswith("✅ Resolved") for text in room)
    expect(over == len(town.over), f"{len(town.over)} are over, {over} are told so")
    for name in standing:
        (line,) = {line for text in room for line in text.split("\n") if word_of(name) in line}
        expect(("✅" in line) == (name in town.over), f"{name} is told wrongly: {line}")
    for name in old:
        posts = sum(word_of(name) in post for post in forum)
        expect(posts == 1, f"told {posts} times on the forum: {name}")
    told = "\n".join(town.taker.texts())
    silent = [name for name in standing if word_of(name) not in told]
    expect(not silent, f"never told to the webhook: {silent}")
    bodies: dict[str, set[bytes]] = {}
    for key, (_, _, body) in zip(town.taker.keys(), town.taker.got, strict=True):
        bodies.setdefault(key, set()).add(body)
    expect(all(len(found) == 1 for found in bodies.values()), "one Idempotency-Key came with two bodies")


def main() -> int:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--incidents", type=int, default=200)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="coloc-telling-") as folder, open_town(Path(folder)) as town:
        try:
            campaign(town, incidents=options.incidents, kills=options.kills, seed=seed)
        except AssertionError as error:
            print(f"BROKEN with seed {seed}: {error}", file=sys.stderr)
            return 1
        messages = len(town.main_messages())
        repeats = len(town.taker.got) - len(set(town.taker.keys()))
    print(
        f"{options.incidents} incidents, {town.kills} kills, {messages} messages in the room, {repeats} repeats at the"
        f" webhook, seed {seed}, {time.monotonic() - began:.0f} s: every promise kept"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
