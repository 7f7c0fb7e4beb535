"""The files of /proc about processes: parsed as hostile text, read through descriptors that stay open.

A kept descriptor belongs to its process for good: when the pid is given to another one, reading fails instead of lying.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MAX_BYTES = 4096
_STAT_BYTES = 1024  # more than fifty numbers and a name can be
_RESERVE = 256  # descriptors left to the rest of the agent
_MOST = 65_536
_FIELDS_NEEDED = 20  # of stat, after the name: up to the start time
_KERNEL_PARENT = 2  # kthreadd


@dataclass(frozen=True, slots=True)
class Stat:
    """What /proc/PID/stat says. Times in clock ticks; `kids_*` is what reaped children used, with theirs."""

    parent: int
    user: int
    system: int
    kids_user: int
    kids_system: int
    threads: int
    start: int


def parse_stat(data: bytes) -> Stat | None:
    """Parse /proc/PID/stat; None for anything else. The name may hold spaces, parentheses and newlines."""
    fields = data[data.rfind(b")") + 1 :].split()
    if len(fields) < _FIELDS_NEEDED:
        return None
    try:
        return Stat(
            int(fields[1]),
            int(fields[11]),
            int(fields[12]),
            int(fields[13]),
            int(fields[14]),
            int(fields[17]),
            int(fields[19]),
        )
    except ValueError:
        return None


def parse_statm(data: bytes) -> int | None:
    """Anonymous pages of a process: resident less shared (files and shared memory)."""
    fields = data.split()
    try:
        return max(0, int(fields[1]) - int(fields[2]))
    except (IndexError, ValueError):
        return None


def parse_swap(data: bytes) -> int | None:
    """Bytes of a process that were swapped out, from /proc/PID/status."""
    place = data.find(b"\nVmSwap:")
    words = data[place + 8 : place + 60].split() if place >= 0 else []
    return int(words[0]) * 1024 if words and words[0].isdigit() and len(words[0]) < 19 else None


def parse_io(data: bytes) -> tuple[int, int] | None:
    """Bytes that a process, its threads and its reaped children had read from and written to disks: /proc/PID/io."""
    found = {}
    for line in data.split(b"\n"):
        name, _, value = line.partition(b":")
        if value.strip().isdigit() and len(value) < 22:
            found[name] = int(value)
    try:
        return found[b"read_bytes"], found[b"write_bytes"]
    except KeyError:
        return None


def parse_pss(data: bytes) -> int | None:
    """Bytes of a process's proportional set size, from /proc/PID/smaps_rollup."""
    place = data.find(b"\nPss:")
    words = data[place + 5 : place + 60].split() if place >= 0 else []
    return int(words[0]) * 1024 if words and words[0].isdigit() and len(words[0]) < 19 else None


def parse_cgroup(data: bytes) -> str:
    """The path of a process in systemd's tree: cgroup v2, or the named hierarchy of v1; "" when there is none."""
    found = ""
    for line in data.decode("utf-8", "replace").split("\n"):
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "name=systemd":
            return path
        if hierarchy == "0" and not controllers:
            found = path
    return found


class ProcFiles:
    """Reads processes below `root` (/proc). Each process that is opened keeps two descriptors until it is closed."""

    def __init__(self, root: Path = Path("/proc"), *, most_kept: int | None = None) -> None:
        self._root = str(root)
        self._kept = 0
        # Since Linux 6.2 the size of that folder is the number that we want; before, it is nought.
        try:
            self._counts_descriptors = os.stat(f"{root}/self/fd").st_size > 0  # noqa: PTH116
        except OSError:
            self._counts_descriptors = False
        self._most_kept = _room() - _RESERVE if most_kept is None else most_kept

    def pids(self) -> list[int]:
        """The processes that this user may see."""
        return [int(name) for name in os.listdir(self._root) if name.isdigit()]  # noqa: PTH208 - pathlib is slower

    def owner(self, pid: int) -> int:
        """The effective user: the folder's owner, as the files in it belong to root for workers of php-fpm."""
        return os.stat(f"{self._root}/{pid}").st_uid  # noqa: PTH116

    def read(self, pid: int, name: str) -> bytes:
        """One file of a process, opened and closed at once."""
        descriptor = os.open(f"{self._root}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _MAX_BYTES)
        finally:
            os.close(descriptor)

    def descriptors(self, pid: int) -> int:
        """How many files and sockets a process holds open."""
        folder = f"{self._root}/{pid}/fd"
        if self._counts_descriptors:
            return os.stat(folder).st_size  # noqa: PTH116
        return len(os.listdir(folder))  # noqa: PTH208

    def open(self, pid: int) -> OpenProcess:
        """Open a process for repeated reading. Raises OSError when it is gone or hidden."""
        if self._kept + 2 > self._most_kept:
            return OpenProcess(self, pid, -1, -1)
        stat = os.open(f"{self._root}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            memory = os.open(f"{self._root}/{pid}/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            os.close(stat)
            raise
        self._kept += 2
        return OpenProcess(self, pid, stat, memory)

    def forget(self, process: OpenProcess) -> None:
        """Close what `open` opened."""
        if process.stat_descriptor >= 0:
            self._kept -= 2
            for descriptor in (process.stat_descriptor, process.memory_descriptor):
                with suppress(OSError):
                    os.close(descriptor)
            process.stat_descriptor = process.memory_descriptor = -1


class OpenProcess:
    """One process, with its descriptors (-1: there were too many, so each look opens the file)."""

    __slots__ = ("_files", "memory_descriptor", "pid", "stat_descriptor")

    def __init__(self, files: ProcFiles, pid: int, stat_descriptor: int, memory_descriptor: int) -> None:
        self._files, self.pid = files, pid
        self.stat_descriptor, self.memory_descriptor = stat_descriptor, memory_descriptor

    def stat(self) -> bytes:
        """/proc/PID/stat as it is now. Raises OSError when the process is gone."""
        if self.stat_descriptor < 0:
            return self._files.read(self.pid, "stat")
        return os.pread(self.stat_descriptor, _STAT_BYTES, 0)

    def memory(self) -> bytes:
        """/proc/PID/statm as it is now. Raises OSError when the process is gone."""
        if self.memory_descriptor < 0:
            return self._files.read(self.pid, "statm")
        return os.pread(self.memory_descriptor, _MAX_BYTES, 0)


def is_kernel_thread(pid: int, parent: int) -> bool:
    """Threads of the kernel: their time is the machine's, they have no memory of their own."""
    return _KERNEL_PARENT in (pid, parent)


def _room() -> int:
    """How many descriptors this process may hold, after asking for as many as it is allowed (the default is 1024)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return _MOST if soft == resource.RLIM_INFINITY else max(soft, _RESERVE)
