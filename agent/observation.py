"""What the collectors saw last, as plain values that decisions and the page are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.quotas import Key
from agent.readings import Readings
from agent.rules import CollectorHealth
from collectors.usage import Usage
from coloc.model import Colocation


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at the whole colocation. `blind_spots`: what our rights do not let us see, in a sentence each."""

    colocation: Colocation
    usage: Usage = field(default_factory=Usage)
    collectors: tuple[CollectorHealth, ...] = ()
    blind_spots: tuple[str, ...] = ()
    readings: Readings = field(default_factory=Readings)
    held: Mapping[Key, str] = field(default_factory=dict)  # limit → the step that the kernel holds
