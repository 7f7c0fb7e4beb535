"""`silence`, `incident report` and `alerts --history` against a real HTTP server: what they ask, print and refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.status import Past
from coloc.errors import ColocError
from tests.fakes.asked import take
from tests.fakes.daemon_page import HOSTILE, free_port, sample_status, serving
from tests.integration.commands.test_asking import Shell

REPORT = "# Blog [#7]\n\n- a line\n- a hostile\x1b[2J\u202e one\n"


@pytest.fixture
def port() -> Iterator[int]:
    with serving(past=Past("hautepierre", sample_status().incidents, REPORT)) as number:
        yield number


def test_a_silence_asks_for_what_it_covers_and_its_end(tmp_path: Path, port: int) -> None:
    shell = Shell(tmp_path, port, language="fr")
    argv = ("--app", "bl*", "--rule", "app_down", "--for", "2h", "--by", "Léa", "--why", "mise à jour")
    said = shell.do("silence", "set", *argv)
    assert "en sourdine par Léa" in said.output, said
    (asked,) = take(shell.requests)
    assert asked.kind == "quiet"
    assert asked.values == {"app": "bl*", "rule": "app_down", "seconds": 7200.0, "by": "Léa", "why": "mise à jour"}


def test_everything_is_kept_quiet_only_when_it_is_said(tmp_path: Path, port: int) -> None:
    shell = Shell(tmp_path, port)
    assert shell.do("silence", "set", "--for", "1h", "--by", "Léa").exit_code == 2
    assert shell.do("silence", "set", "--app", "blog", "--everything", "--for", "1h", "--by", "Léa").exit_code == 2
    assert list(take(shell.requests)) == []
    assert shell.do("silence", "set", "--everything", "--for", "1h", "--by", "Léa").exit_code == 0
    (asked,) = take(shell.requests)
    assert set(asked.values) == {"seconds", "by", "why"}


@pytest.mark.parametrize(
    "argv",
    [
        ("--app", "blgo", "--for", "1h", "--by", "Léa"),
        ("--project", "nobody", "--for", "1h", "--by", "Léa"),
        ("--rule", "app_dwon", "--for", "1h", "--by", "Léa"),
        ("--app", "blog", "--by", "Léa"),  # without an end
        ("--app", "blog", "--for", "31d", "--by", "Léa"),
        ("--app", "blog", "--for", "0", "--by", "Léa"),
        ("--app", "blog", "--for", "1h", "--by", "a\nb"),
    ],
)
def test_what_can_cover_nothing_or_has_no_end_leaves_no_request(
    tmp_path: Path, port: int, argv: tuple[str, ...]
) -> None:
    shell = Shell(tmp_path, port)
    assert shell.do("silence", "set", *argv).exit_code != 0
    assert list(take(shell.requests)) == []


def test_a_misspelt_rule_is_told_with_the_nearest_name(tmp_path: Path, port: int) -> None:
    result = Shell(tmp_path, port).do("silence", "set", "--rule", "app_dwon", "--for", "1h", "--by", "Léa")
    assert isinstance(result.exception, ColocError)
    assert "app_down" in result.exception.sentence()


def test_a_name_that_is_near_none_is_told_which_there_are_once(tmp_path: Path, port: int) -> None:
    result = Shell(tmp_path, port).do("silence", "set", "--app", "zzz", "--for", "1h", "--by", "Léa")
    assert isinstance(result.exception, ColocError)
    assert result.exception.sentence().count("known: ") == 1
    assert "some are" not in result.exception.sentence()


def test_silences_are_listed_with_their_number_and_end_and_lifted_by_it(tmp_path: Path, port: int) -> None:
    shell = Shell(tmp_path, port)
    said = shell.do("silence", "list").output
    assert "4" in said
    assert "until 2026-11-23 05:45 +01:00" in said
    assert "by Zoé" in said
    assert not set(said) & {"\x1b", "\u202e"}
    assert json.loads(shell.do("silence", "list", "--json").output)[0]["covers"] == f"app={HOSTILE}"
    assert "silence 4 is lifted" in shell.do("silence", "lift", "4").output
    assert shell.do("silence", "lift", "5").exit_code != 0
    assert [(asked.kind, asked.values) for asked in take(shell.requests)] == [("unquiet", {"silence": 4})]


def test_without_a_silence_the_list_says_so(tmp_path: Path) -> None:
    with serving(now=replace(sample_status(), silences=())) as number:
        assert "nothing is kept quiet" in Shell(tmp_path, number).do("silence", "list").output


def test_an_agent_that_does_not_answer_finds_the_request_later(tmp_path: Path) -> None:
    shell = Shell(tmp_path, free_port())
    assert "waits for it" in shell.do("silence", "set", "--app", "blog", "--for", "1h", "--by", "Léa").output
    assert "waits for it" in shell.do("silence", "lift", "4").output
    assert [asked.kind for asked in take(shell.requests)] == ["quiet", "unquiet"]


def test_the_history_lists_what_is_over(tmp_path: Path, port: int) -> None:
    shell = Shell(tmp_path, port)
    said = shell.do("alerts", "--history").output
    assert "#7" in said
    assert "#3" in said
    assert "→ 2026-11-23 03:45 +01:00" in said
    assert [item["id"] for item in json.loads(shell.do("alerts", "--history", "--json").output)] == [7, 3]


def test_a_report_is_printed_without_a_way_to_steer_the_terminal(tmp_path: Path, port: int) -> None:
    said = Shell(tmp_path, port).do("incident", "report", "7").output
    assert said.startswith("# Blog [#7]\n\n- a line\n")
    assert not set(said) & {"\x1b", "\u202e"}


def test_an_incident_that_nobody_remembers_is_an_error_that_says_where_to_look(tmp_path: Path, port: int) -> None:
    result = Shell(tmp_path, port).do("incident", "report", "99")
    assert isinstance(result.exception, ColocError)
    assert "alerts --history" in result.exception.sentence()
