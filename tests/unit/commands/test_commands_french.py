"""What commands print follows `coloc.language`: every text of theirs is in the catalogue, and nothing else is."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import coloc.language
from agent.commands import archives, prune
from backup.prune import Pruning
from backup.retention import ArchiveSet, Verdict
from coloc.language import parse_po, translator

ROOT = Path(coloc.language.__file__).parents[1]
CATALOGUE = ROOT / "coloc/locale/commands.fr.po"
FRENCH = translator("fr", "commands")
PARIS = ZoneInfo("Europe/Paris")
SET = ArchiveSet("blog", "run1", datetime(2026, 11, 25, 1, tzinfo=UTC), ("a", "b"), complete=True, proven=True)


def speakers() -> list[Path]:
    """The files that speak by this catalogue."""
    return [
        path
        for path in (ROOT / "agent").rglob("*.py")
        if re.search(r"Translate|translator|import n_", path.read_text())
    ]


def said() -> set[str]:
    found = set()
    for path in speakers():
        for node in ast.walk(ast.parse(path.read_text())):
            is_said = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"say", "n_"}
            if isinstance(node, ast.Call) and is_said:
                found |= {word.value for word in node.args if isinstance(word, ast.Constant)}
    return {str(text) for text in found}


def test_every_text_that_a_command_says_has_its_french() -> None:
    entries = parse_po(CATALOGUE.read_text())
    assert len(said()) > 40
    assert {text for text in said() if not entries.get(text)} == set()


def test_nothing_is_translated_that_nobody_says() -> None:
    code = "".join(
        path.read_text() for folder in ("agent", "backup", "coloc") for path in (ROOT / folder).rglob("*.py")
    )
    words = {text for text in parse_po(CATALOGUE.read_text()) if text}
    assert {text for text in words - said() if f"{text}" not in code} == set()


def test_translations_use_the_same_figures() -> None:
    entries = {source: target for source, target in parse_po(CATALOGUE.read_text()).items() if source}
    figures = {source: sorted(re.findall(r"{(\w+)}", source)) for source in entries}
    assert {
        text for text, target in entries.items() if sorted(re.findall(r"{(\w+)}", target)) != figures[text]
    } == set()


def test_french_uses_the_glossary() -> None:
    words = CATALOGUE.read_text().casefold()
    for never in ("acquitt", "sanction", "bridé", "infraction", "facture", "veuillez", "votre", " tu "):
        assert never not in words


def test_the_table_of_archives_is_in_french() -> None:
    head, line = archives.table([archives.Row("merle", SET, 1_234_567)], PARIS, FRENCH).splitlines()
    assert head.split() == ["app", "date", "hôte", "taille", "preuve", "exécution"]
    assert re.search(r"blog +2026-11-25 02:00 \+01:00 +merle +1.2 MB +relue +run1", line)


@pytest.mark.parametrize(
    ("reason", "french"),
    [
        ("the newest proven", "la plus récente vérifiée"),
        ("the newest proven, last 1, weekly 2", "la plus récente vérifiée, dernière 1, semaine 2"),
        ("no rule keeps it", "aucune règle ne la garde"),
        ("the app is gone: nothing of it is removed", "l'app n'est plus là : rien d'elle n'est supprimé"),
    ],
)
def test_the_reasons_of_retention_are_in_french(reason: str, french: str) -> None:
    text = prune.plan_text(Pruning("merle", (Verdict(SET, True, reason),), done=False), PARIS, FRENCH)
    assert text.splitlines()[0] == f"merle  garder     blog  2026-11-25 02:00 +01:00  ({french})"
    assert text.splitlines()[1:] == [
        "merle: archives qui seraient supprimées : 0",
        "Simulation : rien n'a été supprimé",
    ]
