"""Outlives a killed run: `python -m backup.hook_guard JOURNAL` waits for its lock, then undoes its hooks.

A lock dies with who holds it, however that ends. After a run that ended well nothing is left to undo.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from backup.hooks import left, open_lock, undo_left


def main() -> int:
    """Wait, then undo."""
    journal = Path(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is meant for the run
    os.close(open_lock(journal, "hooks.lock"))  # not held on: the next run may begin
    if not left(journal):
        return 0
    held = open_lock(journal, "backup.lock")
    problems = undo_left(journal)
    for problem in problems:
        print(problem, file=sys.stderr)  # noqa: T201 - its log is the run's own stderr
    os.close(held)
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main())
