"""What one tick of quotas costs the daemon: 60 apps in 20 projects, every limit of each. Below 20 ms of CPU, or exit 1.

Without enforcement (the simulation alone), and with it (what shall be held, against what is). Medians of the program's
own CPU time: what the helper does is another process, and happens only when a step is taken.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.backup_store import FactReader
from agent.enforcement import Around
from agent.enforcing import Enforcing
from agent.evaluator import Evaluator
from agent.giving_way import giving_way
from agent.observation import Observation
from agent.readings import Readings
from collectors.usage import AppUsage, ProjectUsage, Usage
from coloc.config.projects import RESOURCES
from coloc.config.whole import Config
from coloc.facts import Spool
from coloc.model import App, Colocation, Inventory
from coloc.state import open_state
from coloc.verbs import Answer

PROJECTS, APPS, ROUNDS = 20, 60, 50
MOST_MILLISECONDS = 20.0
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def config(*, enforced: bool) -> Config:
    quotas = dict.fromkeys(RESOURCES, 10) | {"allow": "hard"}
    acted = [resource for resource in RESOURCES if resource != "network"] if enforced else []
    enforce = {"enforce": {"slices": True, "simulate_for": "0s"}} if enforced else {}
    return Config.model_validate(
        enforce
        | {
            "coloc": {"name": "bench"},
            "stage": "enforce",
            "projects": {f"p{number}": {"quotas": quotas, "enforce": acted} for number in range(PROJECTS)},
            "apps": {f"a{number}": {"quotas": quotas, "enforce": acted} for number in range(APPS)},
        }
    )


def apps_of_a_server() -> Colocation:
    apps = {f"a{number}": App(f"a{number}", "a", "A") for number in range(APPS)}
    shares = {f"a{number}": {f"p{number % PROJECTS}": 1.0} for number in range(APPS)}
    return Colocation(Inventory(apps), tuple(f"p{number}" for number in range(PROJECTS)), shares)


def observation(moment: float, colocation: Colocation) -> Observation:
    figures = (9.0 + moment % 3, 5.0, 11.0, 9.5, 3.0)
    usage = Usage(
        {app: AppUsage(app, colocation.project_of(app), *figures) for app in colocation.inventory.apps},
        {project: ProjectUsage(project, *figures) for project in colocation.projects},
    )
    return Observation(colocation, usage, readings=Readings())


def measure(*, enforced: bool) -> float:
    """Milliseconds of CPU that the daemon's tick takes for quotas."""
    colocation = apps_of_a_server()
    chosen, spent = config(enforced=enforced), list[float]()
    with (
        tempfile.TemporaryDirectory(prefix="coloc-bench-") as name,
        closing(open_state(Path(name) / "state.db")) as state,
    ):
        evaluator = Evaluator(state, FactReader(state, Spool(Path(name) / "facts")), lambda *_: None)
        enforcing = Enforcing(lambda _: Answer())  # nothing is held yet: every limit is worth an order
        for number in range(ROUNDS):
            now, seen = NOW + timedelta(seconds=5 * number), observation(float(number), colocation)
            began = time.process_time()
            standings = evaluator.standings(chosen, seen, now)
            if chosen.enforce is not None:
                agreed = evaluator.agreements.of(chosen, seen.colocation)
                around = Around(timedelta(0), giving_way(chosen, state.connection, now))
                enforcing.decide(agreed, standings, around, now)
            spent.append(1000 * (time.process_time() - began))
            enforcing.round(float(number))
    return statistics.median(spent)


def main() -> int:
    worst = 0.0
    for enforced in (False, True):
        found = measure(enforced=enforced)
        worst = max(worst, found)
        limits = (PROJECTS + APPS) * len(RESOURCES)
        what = "enforced" if enforced else "simulated"
        print(f"{what}: {found:.1f} ms of CPU a tick, median of {ROUNDS}, {limits} limits")
    print(f"{'below' if worst < MOST_MILLISECONDS else 'NOT below'} {MOST_MILLISECONDS:g} ms")
    return 0 if worst < MOST_MILLISECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
