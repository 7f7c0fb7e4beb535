"""`make run FULL=1`: a real Prometheus that scrapes the demo, and a real Matrix server with a room for its alerts."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
import requests

from agent.demo.systemctl import DemoUnits
from coloc.command import run, start
from coloc.errors import ColocError

_PROMETHEUS = """\
global: {{scrape_interval: 5s}}
scrape_configs:
  - job_name: coloc
    static_configs: [{{targets: ["{listen}"], labels: {{coloc: demo}}}}]
"""
_MATRIX = "  matrix: {{homeserver: {url}, token_file: {token}, room: '{room}'}}\n"
_SYNAPSE = Path(__file__).parents[2] / "tests" / "fakes" / "synapse.py"


def start_servers(folder: Path, listen: str, units: DemoUnits, after: ExitStack) -> str:
    """Start both; they end with `after`. Returns the lines of coloc.yml for the Matrix channel. Raises ColocError."""
    _start_prometheus(folder / "prometheus", listen, units, after)
    return _start_synapse(folder, units, after)


def _start_prometheus(folder: Path, listen: str, units: DemoUnits, after: ExitStack) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(_PROMETHEUS.format(listen=listen))
    argv = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
    child = start([*argv, "--web.listen-address=127.0.0.1:9943"], log=folder / "prometheus.log")
    after.callback(child.stop)
    units.note("prometheus", child.pid)  # a demo that is killed leaves it to the next one, to be ended
    click.echo("  Prometheus                http://127.0.0.1:9943/")


def _start_synapse(folder: Path, units: DemoUnits, after: ExitStack) -> str:
    if not _SYNAPSE.exists():
        raise ColocError(
            "the Matrix server of the demo is started from a checkout", hint="clone the project, then: make run FULL=1"
        )
    click.echo("  Matrix: starting Synapse (the first time it is installed, a minute or two)…")
    home = folder / "synapse"
    output = run([sys.executable, str(_SYNAPSE), "--dir", str(home), "--users", "bot,lea"], timeout=600)
    server = json.loads(output.stdout)
    after.callback(lambda: run([sys.executable, str(_SYNAPSE), "--stop", str(home)], timeout=30))
    units.note("synapse", int((home / "pid").read_text()))
    bot, lea = server["users"]["bot"], server["users"]["lea"]
    room = _room(server["base_url"], bot["access_token"], lea)
    token = folder / "secrets" / "matrix-token"
    token.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    token.write_text(bot["access_token"])
    token.chmod(0o600)
    click.echo(f"  Matrix                    {server['base_url']} room {room}; read it as {lea['user_id']}")
    return _MATRIX.format(url=server["base_url"], token=token, room=room)


def _room(url: str, token: str, guest: dict[str, Any]) -> str:
    def post(path: str, who: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = requests.post(
            f"{url}/_matrix/client/v3/{path}", json=body, headers={"Authorization": f"Bearer {who}"}, timeout=10
        )
        answer.raise_for_status()
        values: dict[str, Any] = answer.json()
        return values

    room: str = post("createRoom", token, {"name": "Coloc demo", "invite": [guest["user_id"]]})["room_id"]
    post(f"join/{room}", guest["access_token"], {})
    return room
