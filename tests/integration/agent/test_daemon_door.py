"""The daemon behind a web-config file: who reads the page, how commands still ask, and what a broken file does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import requests
from click.testing import CliRunner

from agent.cli import cli
from agent.client import ask_status
from agent.status import IncidentStatus
from coloc.command import Child, run, start
from coloc.config.reading import load_config
from coloc.config.whole import Config
from coloc.errors import ColocError
from tests.fakes.daemon_page import free_port
from tests.fakes.pki import Pki
from tests.fakes.waiting import until

T = TypeVar("T")
WEB = """tls_server_config: {cert_file: server.pem, key_file: server.key}
basic_auth_users: {lea: "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"}
"""
ROOT = Path(__file__).parents[3]


class Closed:
    """A daemon of an empty server, behind certificate and password."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.web, self.file = folder, folder / "web.yml", folder / "coloc.yml"
        self.pki = Pki(folder)
        self.pki.sign("server", "IP:127.0.0.1")
        self.web.write_text(WEB)
        (folder / "root").mkdir()
        paths = ", ".join(f"{name}: {folder / name}" for name in ("state", "facts", "journal", "requests", "wake"))
        self.file.write_text(
            f"coloc: {{name: closed, language: en}}\nlisten: {{port: {free_port()}, web_config: {self.web}}}\n"
            f"root: {folder / 'root'}\npaths: {{{paths}}}\nsampling: {{every: 0.2s}}\nstartup_quiet: 0s\n"
        )
        self.child: Child | None = None

    @property
    def config(self) -> Config:
        return load_config(self.file)

    @property
    def argv(self) -> list[str]:
        return [sys.executable, "-m", "agent", "--config", str(self.file), "run"]

    def start(self) -> None:
        self.child = start(self.argv, log=self.folder / "log", env={"PYTHONPATH": str(ROOT)})

    def incidents(self) -> list[IncidentStatus]:
        try:
            status = ask_status(self.config.listen, self.config.paths.state, timeout=10)
        except ColocError:
            return []
        return [item for item in status.open_incidents if "coloc.yml" in item.title or "web" in item.title]

    def wait(self, true: Callable[[], T]) -> T:
        return until(true, seconds=90, what="what was expected")

    def answers(self) -> int:
        """The status of the page for somebody who says who they are."""
        url = f"https://127.0.0.1:{self.config.listen.port}/metrics"
        try:
            return requests.get(url, verify=str(self.pki.ca), auth=("lea", "secret"), timeout=30).status_code
        except requests.RequestException:
            return 0


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Closed]:
    found = Closed(tmp_path)
    yield found
    if found.child is not None:
        found.child.stop(grace_seconds=20)


def test_the_page_is_closed_and_commands_still_ask(closed: Closed) -> None:
    closed.start()
    closed.wait(lambda: closed.answers() == 200)
    url = f"https://127.0.0.1:{closed.config.listen.port}"
    for path in ("/", "/metrics", "/api/v1/status", "/-/healthy"):
        assert requests.get(url + path, verify=str(closed.pki.ca), timeout=30).status_code == 401
    shown = CliRunner().invoke(cli, ["--config", str(closed.file), "status"])
    assert "closed (cloud)" in shown.output
    assert f"agent started: {url}/" in (closed.folder / "log").read_text()


def test_a_public_page_asks_for_its_link_and_for_no_password(closed: Closed) -> None:
    link, secret = "Zk9-_mY2sP4qR7tV1wX3zA5b", closed.folder / "link"
    secret.write_text(f"{link}\n")
    secret.chmod(0o600)
    with closed.file.open("a") as file:
        file.write(f"projects: {{velo: {{title: Vélo, public_link_file: {secret}}}}}\n")
    closed.start()
    closed.wait(lambda: closed.answers() == 200)
    url = f"https://127.0.0.1:{closed.config.listen.port}"
    asked = {
        path: requests.get(url + path, verify=str(closed.pki.ca), timeout=30)
        for path in (
            f"/public/{link}",
            "/public/wrong",
            "/public/",
            "/projects/velo",
            "/public/../metrics",
            "//public/x",
        )
    }
    assert "Vélo" in asked[f"/public/{link}"].text
    codes = [found.status_code for found in asked.values()]
    assert codes == [200, 404, 404, 401, 401, 404]
    assert link not in (closed.folder / "log").read_text()


def test_a_file_that_breaks_opens_an_incident_and_no_door(closed: Closed) -> None:
    closed.start()
    closed.wait(lambda: closed.answers() == 200)
    closed.web.write_text("basic_auth_users: {lea: secret}\n")
    closed.wait(closed.incidents)
    assert closed.answers() == 200
    closed.web.write_text(WEB)
    closed.wait(lambda: not closed.incidents() and closed.answers() == 200)


def test_a_wrong_file_at_the_start_is_one_sentence(closed: Closed) -> None:
    closed.web.write_text("basic_auth_users: {lea: secret}\n")
    answer = run(closed.argv, timeout=90, env={"PYTHONPATH": str(ROOT)}, accept=frozenset({2}))
    said = answer.stderr + answer.stdout
    assert "basic_auth_users.lea: is not a bcrypt hash" in said
    assert "Traceback" not in said
