"""From a unit that fails to a message seen in Matrix: the agent, beside Prometheus, Alertmanager and a bridge.

python bench/latency.py [--rounds N], as root. A real dbus-daemon stands for systemd's, Synapse is the homeserver, the
agent keeps its usual intervals, and so do the others: scrapes and evaluations each 15 s, `for: 0`, `group_wait: 30s`.
Prometheus reads `coloc_app_up` from the agent itself, which is at once as fresh as it can be: the best case for it.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import yaml

from coloc.unit_signals import BUS
from tests.fakes.alertmanager import Alertmanager
from tests.fakes.prometheus import Prometheus, free_port
from tests.fakes.room import Room
from tests.fakes.synapse import Synapse, call
from tests.fakes.system_bus import SystemBus
from tests.fakes.systemctl import Units
from tests.fakes.waiting import until

_APART = 20.0  # seconds between two failures, at least: what begins within 15 s is one message
_WHOLE, _AFTER_DECISION = 5.0, 0.2
_PROMETHEUS = """
global: {{scrape_interval: 15s, evaluation_interval: 15s}}
rule_files: [rules.yml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["ALERTMANAGER"]}}]}}]}}
scrape_configs: [{{job_name: coloc, static_configs: [{{targets: ["{target}"]}}]}}]
"""
_RULES = """
groups:
  - name: apps
    rules: [{alert: app_down, expr: coloc_app_up == 0, for: 0s}]
"""
_ROUTE = """
route: {{receiver: bridge, group_by: [alertname, app], group_wait: 30s, group_interval: 5m, repeat_interval: 4h}}
receivers: [{{name: bridge, webhook_configs: [{{url: "{url}"}}]}}]
"""


class Watcher:
    """Léa's client: it notes when an app's name is first seen in each room."""

    def __init__(self, server: Synapse) -> None:
        self.seen: dict[tuple[str, str], float] = {}  # (room, app) → moment since 1970
        self._server, self._over = server, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more."""
        self._over.set()
        self._thread.join(15)

    def _watch(self) -> None:
        token, since = self._server.user("lea")["access_token"], ""
        while not self._over.is_set():
            url = f"{self._server.base_url}/_matrix/client/v3/sync?timeout=5000{since}"
            _, answer = call("GET", url, None, token)
            now, since = time.time(), f"&since={answer['next_batch']}"
            for room, values in answer.get("rooms", {}).get("join", {}).items():
                for event in values["timeline"]["events"]:
                    for word in json.dumps(event["content"]).replace("\\n", " ").split():
                        if word.strip("(),\"'").startswith("app-"):
                            self.seen.setdefault((room, word.strip("(),\"'")), now)


@contextmanager
def bridge(room: Room, server: Synapse) -> Iterator[str]:
    """The smallest honest one: each webhook is one message, sent at once."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            alerts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"]
            text = "\n".join(f"{one['status']} {one['labels']['alertname']} {one['labels']['app']}" for one in alerts)
            url = (
                f"{server.base_url}/_matrix/client/v3/rooms/{quote(room.id)}/send/m.room.message/{secrets.token_hex(8)}"
            )
            call("PUT", url, {"msgtype": "m.text", "body": text}, room.bot["access_token"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        threading.Thread(target=found.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{found.server_address[1]}/"
        found.shutdown()


def main() -> int:
    """Let unit after unit fail, and see when people know. 1 when a target is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=12)
    asked = parser.parse_args()
    if BUS.exists():
        raise SystemExit(f"{BUS} is there: run it where no systemd is, such as in a container")
    with tempfile.TemporaryDirectory(prefix="coloc-bench-") as name, ExitStack() as ends:
        folder, apps = Path(name), [f"app-{number}" for number in range(asked.rounds)]
        folder.chmod(0o755)
        server = Synapse(folder / "synapse")
        ends.callback(server.stop)
        server.start()
        ours, theirs = Room(server), Room(server)
        bus = SystemBus(folder)
        ends.callback(bus.stop)
        BUS.symlink_to(bus.socket)
        ends.callback(BUS.unlink)
        units = Units(folder / "bin")
        for app in apps:
            units.set(f"{app}.service", "active")
        port = free_port()
        daemon = _daemon(folder, server, ours, apps, units, port)
        ends.callback(daemon.wait)
        ends.callback(daemon.terminate)
        url = ends.enter_context(bridge(theirs, server))
        alertmanager = Alertmanager(folder / "alertmanager", url)
        (folder / "alertmanager/alertmanager.yml").write_text(_ROUTE.format(url=url))
        ends.enter_context(alertmanager)
        (folder / "prometheus").mkdir()
        (folder / "prometheus/rules.yml").write_text(_RULES)
        config = _PROMETHEUS.replace("ALERTMANAGER", alertmanager.address)
        prometheus = ends.enter_context(Prometheus(folder / "prometheus", f"127.0.0.1:{port}", config=config))
        until(lambda: len(prometheus.query("coloc_app_up == 1")) == len(apps), seconds=120, what="a first scrape")
        watcher = Watcher(server)
        ends.callback(watcher.stop)
        failed = _fail(apps, units, bus)
        rooms = {"agent": ours.id, "prometheus": theirs.id}
        for app in apps:
            for who, room in rooms.items():
                until(lambda at=(room, app): at in watcher.seen, seconds=180, what=f"{app} told by {who}")  # type: ignore[misc]
        spans = {who: [watcher.seen[room, app] - failed[app] for app in apps] for who, room in rooms.items()}
        spoken = _decided(folder / "state/state.db", apps)
        spans["after the decision"] = [watcher.seen[ours.id, app] - spoken[app] for app in apps]
    return report(spans)


