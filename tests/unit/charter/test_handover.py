"""The handover sheet: what stands in it, also without a daemon; no secret, no markup from outside."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent.charter.handover import Known, app_sheet, project_sheet
from agent.cli import cli
from agent.colocation import read_colocation
from agent.status import DrillStatus, IncidentStatus
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.model import App, Colocation, Database, DatabaseKind, Inventory
from tests.fakes.daemon_page import NIGHT, NOW, sample_status

CAPTURED = Path(__file__).parents[2] / "captured/yunohost/fixture"
BLOG = App(
    "blog", "wordpress", "Le blog", version="6.5~ynh2", urls=("https://blog.test/",), user="blog", services=("blog",),
    install_dir="/var/www/blog", databases=(Database(DatabaseKind.MYSQL, "blog"),), modified_files=("/etc/a.conf",),
)  # fmt: skip
COLOCATION = Colocation(Inventory({"blog": BLOG}), ("rosalinde",), {"blog": {"rosalinde": 1.0}})
INCIDENT = IncidentStatus(7, "critical", "firing", "Le blog est tombé", NIGHT, None, "", None, app="blog")
STATUS = sample_status()
DRILLED = replace(STATUS.backups[0], drill=DrillStatus(NIGHT, True, "", NIGHT, 1.0, 3.0))
KNOWN = Known(replace(STATUS, backups=(DRILLED,)), (INCIDENT, replace(INCIDENT, id=8, app="wiki")))


def config(language: str = "fr", **charter: Any) -> Config:
    data = {
        "coloc": {"name": "hautepierre", "language": language},
        "adminsys": {"lea": {}, "noe": {}},
        "projects": {"rosalinde": {"adminsys": ["lea"], "charter": {"agreed": "50 Go", "agreed_on": "2026-01-02"}}},
        "apps": {"blog": {"service": "high", "charter": charter}},
    }
    return parse_config(json.dumps(data).encode(), "coloc.yml")


def part(lines: list[str], title: str) -> list[str]:
    below = lines[lines.index(f"## {title}") + 2 :]
    return below[: below.index("")] if "" in below else below


def test_whoever_takes_over_reads_who_where_what_and_what_to_type() -> None:
    sheet = app_sheet(config(notes="Le cron envoie la lettre.\nVoir Noé."), COLOCATION, BLOG, KNOWN, NOW)
    assert sheet[0] == "# Fiche de reprise: Le blog (blog)"
    assert part(sheet, "Qui")[0] == "- projet rosalinde: lea"
    assert "`apps.blog.charter.reviewed: {by: NAME, on: 2026-11-23}`" in part(sheet, "Qui")[1]
    assert part(sheet, "Ce qui est convenu") == [
        "- niveau de service: high",
        "- rosalinde: convenu: 50 Go (le 2026-01-02)",
    ]
    assert part(sheet, "Où") == [
        "- app: wordpress, version 6.5\\~ynh2",
        "- adresse: `https://blog.test/`",
        "- dossier: `/var/www/blog`",
        "- base: `mysql blog`",
        "- unité: `blog`",
        "- utilisateur système: `blog`",
    ]
    assert part(sheet, "Modifié à la main") == ["- `/etc/a.conf` (une mise à jour peut le défaire)"]
    first, second = part(sheet, "Sauvegardes")
    assert first.startswith("- alouette: dernière bonne 2026-11-23") and "jamais" not in first
    assert second == "- merle: aucune sauvegarde"
    assert [line.rpartition("(")[2] for line in part(sheet, "Derniers incidents")] == ["no. 7)"]
    typed = "\n".join([*part(sheet, "La restaurer"), *part(sheet, "La mettre à jour")])
    for command in ("restore blog`", "restore blog --only database", "upgrade-check blog", "yunohost app upgrade blog"):
        assert command in typed
    assert part(sheet, "Notes") == ["- Le cron envoie la lettre.", "- Voir Noé."]


def test_a_review_of_a_second_person_stands_in_it_for_a_year() -> None:
    for on, stands in (("2026-03-01", True), ("2024-03-01", False)):
        sheet = app_sheet(config("en", reviewed={"by": "noe", "on": on}), COLOCATION, BLOG, KNOWN, NOW)
        assert (f"- reviewed by noe, {on}" in sheet) is stands


def test_without_the_daemon_it_says_what_it_cannot_know() -> None:
    sheet = app_sheet(config(), COLOCATION, BLOG, Known(None), NOW)
    for title in ("Sauvegardes", "Derniers incidents"):
        assert part(sheet, title) == ["- pas connu : l'agent ne répond pas"]
    assert part(sheet, "Où") and part(sheet, "La restaurer")


def test_a_declared_app_names_no_command_of_yunohost() -> None:
    sheet = app_sheet(config("en"), COLOCATION, replace(BLOG, declared=True, databases=()), KNOWN, NOW)
    assert not any("yunohost" in line or "--only database" in line for line in sheet)


def test_the_sheet_of_a_project_holds_those_of_its_apps() -> None:
    for language in ("fr", "en"):
        sheet = project_sheet(config(language), COLOCATION, "rosalinde", KNOWN, NOW)
        assert part(sheet, "Apps") == ["- Le blog (blog)"]
        assert app_sheet(config(language), COLOCATION, BLOG, KNOWN, NOW) == sheet[sheet.index("---") + 2 :]


@given(st.text(max_size=80))
def test_words_from_outside_are_no_markup_and_no_new_lines(words: str) -> None:
    app = replace(
        BLOG, label=words, version=words, urls=(words,), modified_files=(words,), services=(words,), cron=(words,)
    )
    before = len(app_sheet(config(), COLOCATION, replace(BLOG, cron=("x",)), KNOWN, NOW))
    sheet = app_sheet(config(), COLOCATION, app, KNOWN, NOW)
    assert len(sheet) == before and not any("\n" in line or "\r" in line for line in sheet)
    assert all(
        line.replace("\\`", "").count("`") in {0, 2}
        for line in sheet[sheet.index("## Où") : sheet.index("## Sauvegardes")]
    )


def test_no_secret_of_the_server_stands_in_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "coloc.yml"
    settings = {"coloc": {"name": "c"}, "root": str(CAPTURED), "paths": {"state": str(tmp_path / "state")}}
    file.write_text(yaml.safe_dump(settings | {"listen": "127.0.0.1:1"}))
    apps = read_colocation(parse_config(file.read_bytes(), "coloc.yml")).inventory.apps
    said = ""
    for app in apps:
        assert cli.main(["--config", str(file), "handover", app], standalone_mode=False) is None
        out, err = capsys.readouterr()
        assert out.startswith("# Fiche de reprise") and "127.0.0.1:1" in err
        said += out
    named = re.compile(
        r"^\S*(?:secret|pass|token|key|pwd)\S*: '?(\S{6,})", re.MULTILINE
    )  # also in files that are broken
    files = (CAPTURED / "etc/yunohost/apps").glob("*/settings.yml")
    secrets = [word for path in files for word in named.findall(path.read_text(errors="replace"))]
    assert len(secrets) > 3 and not [secret for secret in secrets if secret in said]
