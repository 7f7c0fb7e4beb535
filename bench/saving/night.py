"""One run of the agent, in a process of its own: python bench/saving/night.py COLOC.yml prints JSON.

`readback`: seconds of the reading back, of all hosts and archives; `memory`: the agent's own, in bytes.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from agent.colocation import read_colocation
from backup.journal import open_journal
from backup.night import Step
from backup.nightly import run_night
from coloc.config.reading import parse_config
from coloc.facts import Spool


def main() -> int:
    """Run it. 1 when it failed."""
    config = parse_config(Path(sys.argv[1]).read_bytes(), sys.argv[1])
    journal, lock = open_journal(config.paths.journal), threading.Lock()
    since: dict[str, float] = {}
    spent: dict[str, float] = {}

    def show(step: Step) -> None:
        with lock:
            if begun := since.pop(step.host, None):
                spent[step.host] = spent.get(step.host, 0.0) + time.monotonic() - begun
            if step.what == "readback":
                since[step.host] = time.monotonic()

    night = run_night(
        config, read_colocation(config), spool=Spool(config.paths.facts), journal=journal, on_progress=show
    )
    if not night.ok:
        print(night, file=sys.stderr)
        return 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # Hosts work side by side: what counts is the one that took longest.
    print(json.dumps({"readback": max(spent.values()), "memory": memory}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
