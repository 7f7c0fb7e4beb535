"""One look of every collector, for people and tests: what /metrics would say at its first scrape."""

from __future__ import annotations

from dataclasses import dataclass

from agent.rule_facts import project_facts
from agent.wiring import blind_spots, collectors_of
from collectors.agent_facts import name_families
from collectors.rule_facts import project_families
from collectors.sampler import Sampler
from coloc.config.whole import Config
from coloc.model import Colocation


@dataclass(frozen=True, slots=True)
class Measured:
    """The text, and what could not be seen, a sentence each."""

    text: bytes
    unseen: tuple[str, ...]


def measure_once(config: Config, colocation: Colocation, version: str) -> Measured:
    """Let every collector look once. Backups, quotas and incidents are the daemon's and not in it."""
    collectors = collectors_of(config)
    sampler = Sampler(collectors, lambda: colocation)
    names = name_families(colocation, coloc=config.coloc.name, kind=config.coloc.kind, version=version)
    sampler.put("names", [*names, *project_families(project_facts(config))])
    text = sampler.look_once().text
    failed = [f"{each.name}: {each.error}" for each in sampler.standings() if each.success is False]
    unseen = (*blind_spots(collectors), *failed)
    sampler.stop()
    return Measured(text, unseen)
