"""Plays the demo: its apps run, the agent watches them, one app falls and gets up again. Leaves no process behind."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from agent.demo.layout import lay_out, write_systemctl
from agent.demo.systemctl import DemoUnits
from coloc.command import Child, start
from coloc.errors import ColocError

_FALLS = "mattermost"
_AGENT = "coloc-agent"
_AGENT_ENDS_SECONDS = 30


def show(folder: Path, *, port: int, language: str, full: bool) -> None:
    """Run the demo in `folder` until Ctrl-C or TERM. Raises ColocError."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    listen = f"127.0.0.1:{_free(port)}"
    with ExitStack() as after:
        units = _lay_out(folder, listen, language, after, full=full)
        for unit in units.names():
            units.start(unit)
        env = {"PATH": f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        argv = [sys.executable, "-m", "agent", "--config", str(folder / "coloc.yml"), "run"]
        agent = start(argv, log=None, env=env)
        units.note(_AGENT, agent.pid)
        after.callback(lambda: _end(agent))
        _where_to_look(folder, listen)
        threading.Thread(target=_play, args=(units, stop, listen), daemon=True).start()
        while not stop.wait(0.2):
            if agent.poll() is not None:
                raise ColocError(f"the agent ended with {agent.poll()}", hint="its last lines above say why")


def _lay_out(folder: Path, listen: str, language: str, after: ExitStack, *, full: bool) -> DemoUnits:
    folder.mkdir(parents=True, exist_ok=True)
    units = DemoUnits(folder)
    _stop_all(units)  # what a demo that was killed left running
    matrix = ""
    if full:
        from agent.demo.full import start_servers  # noqa: PLC0415 - real servers, only when asked for

        matrix = start_servers(folder, listen, after)
    try:
        lay_out(folder, listen=listen, language=language, matrix=matrix)
        write_systemctl(folder, [sys.executable])
    except OSError as error:
        raise ColocError(f"the demo cannot be laid out in {folder}: {error}", hint="use another --folder") from error
    after.callback(lambda: _stop_all(units))
    return units


def _play(units: DemoUnits, stop: threading.Event, listen: str) -> None:
    """Once the agent serves, one app falls for a few seconds: an incident is raised, and resolved."""
    if not _wait(lambda: _answers(listen), stop, seconds=60) or stop.wait(8):
        return
    units.stop(_FALLS)
    stop.wait(10)
    units.start(_FALLS)


def _where_to_look(folder: Path, listen: str) -> None:
    name = f"coloc-agent --config {folder / 'coloc.yml'}"
    lines = [
        "",
        f"  La page / the page        http://{listen}/",
        f"  Prometheus                http://{listen}/metrics",
        f"  Les archives              {name} archives",
        f"  Restaurer / restore       {name} restore kanboard --dry-run",
        f"  L'état / status           {name} status",
        "  Ctrl-C arrête tout / stops everything.",
        "",
    ]
    if os.geteuid() != 0:
        lines.insert(-1, "  Sans root, les apps tournent sous ton compte : CPU et mémoire par app ne se voient pas.")
        lines.insert(-1, "  Without root the apps run under your account: CPU and memory per app cannot be seen.")
    click.echo("\n".join(lines))


def _end(agent: Child) -> None:
    os.kill(agent.pid, signal.SIGTERM) if agent.poll() is None else None
    agent.stop(grace_seconds=_AGENT_ENDS_SECONDS)


def _stop_all(units: DemoUnits) -> None:
    units.stop(_AGENT, patience_seconds=_AGENT_ENDS_SECONDS)
    for unit in units.names():
        units.stop(unit)


def _wait(true: Callable[[], bool], stop: threading.Event, *, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        if stop.wait(0.2):
            return False
    return False


def _answers(listen: str) -> bool:
    host, port = listen.rsplit(":", 1)
    try:
        with socket.create_connection((host, int(port)), timeout=0.5):
            return True
    except OSError:
        return False


def _free(port: int) -> int:
    """`port` when it is free, else any other."""
    for candidate in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ColocError("no port is free on 127.0.0.1", hint="close something and try again")
