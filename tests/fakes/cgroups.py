"""A small tree of control groups in a folder, as the kernel shows units: pressure, kills, processes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path


class FakeCgroups:
    """Give `root` to the readers as /sys/fs/cgroup."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def unit(
        self,
        name: str,
        *,
        below: str = "system.slice",
        waited: tuple[int, int, int] | None = None,
        kills: int | None = None,
        pids: Iterable[int] = (),
    ) -> Path:
        """Make a unit's group, or change it. `waited`: microseconds for cpu, memory, io."""
        folder = self.root / below / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
        for resource, total in zip(("cpu", "memory", "io"), waited or (), strict=False):
            means = "avg10=0.00 avg60=0.00 avg300=0.00"
            (folder / f"{resource}.pressure").write_text(f"some {means} total={total}\nfull {means} total=1\n")
        if kills is not None:
            lines = f"low 0\nhigh 0\nmax 0\noom {kills}\noom_kill {kills}\noom_group_kill 0\n"
            (folder / "memory.events").write_text(lines)
        return folder

    def end(self, name: str, *, below: str = "system.slice") -> None:
        """The unit is stopped: its group is gone."""
        shutil.rmtree(self.root / below / name)
