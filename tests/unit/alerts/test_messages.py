"""What people read: every rule in both languages, harmless whatever the names are, and no word untranslated."""

from __future__ import annotations

import ast
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import alerts.messages
from alerts.messages import RULES, IncidentText, digest, incident_message, incident_title, titles_of
from alerts.plain import plain
from coloc.config.rules import RULE_NAMES
from coloc.language import parse_po, translator

PARIS = ZoneInfo("Europe/Paris")
SINCE = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
LABELS = {"app": "mattermost", "project": "rosalinde", "host": "alouette", "filesystem": "/", "collector": "disk"}
LABELS |= {
    "unit": "mariadb",
    "pool": "blog",
    "kind": "mysql",
    "resource": "io",
    "domain": "velo.test",
    "channel": "matrix",
}
VALUE = {
    "label": "Tchat",
    "units": "mattermost.service",
    "error": "du timed out",
    "why": "wrong passphrase",
    "last": SINCE.isoformat(),
    "percent": "93",
    "step": "warn",
    "resource": "disk",
    "number": "200",
    "days": "3",
    "hours": "7",
    "title": "Upgrade",
    "maintenance": "3",
}
DOWN = IncidentText(7, "app_down", LABELS, "critical", "firing", SINCE, value=VALUE)
CATALOGUE = Path(alerts.messages.__file__).parents[1] / "coloc" / "locale" / "fr.po"


def test_an_app_that_is_down_says_what_since_when_and_what_to_do() -> None:
    assert incident_message(DOWN, "fr", PARIS).text == (
        "🔴 Tchat (mattermost) est arrêtée [#7]\n"
        "Depuis 2026-11-23 02:30 +01:00\n"
        "Unités : mattermost.service\n"
        "→ Regarde son journal : journalctl -u mattermost -n 50 ; puis : systemctl restart mattermost"
    )


def test_a_resolution_says_from_when_to_when_and_asks_for_nothing() -> None:
    over = replace(DOWN, phase="resolved", until=SINCE + timedelta(hours=1), acked_by="Léa")
    assert incident_message(over, "fr", PARIS).text == (
        "✅ Rétabli : Tchat (mattermost) est arrêtée [#7]\nDe 2026-11-23 02:30 +01:00 à 2026-11-23 03:30 +01:00"
    )


def test_who_took_it_on_and_a_silence_are_shown_in_the_glossarys_words() -> None:
    text = incident_message(replace(DOWN, acked_by="Léa", silenced_until=SINCE), "fr", PARIS).text
    assert "Pris en charge par Léa" in text
    assert "En sourdine jusqu'à 2026-11-23 02:30 +01:00" in text


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("rule", [*RULE_NAMES, "a_rule_of_tomorrow"])
def test_every_rule_has_words_without_a_hole(rule: str, language: str) -> None:
    message = incident_message(replace(DOWN, rule=rule), language, PARIS)
    assert "{" not in message.text
    assert "—" not in message.text, "a figure that the rules give is missing"
    assert "→ " in message.text
    assert incident_title(replace(DOWN, rule=rule), language, PARIS) in message.text


def test_every_rule_of_the_configuration_has_words_of_its_own() -> None:
    assert set(RULES) == set(RULE_NAMES)


def test_a_missing_figure_is_a_dash_and_no_error() -> None:
    assert incident_title(replace(DOWN, labels={}, value={}), "fr", PARIS) == "— (—) est arrêtée"


def test_every_text_of_the_code_is_translated_and_no_other() -> None:
    entries = parse_po(CATALOGUE.read_text())
    said = set()
    for file in Path(alerts.messages.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"n_", "say", "reason"}
            ):
                said |= {word.value for word in node.args if isinstance(word, ast.Constant) and word.value}
    assert {text for text in said if not entries.get(str(text))} == set(), "missing in fr.po"


def test_translations_use_the_same_figures() -> None:
    def figures(text: str) -> set[str]:
        return {part.split("}")[0] for part in text.split("{")[1:]}

    entries = {source: target for source, target in parse_po(CATALOGUE.read_text()).items() if source}
    assert {source for source, target in entries.items() if figures(source) != figures(target)} == set()


def test_french_uses_the_glossary() -> None:
    words = CATALOGUE.read_text().casefold()
    for never in ("acquitt", "sanction", "bridé", "infraction", "facture", "veuillez", "votre"):
        assert never not in words


def test_english_is_the_code_itself() -> None:
    assert translator("en")("Since {since}") == "Since {since}"


HOSTILE = "<b>@room</b>\n✅ Rétabli : tout\u202egnp.exe\u0007{0}{app.__class__}<!-- --> @lea:lab.local\x1b[31m"


def test_a_hostile_name_cannot_ring_forge_or_break() -> None:
    evil = replace(DOWN, value={**VALUE, "label": HOSTILE, "units": HOSTILE}, labels={"app": HOSTILE}, acked_by=HOSTILE)
    message = incident_message(evil, "fr", PARIS)
    assert len(message.text.splitlines()) == 5, "a name added a line"
    assert "@room" not in message.text + message.html
    assert "@lea" not in message.text + message.html
    assert "<b>" not in message.html
    assert "<!--" not in message.html
    assert not {"\u202e", "\u0007", "\x1b"} & set(message.text + message.html)
    assert "{app.__class__}" in message.text, "it is shown, not filled in"


def test_a_megabyte_is_cut() -> None:
    huge = replace(DOWN, value={**VALUE, "label": "é" * 1_000_000}, labels={"app": "x" * 1_000_000})
    message = incident_message(huge, "fr", PARIS)
    assert len(message.text) < 3000
    assert len(message.html) < 20_000


@given(st.text())
def test_plain_is_one_short_line_without_marks_or_mentions(text: str) -> None:
    line = plain(text)
    assert len(line) <= 600
    assert not any(unicodedata.category(char)[0] == "C" for char in line.replace("\u200b", ""))
    assert len(line.splitlines()) <= 1
    assert "@room" not in line


def test_a_message_that_tells_several_gives_a_digest_each_of_them() -> None:
    group = "🔴 2 incidents\n🔴 Tchat (chat) est arrêtée [#7]\n✅ Blog (blog) est arrêtée [#8] · De …"
    assert titles_of(group) == group.split("\n")[1:]
    assert titles_of("🔴 Tchat [#7]\nDepuis\n→ Regarde") == ["🔴 Tchat [#7]"]
    assert titles_of("⚠ Un message a été abandonné\nparce que") == ["⚠ Un message a été abandonné"]


def test_a_digest_names_a_hundred_and_counts_the_others() -> None:
    message = digest([f"🔴 panne {number}" for number in range(105)], "fr")
    assert message.text.startswith("📋 105 incidents")
    assert message.text.endswith("… et 5 autres : coloc-agent alerts")
    assert message.text.count("•") == 100
    assert "<script>" not in digest(["<script>"], "fr").html


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("warn", "prévenu"),
        ("throttle", "ralenti (simulation)"),
        ("hard", "plafonné (simulation)"),
        ("held:throttle", "ralenti"),
        ("held:hard", "plafonné"),
    ],
)
def test_a_quota_says_what_is_done_and_what_only_would_be(step: str, words: str) -> None:
    labels = {"project": "rosalinde", "resource": "io", "app": "blog"}
    text = incident_message(
        IncidentText(7, "quota_exceeded", labels, "info", "firing", SINCE, value={"step": step}), "fr", PARIS
    ).text
    assert f"Palier : {words}\n" in text
    assert "blog (rosalinde)" in text
    assert "lecture et écriture" in text
