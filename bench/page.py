"""What the page costs with sixty apps on three hosts: bytes of each page, and how long its reader waits.

python bench/page.py [apps] [turns]

A real state.db holds sixty days of nights and three months of use; pages are asked for over real HTTP, each on a
connection of its own.
`first` is the reading that finds nothing kept yet; p50 and p95 are over all turns after it, in both languages.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent.charter import day_store
from agent.page.paper import place
from agent.page.parts import PARTS
from agent.page.remembered import StateMemory
from agent.page.routes import Shelf, page_routes
from agent.status import Status
from agent.web import Web
from coloc.state import State, open_state
from coloc.times import iso, now_utc
from tests.fakes.page_scene import past, scene

MOST_BYTES, MOST_MILLISECONDS = 100_000, 50.0
NIGHTS = 60


def main() -> None:
    """A line for each page; exit 1 when one is too heavy or too slow."""
    apps = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    shown = _today(scene(apps))
    with tempfile.TemporaryDirectory() as folder:
        state = open_state(Path(folder) / "state.db")
        _fill(state, shown)
        web = Web(
            "127.0.0.1", 0, page_routes(Shelf(lambda: shown, "fr", StateMemory(state.path, ZoneInfo("Europe/Paris"))))
        )
        web.start()
        missed = [line for path in _paths(shown) for line in _page(web, path, turns)]
        web.stop()
        state.close()
    for line in missed:
        print(f"missed: {line}")
    sys.exit(bool(missed))


def _today(shown: Status) -> Status:

    return replace(shown, at=now_utc())


def _paths(shown: Status) -> list[str]:
    one = [f"/{place('projects', shown.projects[0].name)}", f"/{place('apps', shown.apps[0].id)}"]
    return [*(f"/{part.path}" for part in PARTS), *one]


def _fill(state: State, shown: Status) -> None:
    """The facts of sixty days and what was used in three months."""

    now = now_utc()
    with state.transaction() as connection:
        for ago in range(NIGHTS):
            for number, app in enumerate(shown.apps):
                at = iso(now - timedelta(days=ago, minutes=number))
                for host in shown.hosts:
                    for kind in ("backup", "proof"):
                        data = json.dumps({"app": app.id, "host": host, "ok": True, "archive": f"{app.id}-{ago}"})
                        row = (f"{kind}-{ago}-{app.id}-{host}", kind, at, data)
                        connection.execute("INSERT INTO facts VALUES (?, ?, ?, ?)", row)
        day_store.add(connection, past(shown).used or ())


def _page(web: Web, path: str, turns: int) -> list[str]:
    took: list[float] = []
    weights: list[int] = []
    for turn in range(turns + 1):
        request = urllib.request.Request(f"{web.url}{path}", headers={"Accept-Language": ("fr", "en")[turn % 2]})
        before = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            weights.append(len(answer.read()))
        took.append((time.perf_counter() - before) * 1000)
    first, rest = took[0], sorted(took[1:])
    p95 = rest[min(len(rest) - 1, int(0.95 * len(rest)))]
    print(
        f"{path:22} {max(weights):7} bytes  first {first:6.1f} ms  p50 {statistics.median(rest):6.1f}  p95 {p95:6.1f}"
    )
    heavy = [f"{path} weighs {max(weights)} bytes ({MOST_BYTES})"] if max(weights) > MOST_BYTES else []
    slow = [f"{path} takes {p95:.0f} ms ({MOST_MILLISECONDS:.0f})"] if p95 > MOST_MILLISECONDS else []
    return heavy + slow


if __name__ == "__main__":
    main()
