"""The heart beats for a full round only, and `coloc-agent heartbeat` says what it hears in a line and a code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import Message
from http import HTTPStatus
from pathlib import Path

import pytest
from click.testing import CliRunner

from agent.commands.heartbeat import command
from agent.door import Door
from agent.heart import Heart, heartbeat_route
from agent.web import Request, Response, Web
from coloc.errors import ColocError
from tests.fakes.daemon_page import sample_status
from tests.fakes.sshd import free_port

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
ASKED = Request("/heartbeat", {}, Message())


@dataclass
class Part:
    moved_at: float | None


def test_it_beats_only_when_every_part_has_moved_since_the_beat_before() -> None:
    sampler, outbox = Part(None), Part(1.0)
    heart = Heart((sampler, outbox))
    assert not heart.beat(NOW, 2.0)
    sampler.moved_at = 2.0
    assert heart.beat(NOW, 3.0)
    assert not heart.beat(NOW, 4.0)
    sampler.moved_at = 5.0
    assert not heart.beat(NOW, 6.0), "the outbox has not moved"
    outbox.moved_at = 5.0
    assert heart.beat(NOW, 7.0)
    assert heart.last == (NOW, 7.0)


def test_after_a_reload_the_last_beat_counts_and_the_next_one_needs_new_moves() -> None:
    heart = Heart((Part(8.0),))
    heart.go_on((NOW, 9.0))
    assert heart.last == (NOW, 9.0)
    assert not heart.beat(NOW, 10.0)


def test_the_page_says_when_the_last_full_round_was_and_how_many_incidents_are_open() -> None:
    heart, status = Heart((Part(1.0),)), sample_status()
    route = heartbeat_route("velo", heart, lambda: status, monotonic=lambda: 100.0)
    assert route(ASKED).status == HTTPStatus.SERVICE_UNAVAILABLE
    heart.beat(NOW, 58.0)
    said = json.loads(route(ASKED).body)
    is_open = sum(each.phase != "resolved" for each in status.incidents)
    assert said == {"coloc": "velo", "at": "2026-11-23T01:30:00.000000+00:00", "seconds_ago": 42, "incidents": is_open}
    assert is_open > 0
    none = replace(status, incidents=())
    assert json.loads(heartbeat_route("velo", heart, lambda: none)(ASKED).body)["incidents"] == 0


class Server:
    """A real server whose /heartbeat says what a test decides."""

    def __init__(self) -> None:
        self.response = Response(b"")
        self.asked: list[Mapping[str, str]] = []
        port = free_port()
        self.web = Web("127.0.0.1", port, {"/heartbeat": self.route}, door=Door())
        self.url = f"http://127.0.0.1:{port}"

    def route(self, request: Request) -> Response:
        self.asked.append(dict(request.headers.items()))
        return self.response

    def says(self, **values: object) -> None:
        self.response = Response(json.dumps({"coloc": "velo", "seconds_ago": 7, "incidents": 2} | values).encode())


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    server.web.start()
    server.says()
    yield server
    server.web.stop()


def run(*argv: str, language: str = "en_GB.UTF-8") -> tuple[int, str]:
    result = CliRunner().invoke(command, argv, env={"LANG": language}, standalone_mode=False)
    if isinstance(result.exception, ColocError):
        raise result.exception
    assert result.exception is None
    return int(result.return_value), result.output


def test_an_agent_that_works_is_a_line_and_code_0(server: Server) -> None:
    line = "velo: the agent works; last round 7 s ago, open incidents: 2\n"
    assert run(f"{server.url}/heartbeat") == run(server.url) == (0, line)
    assert run(server.url, "--quiet") == (0, "")
    assert run(server.url, language="")[1].startswith("velo : l'agent travaille")


def test_an_old_round_is_code_1_and_a_sentence(server: Server) -> None:
    server.says(seconds_ago=700)
    code, line = run(server.url, "--quiet")
    assert code == 1
    assert line == "velo: the agent has made no full round for 11 min; tell its adminsys\n"
    assert run(server.url, "--older-than", "15m")[0] == 0


def test_silence_and_other_answers_are_code_1(server: Server) -> None:
    code, line = run(f"http://127.0.0.1:{free_port()}/heartbeat?key=s3cret")
    assert code == 1
    assert "does not answer" in line
    assert "s3cret" not in line
    code, line = run(f"{server.url}/nowhere")
    assert (code, "404" in line) == (1, True)
    server.response = Response(b"not ready yet\n", status=HTTPStatus.SERVICE_UNAVAILABLE)
    assert run(server.url) == (1, "127.0.0.1: the agent has made no full round yet; ask again in a minute\n")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"coloc":"velo","seconds_ago":-1,"incidents":0}', b"x" * 1_000_000, b"[" * 100_000]
)
def test_what_is_no_heartbeat_is_never_taken_for_one(server: Server, body: bytes) -> None:
    server.response = Response(body)
    assert run(server.url)[0] == 1
    server.says(seconds_ago=True)
    assert run(server.url)[0] == 1
    server.says(coloc="a\x1b[2J\n" * 100, seconds_ago=10**15)
    assert "\x1b" not in run(server.url)[1]


def test_a_password_comes_from_a_file_and_goes_along(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "address"
    file.write_text(server.url.replace("://", "://lea:s3cret@"))
    file.chmod(0o600)
    assert run("--file", str(file))[0] == 0
    assert server.asked[-1]["Authorization"].startswith("Basic ")
    file.chmod(0o644)
    with pytest.raises(ColocError, match="can be read by everybody"):
        run("--file", str(file))


@pytest.mark.parametrize(
    "argv",
    [(), ("ftp://x",), ("nonsense",), ("http://[::",), ("https://lea:s3cret@x.test",), ("http://x", "--file", "/x")],
)
def test_an_address_that_cannot_be_asked_is_told_and_not_repeated(argv: tuple[str, ...]) -> None:
    with pytest.raises(ColocError) as error:
        run(*argv)
    assert "s3cret" not in error.value.sentence()
