"""A systemd that keeps slices, and a kernel that shows them in files; it may also say yes and do nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from coloc.agreed import slice_folder
from coloc.command import OK, CommandFailed, Output

_FILES = {"CPUQuota": "cpu.max", "MemoryHigh": "memory.high", "MemoryMax": "memory.max", "TasksMax": "pids.max"}
_NOTHING = {"cpu.max": "max 100000", "memory.high": "max", "memory.max": "max", "pids.max": "max", "io.max": ""}


class FakeSystemd:
    """Give `run` as the house's Run, and `cgroups` as /sys/fs/cgroup."""

    def __init__(self, cgroups: Path, *, controllers: str = "cpuset cpu io memory pids", deaf: bool = False) -> None:
        self.cgroups, self.deaf = cgroups, deaf  # deaf: says yes and does nothing
        self.calls: list[tuple[str, ...]] = []
        self.groups: dict[str, str] = {}  # unit → its control group
        self.fails: Callable[[Sequence[str]], bool] = lambda argv: False
        cgroups.mkdir(parents=True, exist_ok=True)
        if controllers:
            (cgroups / "cgroup.controllers").write_text(f"{controllers}\n")

    def begin(self, name: str, **files: str) -> Path:
        """Something runs in a slice now: the kernel shows it."""
        folder = self.cgroups / slice_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in (_NOTHING | {"memory.current": "1000", "pids.current": "5"} | files).items():
            (folder / file).write_text(f"{text}\n")
        return folder

    def shown(self, name: str, file: str) -> str:
        return (self.cgroups / slice_folder(name) / file).read_text().strip()

    def run(self, argv: Sequence[str], *, timeout: float, accept: frozenset[int] = OK, **options: object) -> Output:
        self.calls.append(tuple(argv))
        if self.fails(argv):
            raise CommandFailed(argv[0], Output(1, "", "Failed to connect to bus"))
        if list(argv[:2]) == ["systemctl", "show"]:
            names = argv[argv.index("--") + 1 :]
            return Output(0, "\n\n".join(f"Id={name}\nControlGroup={self.groups.get(name, '')}" for name in names), "")
        if list(argv[:2]) == ["systemctl", "set-property"] and not self.deaf:
            _, _, _, _, name, *orders = argv
            for order in orders:
                self._set(name, *order.split("=", 1))
        return Output(0, "", "")

    def _set(self, name: str, property_name: str, value: str) -> None:
        folder = self.cgroups / slice_folder(name)
        if not folder.is_dir():
            return
        if property_name.startswith("IO"):
            self._set_speed(folder / "io.max", "rbps" if "Read" in property_name else "wbps", value)
            return
        file = _FILES[property_name]
        text = value or _NOTHING[file]
        if value and property_name == "CPUQuota":
            text = f"{int(float(value.rstrip('%')) * 1000)} 100000"
        (folder / file).write_text(f"{text}\n")

    def _set_speed(self, path: Path, word: str, value: str) -> None:
        speeds: Mapping[str, str] = dict(part.split("=", 1) for part in path.read_text().split()[1:])
        kept = {key: each for key, each in speeds.items() if key != word and each != "max"}
        kept |= {word: value.split()[1]} if value else {}
        line = " ".join(f"{key}={kept.get(key, 'max')}" for key in ("rbps", "wbps", "riops", "wiops"))
        path.write_text(f"253:0 {line}\n" if kept else "\n")
