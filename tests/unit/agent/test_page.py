"""The page: whatever people are called it stays one small, valid document, in two languages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.incidents import Phase, Severity
from agent.page import page
from agent.page.page import figure, human_bytes, render
from agent.page.words import FRENCH, language_of, word
from agent.quotas import QuotaStep
from agent.status import (
    AppStatus,
    BackupStatus,
    FairUseStatus,
    HeldStatus,
    IncidentStatus,
    ProjectStatus,
    QuotaStatus,
    Status,
    to_json,
)
from coloc.config.projects import RESOURCES, Project
from coloc.model import AppState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script>\"&'\u202eevil\u2066\x1b[31m\udce9"
VOID = {"meta", "br"}


def status(name: str = "blog", apps: int = 1) -> Status:
    ids = [f"{name}{number}" if apps > 1 else name for number in range(apps)]
    return Status(
        coloc=name,
        kind="cloud",
        stage="alert",
        version="0.1.0",
        timezone="Europe/Paris",
        at=NOW,
        started_at=NOW,
        projects=(
            ProjectStatus(
                name, name, "association", tuple(ids), (name,), 0.5, 1e9, None, 2e6,
                (QuotaStatus("disk", 90.0, 80.0, 100.0, "warn", NOW, "tell the project", 0),),
            ),
        ),
        apps=tuple(
            AppStatus(each, name, name, "ok", f"https://{name}/", name, True, 0.123, 1e8, 5e9, None, (name,))
            for each in ids
        ),
        hosts=(name, "merle"),
        backups=tuple(
            BackupStatus(each, host, NOW, host != name, name, NOW, NOW, "archive", 12)
            for each in ids for host in (name, "merle")
        ),
        incidents=(IncidentStatus(7, "critical", "firing", name, NOW, None, name, NOW + timedelta(hours=1)),),
        collectors={name: name},
        outbox={name: 3},
        blind_spots=(name,),
    )  # fmt: skip


class Reader(HTMLParser):
    """Follows every tag to its end, and keeps the words and the tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], "every tag is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert len({name for name, _ in attrs}) == len(attrs)
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_hostile_names_stay_words(language: str) -> None:
    text = render(status(HOSTILE), language)
    reader = Reader(text)
    assert "script" not in reader.tags
    assert "<script" not in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b\ud800-\udfff]", text)
    assert text.encode("utf-8")
    assert any("<script>alert('x')</script>" in words for words in reader.words)


@given(st.text(max_size=30))
def test_whatever_the_name_the_document_stays_whole(name: str) -> None:
    plain = Reader(render(status(), "fr")).tags
    assert Reader(render(status(name), "fr")).tags == plain


def test_what_was_not_measured_is_a_dash_and_never_a_zero() -> None:
    one = status()
    nothing: dict[str, Any] = {"cpu_cores": None, "memory_bytes": None, "disk_bytes": None, "database_bytes": None}
    unknown = replace(
        one,
        apps=(replace(one.apps[0], up=None, **nothing),),
        projects=(replace(one.projects[0], quotas=(), **nothing),),
    )
    text = render(unknown, "en")
    assert text.count('<td class="n">—</td>') == 8
    assert "<td>—</td>" in text
    assert "unknown" in Reader(text).words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (None, "—"),
        (float("nan"), "—"),
        (float("inf"), "—"),
        (0, "0 B"),
        (999, "999 B"),
        (999.7, "1.0 kB"),
        (1500, "1.5 kB"),
        (123_456, "123 kB"),
        (999_960, "1.0 MB"),
        (1.5e9, "1.5 GB"),
        (5e13, "50.0 TB"),
    ],
)
def test_sizes_for_people(size: float | None, words: str) -> None:
    assert human_bytes(size) == words


@pytest.mark.parametrize(
    ("text", "french"),
    [("0.02", "0,02"), ("1.5 GB", "1,5 Go"), ("12 B", "12 o"), ("2.0 MB/s", "2,0 Mo/s"), ("—", "—")],
)
def test_figures_are_written_as_in_the_reader_s_language(text: str, french: str) -> None:
    assert (figure(text, "fr"), figure(text, "en")) == (french, text)


def test_the_french_page_has_no_english_figure() -> None:
    cells = re.findall(r'<td class="n">([^<]*)</td>', render(status(), "fr"))
    assert any("," in cell for cell in cells)
    assert [cell for cell in cells if "." in cell or "B" in cell] == []


def test_sixty_apps_on_two_hosts_weigh_less_than_a_hundred_kilobytes() -> None:
    assert len(render(status("Les Amis du Vélo de la Krutenau", apps=60), "fr").encode()) < 100_000


