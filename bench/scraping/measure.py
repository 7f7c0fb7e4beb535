"""What a running exporter costs: scrapes as Prometheus makes them, and the processor time and memory behind them."""

from __future__ import annotations

import http.client
import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from scraping.programs import Program

_HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
_TICK = os.sysconf("SC_CLK_TCK")
_EVERY = 15.0  # how often Prometheus comes


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds, MB (millions of bytes)."""

    name: str
    processes: int
    p50: float
    p99: float
    cpu_scrape: float
    cpu_15s: float
    resident: float
    grown: float
    answer_bytes: int


def cost(program: Program, processes: int, scrapes: int, seconds: float) -> Cost:
    """Measure one program: first a while at Prometheus's rhythm, then `scrapes` in a row."""
    _ready(program)
    for _ in range(5):
        scrape(program)
    used, began = cpu(program.pid), time.monotonic()
    while time.monotonic() - began < seconds - 0.01:
        scrape(program)
        time.sleep(max(0.0, min(_EVERY, began + seconds - time.monotonic())))
    idle = (cpu(program.pid) - used) / (time.monotonic() - began)
    before = resident(program.pid)
    used, began, took, size = cpu(program.pid), time.monotonic(), [], 0
    for _ in range(scrapes):
        milliseconds, size = scrape(program)
        took.append(milliseconds)
    lasted = time.monotonic() - began
    burst = (cpu(program.pid) - used) * 1000 / scrapes
    if program.name.startswith("agent"):  # what it does in the background is in the other column
        burst = max(0.0, burst - idle * lasted * 1000 / scrapes)
    time.sleep(min(seconds, 6.0))
    after = resident(program.pid)
    took.sort()
    p99 = took[min(len(took) - 1, int(len(took) * 0.99))]
    return Cost(
        program.name, processes, statistics.median(took), p99, burst, idle * 15_000, after, after - before, size
    )


def scrape(program: Program) -> tuple[float, int]:
    """One scrape on a new connection: milliseconds, and bytes of the answer as sent."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", program.port, timeout=30)
    try:
        connection.request("GET", "/metrics", headers=_HEADERS)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise OSError(f"{program.name} answered {answer.status}")
    finally:
        connection.close()
    return (time.perf_counter() - began) * 1000, len(body)


def cpu(pid: int) -> float:
    """Seconds that a process and the children that it waited for have used."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICK


def resident(pid: int) -> float:
    """MB that a process holds now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _ready(program: Program) -> None:
    deadline = time.monotonic() + 120
    while True:
        try:
            scrape(program)
            break
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    time.sleep(5)  # the first looks of everybody are over
