"""Whether YunoHost is at work: its lock, and whether whoever holds it still lives. Standard library only."""

from __future__ import annotations

from pathlib import Path

LOCK = Path("/var/run/moulinette_yunohost.lock")
_MAX_CHARACTERS = 4096


def yunohost_at_work(lock: Path = LOCK, proc: Path = Path("/proc")) -> str:
    """Why others give way, "" when they need not: a lock that was left behind is none."""
    try:
        with lock.open(errors="replace") as file:
            pids = [word for word in file.read(_MAX_CHARACTERS).split() if word.isdigit()]
    except OSError:
        return ""
    return "YunoHost is at work" if any((proc / pid).is_dir() for pid in pids) else ""
