"""The load that every exporter sees: small processes of thirty users, one in fifty of which works a little."""

from __future__ import annotations

import os
import signal

USERS, FIRST_UID = 30, 62_000
_WORKS = 50
_WORKER = "while (1) { select(undef, undef, undef, 1); $n += $_ for 1 .. 10000 }"


def begin(processes: int) -> list[int]:
    """Start so many processes; returns their pids. Needs root."""
    return [_begin(number) for number in range(processes)]


def end(pids: list[int]) -> None:
    """End them and wait for it."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        os.waitpid(pid, 0)


def _begin(number: int) -> int:
    argv = ["perl", "-e", _WORKER] if number % _WORKS == 0 else ["sleep", "infinity"]
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(FIRST_UID + number % USERS)
            os.execvp(argv[0], argv)
        finally:
            os._exit(127)
    return pid
