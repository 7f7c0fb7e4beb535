"""`coloc-agent drill` as people and the timer call it."""

from __future__ import annotations

import subprocess
import sys

import yaml

from coloc.config.whole import STAGES
from tests.fakes.backup_world import World


def drill(world: World, *arguments: str, stage: str = STAGES[1], code: int = 0) -> str:
    data = yaml.safe_load(world.as_yaml())
    data["stage"], data["coloc"]["language"] = stage, "en"
    file = world.folder / "coloc.yml"
    file.write_text(yaml.safe_dump(data))
    file.chmod(0o600)
    argv = [sys.executable, "-m", "agent", "--config", str(file), "drill", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_a_drill_by_the_timer_and_by_hand(world: World) -> None:
    world.local_host("merle")
    world.app("blog", rows=7)
    assert world.run().ok
    assert "blog on merle: whole" in drill(world, "--dry-run")
    assert drill(world, "--nightly", stage="observe") == ""
    told = drill(world, "--nightly")
    assert "blog on merle: proven whole" in told and "1 databases, 7 rows" in told
    assert drill(world, "--nightly") == ""  # once a day
    assert "no drill is due" in drill(world)
    assert "last proven whole" in drill(world, "blog", "--dry-run")
    assert drill(world, "--tidy") == ""
    assert [fact.values["rows"] for fact in world.facts("drill")] == [7]
    assert "there is no archive of 'nothing'" not in drill(world, "nothing", code=1)


def test_a_drill_that_finds_no_repository_does_not_say_that_none_is_due(world: World) -> None:
    place = world.local_host("merle")
    world.app("blog")
    assert world.run().ok
    place.rename(place.with_name("away"))
    told = drill(world, "blog", code=1)
    assert "the repository that we know is gone" in told
    assert "no drill is due" not in told
