"""Before an upgrade, as a table: what is good, what must be done first, what is only to be known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

import agent.client
from agent.cli import Context
from agent.commands.upgrade_check import command
from agent.status import AppStatus, BackupStatus, MaintenanceStatus, Status
from agent.upgrade_check import Around, Point, upgrade_points
from coloc.errors import ColocError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BLOG = AppStatus("blog", "Blog", "chorale", "ok", "", "1", True, None, None, 4e9, 1e9)
BACKUP = BackupStatus("blog", "merle", NOW, True, "", NOW, NOW - HOUR, "a", 1)
PLANNED = MaintenanceStatus(3, "Upgrade", "blog", "declared", NOW, NOW + HOUR, None, None, "léa")
STATUS = Status("c", "cloud", "alert", "1", "UTC", NOW, NOW, (), (BLOG,), ("merle",), (BACKUP,), (), {}, {})


def points(
    *, app: AppStatus = BLOG, backup: BackupStatus = BACKUP, around: Around | None = None, planned: str | None = "blog"
) -> list[Point]:
    maintenances = () if planned is None else (replace(PLANNED, about=planned),)
    status = replace(STATUS, backups=(backup,), maintenances=maintenances)
    return list(upgrade_points(status, app, around or Around((), 10**10), str, str))


def test_all_is_well() -> None:
    assert [point.good for point in points()] == [True] * 4


@pytest.mark.parametrize(
    ("what", "place", "good", "words"),
    [
        ({"app": replace(BLOG, up=False)}, 0, False, "does not run"),
        ({"app": replace(BLOG, up=None)}, 0, None, "not known"),
        ({"backup": replace(BACKUP, last_proven_at=None)}, 1, False, "no backup of it was ever proven"),
        ({"backup": replace(BACKUP, last_proven_at=NOW - 25 * HOUR)}, 1, False, "is old"),
        ({"backup": replace(BACKUP, app="wiki")}, 1, False, "no backup"),
        ({"around": Around((), 5 * 10**9)}, 2, False, "free: 5"),
        ({"around": Around((), None)}, 2, None, "not known"),
        ({"app": replace(BLOG, disk_bytes=None)}, 2, None, "not known"),
        ({"planned": None}, 3, None, "no maintenance"),
        ({"planned": "wiki"}, 3, None, "no maintenance"),
        ({"planned": "chorale"}, 3, True, "M3 Upgrade"),
        ({"planned": ""}, 3, True, "M3 Upgrade"),
        ({"around": Around(["/a"] * 9, 10**10)}, 4, None, "/a, /a, /a, /a, /a …"),
    ],
)
def test_what_is_not(what: dict[str, object], place: int, good: bool | None, words: str) -> None:
    point = points(**what)[place]  # type: ignore[arg-type]
    assert point.good is good
    assert words in point.text
    assert point.to_do or good is not False


def test_the_command_says_it_with_the_package_s_notes_and_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = tmp_path / "root/etc/yunohost/apps/blog/doc"
    notes.mkdir(parents=True)
    (notes / "PRE_UPGRADE.md").write_text("English\n")
    (notes / "PRE_UPGRADE_fr.md").write_text("Sauvegarde\x1b[31m d'abord\n")
    (tmp_path / "coloc.yml").write_text(f"coloc: {{name: c}}\nroot: {tmp_path / 'root'}\n")
    context = Context(tmp_path / "coloc.yml")
    monkeypatch.setattr(agent.client, "ask_own_status", lambda _: replace(STATUS, backups=()))
    result = CliRunner().invoke(command, ["blog"], obj=context)
    assert isinstance(result.exception, ColocError)
    assert "✗ aucune de ses sauvegardes n'a jamais été vérifiée — coloc-agent backup blog" in result.output
    assert "Le paquet installé dit (PRE_UPGRADE_fr.md)" in result.output
    assert "\x1b" not in result.output
    monkeypatch.setattr(agent.client, "ask_own_status", lambda _: STATUS)
    assert CliRunner().invoke(command, ["blog"], obj=context).exit_code == 0
    typo = CliRunner().invoke(command, ["blgo"], obj=context)
    assert "did you mean 'blog'" in str(typo.exception)
