"""Plays the demo: its apps run, the agent watches them, one app falls and gets up again. Leaves no process behind."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import click

from agent.demo.layout import lay_out, write_programs
from agent.demo.systemctl import DemoUnits
from coloc.command import Child, start
from coloc.errors import ColocError

_FALLS = "mattermost"
_AGENT = "coloc-agent"
_SERVERS = ("prometheus", "synapse")  # with FULL=1
_AGENT_ENDS_SECONDS = 30
_UNIT_ENDS_SECONDS = 10


def show(folder: Path, *, port: int, language: str, full: bool) -> None:
    """Run the demo in `folder` until Ctrl-C or TERM. Raises ColocError."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    units = DemoUnits(folder)
    stop_all(units)  # what a demo that was killed left running: its port, too, is ours again
    listen = f"127.0.0.1:{_free(port)}"
    with ExitStack() as after:
        _lay_out(folder, units, listen, language, after, full=full)
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


def _lay_out(folder: Path, units: DemoUnits, listen: str, language: str, after: ExitStack, *, full: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    matrix = ""
    if full:
        from agent.demo.full import start_servers  # noqa: PLC0415 - real servers, only when asked for

        matrix = start_servers(folder, listen, units, after)
    try:
        lay_out(folder, listen=listen, language=language, matrix=matrix)
        write_programs(folder, [sys.executable])
    except OSError as error:
        raise ColocError(f"the demo cannot be laid out in {folder}: {error}", hint="use another --folder") from error
    after.callback(lambda: stop_all(units))


def _play(units: DemoUnits, stop: threading.Event, listen: str) -> None:
    """Once the agent serves, one app falls for a few seconds: an incident is raised, and resolved."""
    if not _wait(lambda: _answers(listen), stop, seconds=60) or stop.wait(8):
        return
    units.stop(_FALLS)
    stop.wait(10)
    units.start(_FALLS)


def _where_to_look(folder: Path, listen: str) -> None:
    here = folder.is_relative_to(Path.cwd())
    name = shlex.quote(str((folder.relative_to(Path.cwd()) if here else folder) / "bin/coloc-agent"))
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


def stop_all(units: DemoUnits) -> None:
    """End the agent first, then everything that the demo started, by the pids that were noted."""
    units.stop(_AGENT, patience_seconds=_AGENT_ENDS_SECONDS)
    for unit in (*units.names(), *_SERVERS):
        units.stop(unit, patience_seconds=_UNIT_ENDS_SECONDS)


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
