"""What the agent costs beside sleeping processes: a look, a scrape, memory. Prints one JSON line; run it as root.

python -m bench.scrape [processes] [scrapes]
"""

from __future__ import annotations

import json
import os
import resource
import signal
import statistics
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

from agent.scrape import scrape_routes
from agent.web import Web
from collectors.filesystems import FilesystemsCollector
from collectors.guard import Collector
from collectors.machine import MachineCollector
from collectors.processes import ProcessesCollector
from collectors.sampler import Sampler
from coloc.model import App, Colocation, Inventory

USERS, APPS, FIRST_UID, LOOKS = 30, 60, 62_000, 30


def main() -> None:
    """Start the load, measure, end the load."""
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    scrapes = int(sys.argv[2]) if len(sys.argv) > 2 else 300
    load = [sleeper(FIRST_UID + number % USERS) for number in range(processes)]
    try:
        figures = {"processes": processes, **looks(), **scraping(scrapes)}
    finally:
        for pid in load:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    print(json.dumps(figures))


def sleeper(uid: int) -> int:
    """A process of another user that sleeps."""
    pid = os.fork()
    if pid == 0:
        os.setuid(uid)
        signal.pause()
        os._exit(0)
    return pid


def colocation() -> Colocation:
    """Sixty apps in ten projects; half of them have processes."""
    names = [f"app{number}" for number in range(APPS)]
    apps = {name: App(name, name, name, user=name) for name in names}
    shares = {name: {f"project{number % 10}": 1.0} for number, name in enumerate(names)}
    return Colocation(Inventory(apps), tuple(sorted({project for each in shares.values() for project in each})), shares)


def collectors() -> list[Collector]:
    """Those that look every few seconds."""
    uids = {f"app{number}": FIRST_UID + number for number in range(APPS)}
    users = ProcessesCollector(lambda names: {name: uids[name] for name in names})
    return [users, MachineCollector(), FilesystemsCollector()]


def looks() -> dict[str, float]:
    """CPU milliseconds of one background look at everything, the exposition made ready included."""
    found, apps = [], colocation()
    sampler = Sampler(collectors(), lambda: apps)
    sampler.look_once()
    for _ in range(LOOKS):
        before = time.process_time()
        sampler.look_once()
        found.append((time.process_time() - before) * 1000)
        time.sleep(0.02)
    processes = ProcessesCollector(lambda names: {name: FIRST_UID + int(name[3:]) for name in names})
    list(processes.collect(apps, datetime.now(UTC)))
    alone = []
    for _ in range(LOOKS):
        before = time.process_time()
        list(processes.collect(apps, datetime.now(UTC)))
        alone.append((time.process_time() - before) * 1000)
    processes.close()
    sampler.stop()
    return {"look_ms_cpu": median(found), "processes_ms_cpu": median(alone)}


def scraping(scrapes: int) -> dict[str, float]:
    """Milliseconds of a scrape with the sampler at work, and memory before and after."""
    apps = colocation()
    sampler = Sampler(collectors(), lambda: apps)
    sampler.start()
    web = Web("127.0.0.1", 0, scrape_routes(sampler.exposition, lambda: True))
    web.start()
    while sampler.exposition() is None:
        time.sleep(0.05)
    request = urllib.request.Request(f"{web.url}/metrics", headers={"Accept-Encoding": "gzip"})
    took, before = [], 0.0
    size = 0
    for number in range(scrapes):
        begun = time.perf_counter()
        with urllib.request.urlopen(request, timeout=5) as response:
            size = len(response.read())
        took.append((time.perf_counter() - begun) * 1000)
        if number == min(50, scrapes - 1):
            before = resident_mib()
        time.sleep(0.01)
    after = resident_mib()
    web.stop()
    sampler.stop()
    took.sort()
    return {
        "scrape_ms_p50": median(took),
        "scrape_ms_p99": round(took[int(len(took) * 0.99) - 1], 2),
        "gzip_bytes": size,
        "resident_mib": after,
        "grown_mib": round(after - before, 2),
        "most_resident_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def median(values: list[float]) -> float:
    """Rounded for people."""
    return round(statistics.median(values), 2)


def resident_mib() -> float:
    """What this process holds now, the client that scrapes included."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


if __name__ == "__main__":
    main()
