"""A unit of one app, as the kernel knows it: what its processes spent is the app's, whatever their user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from coloc.model import App
from tests.fakes.colocations import colocation
from tests.fakes.waiting import until
from tests.integration.collectors.test_truth import ROUNDING, UIDS, Looks, Spender

UNIT = f"coloc-truth-{os.getpid()}.service"


@contextmanager
def real_unit() -> Iterator[list[Path]]:
    """A cgroup in each tree that systemd would use on this machine: v2, and the named one of v1."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    is_systemd_s = {words[1]: words[2] == "cgroup2" or "name=systemd" in words[3].split(",") for words in mounts}
    trees = [Path(place) for place, is_one in is_systemd_s.items() if is_one]
    groups = [tree / "system.slice" / UNIT for tree in trees]
    assert groups, "no tree of systemd's cgroups is mounted here"
    made = []
    for group in groups:
        made += [each for each in (group.parent,) if not each.exists()]
        group.mkdir(parents=True)
    try:
        yield groups
    finally:
        for group in groups:
            processes = group / "cgroup.procs"
            until(partial(_is_empty, processes), seconds=60, what="an empty unit")
            group.rmdir()
        for slice_ in made:
            slice_.rmdir()


def _is_empty(file: Path) -> bool:
    return not file.read_text()


def test_processes_of_a_unit_are_its_app_s_whatever_their_user() -> None:
    apps = colocation(
        App("blog", "b", "Blog", user="blog", services=(UNIT,)),
        App("wiki", "w", "Wiki", user="wiki"),
        shares={"blog": {"velo": 1.0}},
    )
    with real_unit() as groups:
        spender = Spender(6, 0.2, as_user=0, children_as=UIDS["wiki"])
        for group in groups:
            (group / "cgroup.procs").write_text(str(spender.pid))
        looks = Looks(every=0.3, apps=apps)
        spender.spend()
        truth = spender.children_spent()
        looks.end()
        spender.end()
    assert looks.cpu("blog") == pytest.approx(truth, rel=0.02, abs=ROUNDING)
    assert looks.cpu("wiki") == 0
