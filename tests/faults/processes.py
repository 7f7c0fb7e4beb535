"""Which processes work for the house now, found in /proc by its folder; each kind that a fault may end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_KINDS: dict[str, Callable[[list[str]], bool]] = {
    "borg": lambda argv: any(word.endswith("/borg") for word in argv[:3]) and "serve" not in argv,
    "serve": lambda argv: any(word.endswith("borg") for word in argv[:3]) and "serve" in argv,
    "ssh": lambda argv: argv[0] == "ssh",
    "dump": lambda argv: argv[0] in {"mariadb-dump", "mariadb"} or any("dumpstream" in word for word in argv[:4]),
    "agent": lambda argv: any(word.endswith("/coloc-agent") for word in argv[:3]),
}


@dataclass(frozen=True, slots=True)
class Processes:
    """Those that bear the folder of the house in their environment or their words."""

    folder: Path

    def of(self, kind: str) -> list[int]:
        """The process ids of one kind."""
        return [pid for pid, argv in self._ours() if _KINDS[kind](argv)]

    def all(self) -> dict[int, str]:
        """Everything that runs for a command, the friend's side included; servers are no commands."""
        return {pid: " ".join(argv) for pid, argv in self._ours()}

    def kill(self, kind: str) -> bool:
        """Kill what is there of a kind; False when nothing is."""
        return sum(_killed(pid) for pid in self.of(kind)) > 0

    def end_all(self) -> None:
        """Kill every one, as systemd does with a unit."""
        for pid in self.all():
            _killed(pid)

    def _ours(self) -> Iterator[tuple[int, list[str]]]:
        mark, home = os.fsencode(self.folder), b"HOME=" + os.fsencode(self.folder / "home")
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                words, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
                is_server = (
                    words.startswith(b"sshd:") or b"mariadbd" in words.split(b"\0")[0] or b"sshd_config" in words
                )
                if words and not is_server and (home in environment.split(b"\0") or mark in words):
                    yield int(entry.name), os.fsdecode(words).rstrip("\0").split("\0")


def _killed(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False
