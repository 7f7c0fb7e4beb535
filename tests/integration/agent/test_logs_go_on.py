"""The daemon's counters from logs go on where they were, stopped or killed."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path

import pytest

from tests.fakes.waiting import until

ROOT = Path(__file__).parents[3]
LINE = b'192.0.2.1 - - [24/Nov/2026:03:00:00 +0000] "GET /x HTTP/2.0" 200 1 "-" "-"\n'
CONFIG = """
coloc: {{name: essai}}
listen: "127.0.0.1:{port}"
root: {folder}/root
apps: {{blog: {{folders: [/srv], domain: a.test, path: /}}}}
paths: {{state: {folder}/state, facts: {folder}/facts, journal: {folder}/j, requests: {folder}/r, wake: {folder}/w}}
sampling: {{every: 0.2}}
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "agent", "--config", str(folder / "coloc.yml"), "run"]
    with (folder / "log").open("ab") as sink:
        return subprocess.Popen(argv, cwd=ROOT, stdout=sink, stderr=subprocess.STDOUT)


def metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def has_looked(port: int) -> bool:
    return 'coloc_collector_success{collector="web"} 1' in metrics(port)


def counted(port: int, requests: int) -> bool:
    match = re.search(r'coloc_app_web_requests_total\{app="blog",code="2xx",\S+ (\d+)', metrics(port))
    return match is not None and int(match[1]) == requests


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_came_while_it_was_down_is_added_and_nothing_counts_twice(how: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "root/var/log/nginx/a.test-access.log"
    log.parent.mkdir(parents=True)
    log.touch()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "coloc.yml").write_text(CONFIG.format(port=port, folder=tmp_path))
    written = 0
    for end in (signal.SIGTERM, how, signal.SIGTERM):
        agent = start(tmp_path)
        try:
            until(partial(has_looked, port), seconds=120, what="the first look")
            with log.open("ab") as file:
                file.write(LINE * 5)
            written += 5
            until(partial(counted, port, written), seconds=120, what="the count")
        finally:
            agent.send_signal(end)
            agent.wait(60)
        with log.open("ab") as file:
            file.write(LINE * 2)
        written += 2
