"""The daemon as a process: ready, reloaded, stopped, killed, and back where it was."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from agent.demo.layout import lay_out, write_programs
from agent.demo.systemctl import DemoUnits
from coloc.config.reading import load_config

T = TypeVar("T")


class Agent:
    """`coloc-agent run` on a demo folder, its output and the words that it says to systemd."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, folder / "coloc.yml"
        self.log = folder.parent / "agent.log"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder.parent / "notify"))
        self.socket.settimeout(0.2)
        self.words: list[str] = []
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        env = {"PATH": f"{self.folder / 'bin'}:{Path(sys.executable).parent}:/usr/bin:/bin:/usr/sbin:/sbin"}
        env["NOTIFY_SOCKET"] = str(self.folder.parent / "notify")
        argv = [sys.executable, "-m", "agent", "--config", str(self.config), "run"]
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(argv, stdout=sink, stderr=subprocess.STDOUT, env=env)
        return self.process

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def hears(self, word: str) -> bool:
        try:
            while True:
                self.words.append(self.socket.recv(4096).decode())
        except TimeoutError:
            return any(word in line for line in self.words)

    def status(self) -> dict[str, Any]:
        listen = next(line for line in self.config.read_text().splitlines() if line.startswith("listen:"))
        url = listen.split('"')[1]
        try:
            with urllib.request.urlopen(f"http://{url}/api/v1/status", timeout=5) as answer:
                values: dict[str, Any] = json.loads(answer.read())
                return values
        except (OSError, ValueError):
            return {}

    def wait(self, true: Callable[[], T], seconds: float = 90) -> T:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := true():
                return found
            time.sleep(0.1)
        raise AssertionError(f"not within {seconds} s; the agent said:\n{self.said[-4000:]}")

    def incidents(self, word: str, *, over: bool) -> list[dict[str, Any]]:
        items = self.status().get("incidents", [])
        return [item for item in items if word in item["title"] and bool(item["resolved_at"]) is over]


def lasted(status: dict[str, Any]) -> timedelta:
    """How long the daemon has looked, by its own word."""
    if not status:
        return timedelta(0)
    return datetime.fromisoformat(status["at"]) - datetime.fromisoformat(status["started_at"])


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    folder = tmp_path / "demo"
    folder.mkdir()
    tmp_path.chmod(0o755)
    lay_out(folder, listen=f"127.0.0.1:{_port()}", language="en")
    config = folder / "coloc.yml"
    config.write_text(config.read_text().replace("stage: alert", "stage: observe").replace("every: 2s", "every: 0.5s"))
    write_programs(folder, [sys.executable])
    units = DemoUnits(folder)
    for unit in units.names():
        units.start(unit)
    running = Agent(folder)
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()
    running.socket.close()
    for unit in units.names():
        units.stop(unit)


def test_it_says_ready_feeds_the_watchdog_and_ends_within_seconds(agent: Agent) -> None:
    agent.wait(lambda: agent.hears("READY=1"))
    agent.wait(lambda: agent.hears("WATCHDOG=1"))
    agent.wait(agent.status)
    began = time.monotonic()
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(timeout=20) == 0
    assert time.monotonic() - began < 15
    assert agent.hears("STOPPING=1")