def _daemon(
    folder: Path, server: Synapse, room: Room, apps: list[str], units: Units, port: int
) -> subprocess.Popen[bytes]:
    (folder / "token").write_text(room.bot["access_token"])
    (folder / "token").chmod(0o600)
    matrix = {"homeserver": server.base_url, "token_file": str(folder / "token"), "room": room.id}
    settings = {
        "coloc": {"name": "bench", "language": "en"},
        "listen": f"127.0.0.1:{port}",
        "stage": "alert",
        "startup_quiet": "1s",
        "quiet_hours": "00:00-00:00",
        "paths": {name: str(folder / name) for name in ("state", "facts", "journal", "requests", "wake")},
        "channels": {"matrix": matrix},
        "apps": {app: {"units": [app]} for app in apps},
    }
    (folder / "coloc.yml").write_text(yaml.safe_dump(settings))
    env = {"PATH": f"{units.folder}:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
    argv = [sys.executable, "-m", "agent", "--config", str(folder / "coloc.yml"), "run"]
    with (folder / "agent.log").open("wb") as log:
        return subprocess.Popen(argv, env=env, stdout=log, stderr=log, cwd=Path(__file__).resolve().parents[1])


def _fail(apps: list[str], units: Units, bus: SystemBus) -> dict[str, float]:
    """One unit after the other fails, at any moment of everybody's rounds; when each did, in seconds since 1970."""
    failed = {}
    for app in apps:
        time.sleep(_APART + random.uniform(0, 15))
        units.set(f"{app}.service", "failed")
        failed[app] = time.time()
        bus.change(app.replace("-", "_2d") + "_2eservice")
    return failed


def _decided(state: Path, apps: list[str]) -> dict[str, float]:
    """When the agent decided to tell each: the row of the outbox that names it first."""
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT created_at, payload FROM outbox ORDER BY id").fetchall()
    return {
        app: next(datetime.fromisoformat(at).timestamp() for at, payload in rows if f"{app})" in payload)
        for app in apps
    }


def report(spans: dict[str, list[float]]) -> int:
    """The table. 1 when a target is missed."""
    for who, found in spans.items():
        middle, worst = statistics.median(found), max(found)
        print(f"{who:20} median {middle:7.3f} s   worst {worst:7.3f} s   ({len(found)} failures)")
    ours, after = statistics.median(spans["agent"]), statistics.median(spans["after the decision"])
    times = statistics.median(spans["prometheus"]) / ours
    print(f"Prometheus, Alertmanager and the bridge take {times:.0f} times as long")
    missed = [f"{_WHOLE} s from fact to message is missed"] if ours > _WHOLE else []
    missed += [f"{_AFTER_DECISION} s from decision to message is missed"] if after > _AFTER_DECISION else []
    print("\n".join(missed) or "every target is met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
