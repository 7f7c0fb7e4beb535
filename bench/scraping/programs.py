"""The programs that are compared: the agent's real daemon with sixty apps, and two exporters of Debian."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coloc.facts import Spool
from scraping.load import FIRST_UID

ROOT = Path(__file__).resolve().parents[2]
APPS, PROJECTS = 60, 10
_GROUPS = "process_names:\n  - name: '{{.Username}}'\n    cmdline: ['.+']\n"
_SYSTEMCTL = """#!/bin/sh
while [ "$1" != -- ]; do shift; done; shift
for unit in "$@"; do printf 'Id=%s\\nLoadState=loaded\\nActiveState=active\\n\\n' "$unit"; done
"""


@dataclass(frozen=True, slots=True)
class Program:
    """A running exporter."""

    name: str
    pid: int
    port: int


@contextmanager
def process_exporter(folder: Path) -> Iterator[Program]:
    """prometheus-process-exporter with its defaults, one group for each user."""
    groups = folder / "process-exporter.yml"
    groups.write_text(_GROUPS)
    port = free_port()
    argv = ["prometheus-process-exporter", "-config.path", str(groups), f"-web.listen-address=127.0.0.1:{port}"]
    with _running("process-exporter", argv, port, folder) as program:
        yield program


@contextmanager
def node_exporter(folder: Path) -> Iterator[Program]:
    """prometheus-node-exporter with its defaults: it tells nothing of who used what."""
    port = free_port()
    argv = ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with _running("node_exporter", argv, port, folder) as program:
        yield program


@contextmanager
def agent(folder: Path, *, all_channels: bool) -> Iterator[Program]:
    """The daemon as systemd starts it, on a server of sixty apps. The channels are real, nobody answers there."""
    port = free_port()
    config = lay_out(folder / ("all" if all_channels else "console"), port, all_channels=all_channels)
    path = f"{config.parent / 'bin'}:{os.environ['PATH']}"
    env = {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), **_unit_environment()}
    argv = [sys.executable, "-m", "agent", "--config", str(config), "run"]
    with _running("agent, all channels" if all_channels else "agent", argv, port, config.parent, env) as program:
        yield program


def _unit_environment() -> dict[str, str]:
    """What the unit sets for the daemon."""
    lines = (ROOT / "deploy/systemd/coloc-agent.service").read_text().splitlines()
    settings = [line.removeprefix("Environment=") for line in lines if line.startswith("Environment=")]
    return dict(setting.split("=", 1) for setting in settings)


def lay_out(folder: Path, port: int, *, all_channels: bool) -> Path:
    """Write the server's tree and its coloc.yml; returns the path of the latter."""
    root = folder / "root"
    names = [f"app{number}" for number in range(APPS)]
    (root / "etc").mkdir(parents=True)
    passwd = [f"{name}:x:{FIRST_UID + number}:{FIRST_UID}::/:/bin/false\n" for number, name in enumerate(names)]
    (root / "etc/passwd").write_text("".join(passwd))
    apps = {}
    for number, name in enumerate(names):
        (root / "var/www" / name).mkdir(parents=True)
        (root / "var/www" / name / "data.db").write_bytes(b"x" * 4096)
        apps[name] = {
            "user": name,
            "folders": [f"/var/www/{name}"],
            "units": [f"{name}.service"],
            "databases": [{"kind": "sqlite", "name": f"/var/www/{name}/data.db"}],
            "domain": f"site{number % 20}.test",
            "path": f"/{name}",
        }
    quotas = {"cpu": 4, "memory": "8G", "disk": "100G", "database": "10G", "processes": 1000}
    projects = {f"project{n}": {"apps": names[n::PROJECTS], "quotas": quotas} for n in range(PROJECTS)}
    (folder / "bin").mkdir()
    (folder / "bin/systemctl").write_text(_SYSTEMCTL)
    (folder / "bin/systemctl").chmod(0o755)
    for name in ("state", "facts", "requests", "wake", "journal"):
        (folder / name).mkdir()
    now = datetime.now(UTC)
    spool = Spool(folder / "facts")
    for host in ("merle", "disque"):
        for name in names:
            spool.write("backup", now - timedelta(hours=1), app=name, host=host, ok=True, archive="a", bytes=10**9)
    secret = folder / "secret"
    secret.write_text("secret\n")
    secret.chmod(0o600)
    channels: dict[str, object] = {"console": None}
    if all_channels:
        channels["matrix"] = {"homeserver": "http://127.0.0.1:9", "room": "!a:b.test", "token_file": str(secret)}
        channels["forum"] = {"url": "http://127.0.0.1:9", "user": "coloc", "topic": 1, "key_file": str(secret)}
    config = {
        "coloc": {"name": "bench"},
        "stage": "alert",
        "listen": f"127.0.0.1:{port}",
        "startup_quiet": "1s",
        "root": str(root),
        "paths": {name: str(folder / name) for name in ("state", "facts", "journal", "requests", "wake")},
        "projects": projects,
        "apps": apps,
        "channels": channels,
    }
    (folder / "coloc.yml").write_text(json.dumps(config))  # JSON is YAML
    return folder / "coloc.yml"


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(
    name: str, argv: list[str], port: int, folder: Path, env: dict[str, str] | None = None
) -> Iterator[Program]:
    with (folder / "program.log").open("wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=ROOT)
        try:
            yield Program(name, process.pid, port)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