def test_each_full_round_is_a_heartbeat_here_and_at_the_address_that_waits_for_it(agent: Agent) -> None:
    asked: list[str] = []

    class Taker(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        file = agent.folder.parent / "ping"
        file.write_text(f"http://127.0.0.1:{server.server_address[1]}/s3cret")
        file.chmod(0o600)
        agent.config.write_text(agent.config.read_text() + f"heartbeat: {{ping_file: {file}, every: 0}}\n")
        agent.wait(agent.status)
        agent.process.send_signal(signal.SIGHUP)
        agent.wait(lambda: len(asked) >= 2)
        listen = next(line for line in agent.config.read_text().splitlines() if line.startswith("listen:"))
        argv = [sys.executable, "-m", "agent", "heartbeat", f"http://{listen.split(chr(34))[1]}"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, "travaille" in done.stdout) == (0, True), done.stderr
        assert "s3cret" not in agent.said
        server.shutdown()


def test_a_reload_never_lets_a_friend_s_cron_believe_that_the_agent_only_begins(agent: Agent) -> None:
    listen = next(line for line in agent.config.read_text().splitlines() if line.startswith("listen:"))

    def heartbeat() -> int:
        try:
            with urllib.request.urlopen(f"http://{listen.split(chr(34))[1]}/heartbeat", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0  # the one house closes its door, the other opens its own

    agent.wait(lambda: heartbeat() == 200)
    began = agent.status()["started_at"]
    agent.process.send_signal(signal.SIGHUP)
    seen = set()
    while not (status := agent.status()) or status["started_at"] == began:
        seen.add(heartbeat())
    assert seen <= {0, 200} and 200 in seen, seen


def test_an_incident_is_posted_to_alertmanager_by_the_daemon_itself(agent: Agent) -> None:
    posted: list[dict[str, Any]] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    agent.wait(agent.status)
    text = agent.config.read_text()
    backups = yaml.safe_load(text)["backup"]
    asleep = json.dumps(backups | {"hosts": {}})  # the stage has them run, and this is about something else
    above, _, below = text.partition("backup:\n")
    below = "".join(re.split(r"^(?=\S)", below, flags=re.MULTILINE)[1:])
    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        text = f"{above}backup: {asleep}\n{below}".replace("stage: observe", "stage: alert")
        agent.config.write_text(
            f'{text}alertmanager: {{url: "http://127.0.0.1:{server.server_address[1]}", every: 0.5}}\n'
        )
        agent.process.send_signal(signal.SIGHUP)
        agent.wait(lambda: agent.status().get("stage") == "alert")
        DemoUnits(agent.folder).stop("mattermost")
        labels = agent.wait(lambda: [each["labels"] for each in posted if each["labels"].get("app") == "mattermost"])[0]
        assert (labels["alertname"], labels["sent_by"]) == ("app_down", "coloc-agent")
        server.shutdown()


def test_an_alert_of_a_team_s_alertmanager_becomes_an_incident_of_the_daemon(agent: Agent) -> None:
    agent.wait(agent.status)
    token = agent.folder.parent / "token"
    token.write_text("word")
    token.chmod(0o600)
    text = agent.config.read_text().replace("stage: observe", "stage: alert")
    agent.config.write_text(f"{text}from_alertmanager: {{token_file: {token}}}\n")
    agent.process.send_signal(signal.SIGHUP)
    agent.wait(lambda: agent.status().get("stage") == "alert")
    url = next(line for line in text.splitlines() if line.startswith("listen:")).split('"')[1]
    body = (Path(__file__).parents[2] / "captured/alertmanager/am-webhook-firing.json").read_bytes()
    asked = urllib.request.Request(f"http://{url}/alertmanager", body, {"Authorization": "Bearer word"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        assert answer.status == 200
    (incident,) = agent.wait(lambda: agent.incidents("disque /var", over=False))
    assert incident["severity"] == "critical"


def test_a_bad_file_changes_nothing_and_raises_an_incident_until_it_is_mended(agent: Agent) -> None:
    agent.wait(agent.status)
    good = agent.config.read_text()
    agent.config.write_text(good + "\nstagee: alert\n")
    agent.process.send_signal(signal.SIGHUP)
    incident = agent.wait(lambda: agent.incidents("coloc.yml", over=False))
    assert len(incident) == 1
    assert len(agent.status()["apps"]) == 6
    agent.config.write_text(good)
    agent.process.send_signal(signal.SIGHUP)
    agent.wait(lambda: agent.incidents("coloc.yml", over=True))
    assert not agent.incidents("coloc.yml", over=False)


def test_a_new_project_is_seen_after_a_reload(agent: Agent) -> None:
    agent.wait(agent.status)
    agent.config.write_text(agent.config.read_text().replace("title: Atelier vélo", "title: Vélo partagé"))
    agent.process.send_signal(signal.SIGHUP)
    agent.wait(lambda: "Vélo partagé" in [project["title"] for project in agent.status().get("projects", [])])


def test_killed_it_comes_back_where_it_was_and_says_nothing_twice(agent: Agent) -> None:
    units = DemoUnits(agent.folder)
    units.stop("mattermost")
    first = agent.wait(lambda: agent.incidents("Tchat", over=False))
    agent.wait(lambda: "Tchat" in agent.said)
    agent.process.kill()
    agent.process.wait()
    said = agent.said.count("Tchat")
    agent.start()
    again = agent.wait(lambda: agent.incidents("Tchat", over=False))
    assert again[0]["id"] == first[0]["id"]
    assert again[0]["fired_at"] == first[0]["fired_at"]
    units.start("mattermost")
    agent.wait(lambda: agent.incidents("Tchat", over=True))
    told = [line for line in agent.said.splitlines() if "Tchat" in line and "INFO" not in line]
    assert said >= 1
    assert len([line for line in told if "✖" in line or "CRITICAL" in line.upper()]) <= 2, told


def test_a_taken_address_is_one_sentence_and_not_a_traceback(agent: Agent) -> None:
    agent.wait(agent.status)
    env = {"PATH": "/usr/bin:/bin"}
    copy = agent.folder.parent / "second.yml"
    text = agent.config.read_text()
    for name in ("state", "requests"):
        text = text.replace(f"{agent.folder}/{name}", f"{agent.folder}/{name}2")
    copy.write_text(text)
    argv = [sys.executable, "-m", "agent", "--config", str(copy), "run"]
    second = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=30)
    assert second.returncode == 1
    assert "cannot listen" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_second_daemon_on_the_same_state_is_refused(agent: Agent) -> None:
    agent.wait(agent.status)
    copy = agent.folder.parent / "second.yml"
    copy.write_text(agent.config.read_text().replace("listen:", 'listen: "127.0.0.1:0" #'))
    argv = [sys.executable, "-m", "agent", "--config", str(copy), "run"]
    second = subprocess.run(argv, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, timeout=30)
    assert second.returncode == 3
    assert "another coloc-agent" in second.stderr


def test_the_watchdog_is_not_fed_while_every_evaluation_fails(agent: Agent) -> None:
    agent.wait(lambda: agent.hears("WATCHDOG=1"))
    with closing(sqlite3.connect(agent.folder / "state/state.db", timeout=30)) as connection:
        connection.execute("DROP TABLE quota_steps")
        connection.commit()
    agent.wait(lambda: agent.said.count("a tick failed") > 1)
    agent.hears("")
    agent.words.clear()
    failed = agent.said.count("a tick failed")
    agent.wait(lambda: agent.said.count("a tick failed") > failed + 3)
    assert not agent.hears("WATCHDOG=1")


def test_on_a_full_disk_it_waits_for_room_and_says_so(agent: Agent) -> None:
    agent.wait(agent.status)
    agent.process.kill()
    agent.process.wait()
    disk = agent.folder / "state"
    owner = disk.stat()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=1m,uid={owner.st_uid}", "tmpfs", disk], check=True)
    try:
        (disk / "ballast").write_bytes(b"x" * 1024 * 1024)
        agent.start()
        agent.wait(lambda: "the agent waits for room: " in agent.said and "its disk is full" in agent.said)
        argv = [sys.executable, "-m", "agent", "--config", str(agent.config)]
        status = subprocess.run([*argv, "status"], capture_output=True, text=True, timeout=60)
        assert (status.returncode, "the state cannot be written: the disk of" in status.stderr) == (1, True)
        check = subprocess.run([*argv, "check", "--offline"], capture_output=True, text=True, timeout=120)
        assert (check.returncode, f"the disk of {disk} is full" in check.stdout) == (1, True)
        (disk / "ballast").unlink()
        agent.wait(agent.status)
        (disk / "ballast").write_bytes(b"x" * _free(disk))
        agent.wait(lambda: "the state cannot be written" in str(agent.status().get("blind_spots")))
        assert agent.process.poll() is None
        agent.process.terminate()
        assert agent.process.wait(timeout=60) == 0
    finally:
        agent.process.kill()
        agent.process.wait()
        subprocess.run(["umount", disk], check=True)


def _free(disk: Path) -> int:
    stat = os.statvfs(disk)
    return stat.f_bavail * stat.f_frsize


def test_a_test_message_goes_the_whole_way(agent: Agent) -> None:
    agent.wait(agent.status)
    argv = [sys.executable, "-m", "agent", "--config", str(agent.config), "alert", "test", "--channel"]
    done = subprocess.run([*argv, "console"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "console: the message arrived" in done.stdout
    assert "Test of the alerts" in agent.said
    strange = subprocess.run([*argv, "pigeon"], capture_output=True, text=True, timeout=120, check=False)
    assert strange.returncode == 1
    assert "there is no channel 'pigeon'" in strange.stderr


def test_it_finds_the_points_of_the_charter_and_keeps_what_apps_used_in_a_day(agent: Agent) -> None:
    checks = agent.wait(lambda: {point["check"] for point in agent.status().get("charter", [])})
    assert {"bus_factor", "unpresented", "no_charter"} <= checks
    argv = [sys.executable, "-m", "agent", "--config", str(agent.config), "charter"]
    told = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
    assert "[unpresented]" in told.stdout
    people = load_config(agent.config).adminsys
    assert people
    assert [name for name in people if name in told.stdout] == []
    parsed = json.loads(subprocess.run([*argv, "--json"], capture_output=True, check=True, timeout=60).stdout)
    assert {point["check"] for point in parsed} == checks
    page = subprocess.run([*argv, "agenda"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert page.startswith("# Meeting of the colocation demo ")
    assert all(f"adminsys {name}" in page for name in people)
    # The day book is written every twelve looks of half a second, and counts from the first on.
    agent.wait(lambda: lasted(agent.status()) > timedelta(seconds=14))
    agent.process.terminate()
    assert agent.process.wait(30) == 0
    with closing(sqlite3.connect(agent.folder / "state/state.db")) as state:
        days = state.execute("SELECT app, seconds, cpu_seconds, memory_byte_seconds FROM days").fetchall()
    assert days, agent.said
    assert all(seconds > 0 for _, seconds, _, _ in days)
    assert any(app == "_system" and cpu for app, _, cpu, _ in days)
