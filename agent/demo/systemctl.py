"""The demo's `systemctl`: show, start, stop and restart of its few units, in systemd's own words.

Used as `python -m agent.demo.systemctl FOLDER VERB [OPTIONS] [--] UNIT…`; pids lie in FOLDER/run.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from coloc.command import start


def main(argv: Sequence[str]) -> int:
    """Obey one order; returns systemctl's exit code."""
    folder, verb, *rest = argv
    units = [word.removesuffix(".service") for word in rest if not word.startswith("-")]
    demo = DemoUnits(Path(folder))
    if verb == "show":
        sys.stdout.write("\n".join(demo.describe(unit) for unit in units))
        return 0
    missing = [unit for unit in units if not demo.unit_file(unit).exists()]
    if missing:
        sys.stderr.write(f"Failed to {verb} {missing[0]}.service: Unit {missing[0]}.service not found.\n")
        return 5
    for unit in units:
        if verb in {"stop", "restart", "reload-or-restart"}:
            demo.stop(unit)
        if verb in {"start", "restart", "reload-or-restart"}:
            demo.start(unit)
    return 0


class DemoUnits:
    """The units of a demo folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def unit_file(self, unit: str) -> Path:
        """Where a unit is written down."""
        return self._folder / "root/etc/systemd/system" / f"{Path(unit).name}.service"

    def names(self) -> list[str]:
        """All units of the demo."""
        return sorted(path.stem for path in (self._folder / "root/etc/systemd/system").glob("*.service"))

    def pid(self, unit: str) -> int:
        """The pid of a running unit, else 0. A pid that was given to another program since does not count."""
        with suppress(OSError, ValueError):
            number, born = self._pid_file(unit).read_text().split()
            if _birth(int(number)) == born:
                return int(number)
        return 0

    def start(self, unit: str) -> None:
        """Start a unit under its own account, or under ours when we are not root."""
        if self.pid(unit):
            return
        values = dict(line.split("=", 1) for line in self.unit_file(unit).read_text().splitlines() if "=" in line)
        uid = _uid_of(self._folder / "root/etc/passwd", values.get("User", "")) if os.geteuid() == 0 else None
        child = start(shlex.split(values["ExecStart"]), log=self._folder / "log" / f"{unit}.log", user=uid)
        self.note(unit, child.pid)

    def note(self, unit: str, pid: int) -> None:
        """Remember the process of a unit, so that a later demo can end it when this one is killed."""
        self._pid_file(unit).parent.mkdir(parents=True, exist_ok=True)
        self._pid_file(unit).write_text(f"{pid} {_birth(pid)}")

    def stop(self, unit: str, *, patience_seconds: float = 2.0) -> None:
        """End a unit's whole group, gently first."""
        group = self.pid(unit)
        for number in (signal.SIGTERM, signal.SIGKILL) if group else ():
            with suppress(ProcessLookupError):
                os.killpg(group, number)
            deadline = time.monotonic() + patience_seconds
            while _lives(group) and time.monotonic() < deadline:
                time.sleep(0.02)
        self._pid_file(unit).unlink(missing_ok=True)

    def describe(self, unit: str) -> str:
        """The block that `systemctl show` prints for one unit."""
        pid = self.pid(unit)
        load = "loaded" if self.unit_file(unit).exists() else "not-found"
        active, sub = ("active", "running") if pid else ("inactive", "dead")
        values = {"Type": "simple", "Id": f"{unit}.service", "LoadState": load, "ActiveState": active, "SubState": sub}
        values |= {"MainPID": str(pid), "ControlGroup": "", "NRestarts": "0", "Result": "success"}
        return "".join(f"{name}={value}\n" for name, value in values.items())

    def _pid_file(self, unit: str) -> Path:
        return self._folder / "run" / f"{Path(unit).name}.pid"


def _birth(pid: int) -> str:
    """When a process began, in clock ticks since boot; "" when it is gone or only waits to be buried."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else fields[18]


def _lives(group: int) -> bool:
    """True while a process of the group lives; one that only waits to be buried does not."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError, IndexError):  # it is no process, or ended meanwhile
            fields = (folder / "stat").read_text(errors="replace").rpartition(") ")[2].split()
            if fields[0] != "Z" and int(fields[2]) == group:
                return True
    return False


def _uid_of(passwd: Path, user: str) -> int | None:
    for line in passwd.read_text().splitlines():
        fields = line.split(":")
        if fields[0] == user:
            return int(fields[2])
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
