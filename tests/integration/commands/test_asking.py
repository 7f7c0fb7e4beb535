"""`status`, `alerts` and `quota` against a real HTTP server: what they print, ask for, and say when nobody answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli, main
from agent.client import address_to_ask, ask_status
from agent.status import to_json
from coloc.config.places import Listen
from coloc.errors import ColocError
from tests.fakes.asked import take
from tests.fakes.daemon_page import free_port, sample_status, serving


class Shell:
    """Calls commands with a configuration of its own."""

    def __init__(self, folder: Path, port: int, *, language: str = "en", host: str = "127.0.0.1") -> None:
        self.requests = folder / "requests"
        self.requests.mkdir(exist_ok=True)
        self.config = folder / "coloc.yml"
        place = f"[{host}]" if ":" in host else host
        self.config.write_text(
            f"coloc: {{name: hautepierre, language: {language}}}\nlisten: '{place}:{port}'\n"
            f"paths: {{requests: {self.requests}}}\n"
        )

    def do(self, *argv: str) -> Result:
        return CliRunner().invoke(cli, ["--config", str(self.config), *argv])


@pytest.fixture
def port() -> Iterator[int]:
    with serving() as number:
        yield number


def test_status_is_one_glance(tmp_path: Path, port: int) -> None:
    said = Shell(tmp_path, port).do("status").output
    for words in (
        "hautepierre (cloud) · Stage: alert",
        "2026-11-23 03:45 +01:00",
        "1/2 apps running, 1 not measured",
        "1/3 backed up",
        "wiki → merle",
        "#7",
        "taken on by Léa",
        "mariadb is away",
        "matrix: 2",
        "processes of others",
    ):
        assert words in said
    assert "Disque presque plein" not in said


def test_status_speaks_the_language_of_the_colocation(tmp_path: Path, port: int) -> None:
    said = Shell(tmp_path, port, language="fr").do("status").output
    assert "Étape: alert" in said
    assert "pris en charge par Léa" in said


def test_what_comes_from_outside_cannot_steer_the_terminal(tmp_path: Path, port: int) -> None:
    for command in ("status", "alerts", "quota"):
        for extra in ((), ("--json",)):
            said = Shell(tmp_path, port).do(command, *extra).output
            assert not set(said) & {"\x1b", "\x07", "\u202e"}


def test_status_as_json_is_the_status(tmp_path: Path, port: int) -> None:
    assert json.loads(Shell(tmp_path, port).do("status", "--json").output) == to_json(sample_status())


@pytest.mark.parametrize("command", ["status", "alerts", "quota"])
def test_the_agent_of_another_colocation_is_not_taken_for_ours(tmp_path: Path, port: int, command: str) -> None:
    shell = Shell(tmp_path, port)
    shell.config.write_text(shell.config.read_text().replace("hautepierre", "alsace"))
    result = shell.do(command)
    assert "another colocation" in str(result.exception)
    assert "blog" not in result.output


def test_a_status_survives_the_way_over_http(port: int) -> None:
    assert ask_status(Listen(port=port)) == sample_status()


def test_quota_says_what_would_be_done(tmp_path: Path, port: int) -> None:
    said = Shell(tmp_path, port).do("quota").output
    assert "11.0 GB" in said
    assert "let its files grow no more" in said
    assert "2 times" in said
    assert "nothing is done" in said
    assert "is done when due" in Shell(tmp_path, port).do("quota", "plan").output
    french = Shell(tmp_path, port, language="fr").do("quota").output
    assert "ralenti" in french
    assert "ne plus laisser grandir" in french
    figures = json.loads(Shell(tmp_path, port).do("quota", "--json").output)
    assert [limit["resource"] for limit in figures["rosalinde"]] == ["disk", "cpu"]


def test_alerts_lists_open_incidents(tmp_path: Path, port: int) -> None:
    said = Shell(tmp_path, port).do("alerts").output
    assert "#7" in said
    assert "#3" not in said
    assert [item["id"] for item in json.loads(Shell(tmp_path, port).do("alerts", "--json").output)] == [7, 3]


def test_ack_leaves_a_request(tmp_path: Path, port: int) -> None:
    shell = Shell(tmp_path, port, language="fr")
    assert shell.do("alerts", "ack", "7", "--by", "Léa").output == "incident 7 pris en charge par Léa\n"
    assert [(item.kind, item.values) for item in take(shell.requests)] == [("ack", {"incident": 7, "by": "Léa"})]


def test_silence_leaves_a_request_in_seconds(tmp_path: Path, port: int) -> None:
    shell = Shell(tmp_path, port)
    assert "silenced by Léa" in shell.do("alerts", "silence", "7", "--for", "2h", "--by", "Léa").output
    (asked,) = take(shell.requests)
    assert (asked.kind, asked.values) == ("silence", {"incident": 7, "seconds": 7200.0, "by": "Léa"})


@pytest.mark.parametrize(
    "argv",
    [
        ("ack", "3", "--by", "Léa"),  # over
        ("ack", "99", "--by", "Léa"),
        ("ack", "7", "--by", "a\nb"),
        ("ack", "7", "--by", " "),
        ("silence", "7", "--for", "soon", "--by", "Léa"),
        ("silence", "7", "--for", "31d", "--by", "Léa"),
        ("silence", "7", "--for", "0", "--by", "Léa"),
    ],
)
def test_what_cannot_be_asked_leaves_no_request(tmp_path: Path, port: int, argv: tuple[str, ...]) -> None:
    shell = Shell(tmp_path, port)
    assert shell.do("alerts", *argv).exit_code != 0
    assert list(take(shell.requests)) == []


def test_a_request_waits_for_an_agent_that_does_not_answer(tmp_path: Path) -> None:
    shell = Shell(tmp_path, free_port())
    assert "waits for it" in shell.do("alerts", "ack", "7", "--by", "Léa").output
    assert len(list(take(shell.requests))) == 1


def test_without_a_folder_for_requests_it_says_what_to_do(tmp_path: Path, port: int) -> None:
    shell = Shell(tmp_path, port)
    shell.requests.rmdir()
    result = shell.do("alerts", "ack", "7", "--by", "Léa")
    assert isinstance(result.exception, ColocError)
    assert "is it running" in result.exception.sentence()


@pytest.mark.parametrize("command", ["status", "alerts", "quota"])
def test_no_agent_is_one_sentence_with_what_to_do(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = Shell(tmp_path, free_port())
    with pytest.raises(SystemExit) as ended:
        main(["--config", str(shell.config), command])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "systemctl start coloc-agent" in said


@pytest.mark.parametrize(
    ("body", "status"), [(b"<html>", 200), (b"{}", 200), (b"[" * 100_000, 200), (b"no", 404), (b"x" * 9_000_000, 200)]
)
def test_something_else_that_listens_there_is_told_apart(body: bytes, status: int) -> None:
    with serving(body, status=status) as number, pytest.raises(ColocError) as raised:
        ask_status(Listen(port=number))
    assert raised.value.hint


@pytest.mark.parametrize(
    ("host", "asked"),
    [("0.0.0.0", "127.0.0.1:1"), ("::", "[::1]:1"), ("::1", "[::1]:1"), ("10.0.0.3", "10.0.0.3:1")],
)
def test_a_wildcard_is_asked_on_loopback(host: str, asked: str) -> None:
    assert str(address_to_ask(Listen(host=host, port=1))) == asked


def test_ipv6_is_asked_like_ipv4(tmp_path: Path) -> None:
    with serving(host="::1") as number:
        assert "hautepierre" in Shell(tmp_path, number, host="::").do("status").output
