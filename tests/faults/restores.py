"""A restore under a fault: it brought back what was saved, or the app is as it was; never something between."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.faults.checks import expect, judge_apps
from tests.faults.house import House, Snapshot

APP = "blog"


def restore_words(chance: random.Random, host: str = "") -> list[str]:
    """All of it, or a part, from this host or any."""
    only = chance.choice([[], ["--only", "files"], ["--only", "database"]])
    at = ["--from", host] if host else chance.choice([[], ["--from", "merle"], ["--from", "alouette"]])
    return ["restore", APP, *only, *at, "--yes"]


def restores(house: House) -> dict[str, dict[str, Any]]:
    """id → what the agent wrote down of each restore, oldest first."""
    paths = sorted((house.journal / "restores").glob("*.json"))
    return {path.stem: json.loads(path.read_text()) for path in paths}


def finish_restore(house: House, known: set[str], code: int, chance: random.Random) -> None:
    """What a person does next: one that was cut off is finished or taken back."""
    for name, restore in restores(house).items():
        if name not in known and restore["state"] in {"running", "copying", "undoing"}:
            way = chance.choice(["--resume", "--undo"]) if restore["state"] == "running" else "--undo"
            answered = house.call("restore", way, "--yes")
            expect(answered == 0, f"restore {way} fails with {answered} after exit {code}")


def judge_restore(
    house: House, known: set[str], words: list[str], before: dict[str, Snapshot], after: dict[str, Snapshot], code: int
) -> None:
    """Each part is what was saved, or what it was; the other app is untouched; the unit runs."""
    judge_apps({"wiki": before["wiki"]}, after, "a restore of blog")
    expect(house.units.state("blog.service") == "active", "the unit of blog does not run")
    done = [each for name, each in restores(house).items() if name not in known and each["state"] == "done"]
    expect(bool(done) or code != 0, "exit code 0, and no restore was done")
    if not done:
        judge_apps({APP: before[APP]}, after, "a restore that was not done")
        return
    truth = house.truths[APP, done[-1]["run"]]
    files = "--only" not in words or "files" in words
    databases = "--only" not in words or "database" in words
    expect(after[APP]["files"] == (truth if files else before[APP])["files"], "the files are not those of the archive")
    expect(
        after[APP]["mysql"] == (truth if databases else before[APP])["mysql"], "the rows are not those of the archive"
    )
    if files and databases:
        expect(after[APP]["sqlite"] == truth["sqlite"], "the SQLite rows are not those of the archive")
