"""One look of every collector, for people and tests: what /metrics would say at its first scrape."""

from __future__ import annotations

import time
from dataclasses import dataclass

from agent.observation import Observation
from agent.own_families import remembered_families
from agent.rule_facts import project_facts
from agent.wiring import blind_spots, collectors_of
from collectors.agent_facts import name_families
from collectors.rule_facts import project_families
from collectors.sampler import Sampler
from collectors.usage import UsageWindow
from coloc.config.whole import Config
from coloc.errors import StateError
from coloc.facts import Spool
from coloc.model import Colocation
from coloc.times import now_utc


@dataclass(frozen=True, slots=True)
class Measured:
    """The text, and what could not be seen, a sentence each."""

    text: bytes
    unseen: tuple[str, ...]


def measure_once(config: Config, colocation: Colocation, version: str, spool: Spool | None = None) -> Measured:
    """Let every collector look once; `spool`: what backups reported, if they are of this colocation.

    Incidents and steps of quotas are the daemon's and not in it.
    """
    collectors = collectors_of(config)
    sampler = Sampler(collectors, lambda: colocation)
    names = name_families(colocation, coloc=config.coloc.name, kind=config.coloc.kind, version=version)
    sampler.put("names", names)
    sampler.put("rules", project_families(project_facts(config)))
    text = sampler.look_once().text
    standings = sampler.standings()
    unseen = [*blind_spots(collectors), *(f"{each.name}: {each.error}" for each in standings if each.success is False)]
    if spool is not None:
        usage = UsageWindow().update(standings, colocation, time.monotonic())
        try:
            own = remembered_families(config, Observation(colocation, usage, (), ()), spool, now_utc(), version)
        except StateError as error:
            unseen.append(f"backups and quotas: {error}")
        else:
            sampler.put("rules", own)
            text = sampler.render_now().text
    sampler.stop()
    return Measured(text, tuple(unseen))
