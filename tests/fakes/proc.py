"""A small /proc in a folder: processes that are born, work, change their user and die when a test says so."""

from __future__ import annotations

import shutil
from pathlib import Path


class FakeProc:
    """Write it, give `root` to the readers and `owner` as who owns a process. One tick is a hundredth of a second."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.uids: dict[int, int] = {}
        self._machine = [0, 0]
        root.mkdir(parents=True, exist_ok=True)
        self.machine(0, 0)
        (root / "meminfo").write_text("MemTotal: 1000 kB\nMemAvailable: 600 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n")
        (root / "loadavg").write_text("0.50 0.40 0.30 1/20 77\n")
        (root / "pressure").mkdir()
        for resource in ("cpu", "memory", "io"):
            (root / "pressure" / resource).write_text("some avg10=0.00 total=2500000\nfull avg10=0.00 total=500000\n")
        (root / "net").mkdir()
        way_out = "eth0\t00000000\t010000C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        (root / "net/route").write_text("Iface\tDestination\tGateway\tFlags\n" + way_out)
        self.process(1, name="systemd", parent=0, cgroup="/init.scope")

    def process(  # one argument a fact
        self,
        pid: int,
        *,
        parent: int = 1,
        uid: int = 0,
        name: str = "sleep",
        title: str = "",
        cgroup: str = "/",
        used: tuple[int, int] = (0, 0),
        kids: tuple[int, int] = (0, 0),
        threads: int = 1,
        start: int = 100,
        pages: int = 10,
        swap_kib: int = 0,
        moved: tuple[int, int] = (0, 0),
        pss_kib: int = 12,
        descriptors: int = 3,
    ) -> None:
        """Make a process, or change it in place: open descriptors see the change, as in a real /proc."""
        folder = self.root / str(pid)
        folder.mkdir(exist_ok=True)
        self.uids[pid] = uid
        times = f"{used[0]} {used[1]} {kids[0]} {kids[1]}"
        stat = f"{pid} ({name}) S {parent} 0 0 0 0 0 0 0 0 0 {times} 20 0 {threads} 0 {start} 9 {pages + 5}\n"
        (folder / "stat").write_text(stat)
        (folder / "statm").write_text(f"900 {pages + 5} 5 1 0 90 0\n")
        (folder / "status").write_text(f"Name:\t{name}\nVmSwap:\t{swap_kib} kB\nThreads:\t{threads}\n")
        (folder / "io").write_text(f"rchar: 9\nwchar: 9\nread_bytes: {moved[0]}\nwrite_bytes: {moved[1]}\n")
        (folder / "smaps_rollup").write_text(f"55-7f ---p 00000000 00:00 0 [rollup]\nRss: 90 kB\nPss: {pss_kib} kB\n")
        shutil.rmtree(folder / "fd", ignore_errors=True)
        (folder / "fd").mkdir()
        for number in range(descriptors):
            (folder / "fd" / str(number)).touch()
        (folder / "cgroup").write_text(f"0::{cgroup}\n")
        (folder / "comm").write_text(f"{name}\n")
        (folder / "cmdline").write_bytes((title or name).encode() + b"\0")

    def end(self, pid: int) -> None:
        """The process is gone."""
        shutil.rmtree(self.root / str(pid))
        del self.uids[pid]

    def machine(self, user: int, system: int) -> None:
        """What the machine used since it booted, in ticks; it only grows."""
        self._machine = [self._machine[0] + user, self._machine[1] + system]
        line = f"cpu  {self._machine[0]} 0 {self._machine[1]} 1000 7 0 0 3 0 0\n"
        (self.root / "stat").write_text(f"{line}cpu0 {line[5:]}cpu1 {line[5:]}intr 5\nbtime 1795406580\n")

    def swapping(self) -> None:
        """From now on, something is swapped out."""
        text = (self.root / "meminfo").read_text()
        (self.root / "meminfo").write_text(
            text.replace("SwapTotal: 0", "SwapTotal: 100").replace("SwapFree: 0", "SwapFree: 60")
        )

    def owner(self, pid: int) -> int:
        """Who owns a process."""
        return self.uids[pid]
