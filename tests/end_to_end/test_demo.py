"""The main job as a new user sees it: the demo measures, backs up, reads back, tells, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.demo.apps import APPS
from tests.fakes.daemon_page import free_port

T = TypeVar("T")


class Demo:
    """A running demo and what it has printed so far."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self.folder = folder
        self.log = folder.parent / "demo.log"
        argv = [sys.executable, "-m", "agent", "demo", "--folder", str(folder), "--port", str(port)]
        argv += ["--language", "en"]
        with self.log.open("wb") as sink:
            self.process = subprocess.Popen(argv, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True)

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def url(self) -> str:
        match = re.search(r"agent started: (http://\S+)", self.said)
        return match[1] if match else ""

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url().rstrip("/") + path, timeout=5) as answer:
            return str(answer.read().decode())

    def status(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.get("/api/v1/status"))
        return values

    def is_ready(self) -> bool:
        try:
            return bool(self.status())
        except urllib.error.HTTPError as error:
            error.close()
            assert error.code == 503  # said before the first look is published
            return False

    def wait(self, true: Callable[[], T], seconds: float) -> T:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, f"the demo ended: {self.said[-3000:]}"
            if found := true():
                return found
            time.sleep(0.2)
        raise AssertionError(f"not within {seconds} s; the demo said:\n{self.said[-4000:]}")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo") / "demo"
    folder.parent.chmod(0o755)
    running = Demo(folder)
    yield running
    if running.process.poll() is None:  # a test failed: the demo itself ends what it started
        running.process.send_signal(signal.SIGINT)
        try:
            running.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(running.process.pid, signal.SIGKILL)
            running.process.wait()


def test_within_a_minute_every_app_is_backed_up_to_both_hosts_and_read_back(demo: Demo) -> None:
    demo.wait(demo.url, 30)
    demo.wait(demo.is_ready, 30)

    def all_proven() -> bool:
        proven = {(item["app"], item["host"]) for item in demo.status()["backups"] if item["last_proven_at"]}
        return proven == {(app.id, host) for app in APPS for host in ("alouette", "merle")}

    demo.wait(all_proven, 180)


def test_an_incident_is_raised_and_resolved_on_the_console(demo: Demo) -> None:
    incident = demo.wait(
        lambda: [item for item in demo.status()["incidents"] if item["resolved_at"] and "Tchat" in item["title"]], 60
    )[0]
    assert incident["severity"] == "critical"
    lines = [line for line in demo.said.splitlines() if "Tchat" in line]
    assert len(lines) >= 2, demo.said[-3000:]


def test_the_page_shows_projects_apps_backups_and_incidents(demo: Demo) -> None:
    pages = "".join(demo.get(path) for path in ("/", "/projects", "/apps", "/backups", "/charter"))
    for text in ("Chorale du Port", "Atelier vélo", "Tiers-lieu du quai", "alouette", "merle", "Tchat"):
        assert text in pages


def test_the_metrics_name_every_app(demo: Demo) -> None:
    text = demo.wait(lambda: found if "coloc_app_disk_bytes" in (found := demo.get("/metrics")) else "", 60)
    for app in APPS:
        assert f'coloc_app_disk_bytes{{app="{app.id}"' in text
    assert 'coloc_app_up{app="mattermost"' in text


def test_ctrl_c_leaves_no_process_behind(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(timeout=40) == 0, demo.said[-3000:]
    mark = str(demo.folder).encode()
    pids = [path for path in Path("/proc").iterdir() if path.name.isdigit()]
    left = [pid.name for pid in pids if mark in _read(pid / "cmdline") or mark in _read(pid / "environ")]
    assert left == []
    assert not list((demo.folder / "run").glob("*.pid"))


def test_a_demo_that_was_killed_leaves_nothing_to_the_next_one(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    tmp_path.chmod(0o755)
    port = free_port()
    first = second = Demo(folder, port)
    try:
        first.wait(first.url, 60)
        first.process.kill()
        first.process.wait()
        left = int((folder / "run/coloc-agent.pid").read_text().split()[0])
        second = Demo(folder, port)
        assert second.wait(second.url, 90).endswith(f":{port}/")  # its port, too, was given back
        stat = _read(Path(f"/proc/{left}/stat")).rpartition(b") ")[2]
        assert stat[:1] in {b"", b"Z"}  # gone, or waiting for a first process that buries nobody
    finally:
        for demo in (first, second):
            demo.process.send_signal(signal.SIGINT)
            demo.process.wait(timeout=60)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