def test_a_hundred_incidents_are_twenty_lines() -> None:
    many = replace(status(), incidents=status().incidents * 100)
    assert render(many, "en").count("<td>#7 ") == 20


def test_an_empty_colocation_says_so_in_words() -> None:
    empty = replace(status(), projects=(), apps=(), hosts=(), backups=(), incidents=(), blind_spots=())
    words = Reader(render(empty, "fr")).words
    assert {
        "Tout va bien",
        "Aucun projet n'est encore déclaré",
        "Aucun hôte de sauvegarde n'est encore déclaré",
    } <= set(words)


def test_a_host_that_is_called_like_a_word_of_ours_keeps_its_name() -> None:
    named = replace(status(), hosts=("down", "disk"))
    heads = re.findall(r'<th scope="col">([^<]*)</th>', render(named, "fr"))
    assert heads[-2:] == ["down", "disk"]


def test_times_have_their_offset_and_what_never_was_is_never() -> None:
    never = replace(status(), backups=(replace(status().backups[0], last_success_at=None),))
    text = render(never, "en")
    assert '<time datetime="2026-11-23T12:00:00+00:00">2026-11-23 13:00 +01:00</time>' in text
    assert "never" in Reader(text).words


def used_words() -> set[str]:
    """Every literal that the page hands to its dictionary, as the source says."""
    found = set[str]()
    for node in ast.walk(ast.parse(Path(page.__file__).read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr not in {"_", "_table"}:
                continue
            literals = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
            found |= {text for text in literals if isinstance(text, str)}
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "heads":
            found |= {str(part.value) for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
    return found


def test_every_word_of_the_page_has_its_french() -> None:
    assert len(used_words()) >= 40
    assert used_words() - set(FRENCH) == set()


@pytest.mark.parametrize(
    "words",
    [
        QuotaStep,
        Severity,
        [Phase.FIRING, Phase.CLEARING],
        RESOURCES,
        AppState,
        get_args(Project.types()["kind"]),
    ],
    ids=["steps", "severities", "phases", "resources", "states", "kinds"],
)
def test_every_value_that_the_page_shows_has_its_french(words: Iterable[object]) -> None:
    assert {str(each) for each in words} - set(FRENCH) == set()


def test_english_is_the_key_and_an_unknown_word_is_itself() -> None:
    assert (word("Apps", "en"), word("Backups", "fr"), word("Zzz", "fr")) == ("Apps", "Sauvegardes", "Zzz")
    assert all(text.strip() == text != "" for text in FRENCH.values())


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "fr"),
        ("en", "en"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("de,en-GB;q=0.7", "en"),
        ("de", "fr"),
        (",;,;q=", "fr"),
        ("x," * 10_000 + "en", "fr"),
        (" EN ", "en"),
        ("fr;q=0.2, en;q=0.9", "en"),
        ("en;q=0, fr", "fr"),
        ("en;q=0", "fr"),
        ("en;q=x", "fr"),
        ("en-GB;q=0.5, en;q=0.9, fr;q=0.7", "en"),
        ("eng", "fr"),
    ],
)
def test_the_language_of_the_reader(header: str, language: str) -> None:
    assert language_of(header, "fr") == language


def test_the_status_as_json_has_times_as_text_and_no_number_that_json_lacks() -> None:
    values = to_json(replace(status(), apps=(replace(status().apps[0], cpu_cores=float("nan")),)))
    assert values["at"] == "2026-11-23T12:00:00.000000+00:00"
    assert values["apps"][0]["cpu_cores"] is None
    assert values["projects"][0]["quotas"][0]["since"] == values["at"]


def test_fair_use_is_shown_where_slices_are_and_nowhere_else() -> None:
    assert "Fair use" not in render(status(), "en")
    use = (FairUseStatus("velo", 0.25, 1.0, 0.5, ("chorale", HOSTILE)), FairUseStatus("chorale", 0.75, 0.0, 0.0))
    text = render(replace(status(), fair_use=use), "fr")
    for words in (
        "Partage du processeur",
        "<td>25 %</td><td>100 %</td><td>50 %</td>",
        "à cause de",
        "chorale, &lt;script",
    ):
        assert words in text


def test_what_is_held_is_not_called_a_simulation() -> None:
    one = status()
    held = HeldStatus("throttle", NOW, 1.0, 1.0, "did", "call", "file", "says", True, "")
    for stands in (True, False):
        quota = replace(one.projects[0].quotas[0], held=replace(held, stands=stands))
        text = render(replace(one, projects=(replace(one.projects[0], quotas=(quota,)),)), "fr")
        assert ("ralenti" in text) == stands
        assert ("simulation" in text) == (not stands)
