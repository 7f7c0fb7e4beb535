"""`coloc-agent check` of enforcement: whether what coloc.yml lets be acted on can be, on this machine, as it is now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.checks import Point
from coloc.config.whole import Config
from coloc.language import n_
from helper.slices import CGROUPS, SliceActuator


def enforcement_points(config: Config, *, cgroups: Path = CGROUPS) -> Iterator[Point]:
    """Nothing without `enforce:`. What cannot be is a warning: quotas go on as a simulation."""
    if config.enforce is None:
        return
    if not config.reaches("enforce"):
        yield Point(
            "enforce",
            True,
            n_("the stage is {stage}: nothing is acted on yet"),
            n_("when you have seen the simulation, write stage: enforce"),
            {"stage": config.stage},
            warns=True,
        )
        return
    why = SliceActuator("cpu", cgroups=cgroups).cannot() if config.enforce.slices else ""
    if why:
        yield Point(
            "enforce.slices",
            True,
            n_("cannot enforce here: {why}"),
            n_("quotas go on as a simulation; leave enforce: out"),
            {"why": why},
            warns=True,
        )
    elif not config.paths.helper_socket.exists():
        yield Point(
            "enforce",
            True,
            n_("root has not agreed yet: the helper does not listen"),
            n_("run: sudo coloc-agent quota agree"),
            warns=True,
        )
    else:
        yield Point("enforce", True, n_("what was agreed can be enforced; see: coloc-agent quota"))
