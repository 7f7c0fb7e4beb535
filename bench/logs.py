"""How many lines of nginx's log with latency are counted per second of CPU, all included, against mtail if it is there.

The same lines for both: 40 domains, three apps each, every path different, as robots ask for them.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from collectors.web import WebCollector  # noqa: E402 - the bench runs from any folder
from coloc.model import App, Colocation, Inventory  # noqa: E402

LINES = 400_000
DOMAINS = 40
RUNS = 5
TARGET = 500_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
MTAIL = r"""
counter requests by status
counter bytes by status
histogram seconds by status buckets 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
/"(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d{3}) (?P<size>\d+) "[^"]*" "[^"]*" (?P<time>[\d.]+)$/ {
  requests[$status]++
  bytes[$status] += $size
  seconds[$status] = $time
}
"""


def write_logs(folder: Path) -> None:
    """The lines, spread over the domains."""
    dice = random.Random(1)
    for domain in range(DOMAINS):
        with (folder / f"d{domain}.test-access.log").open("w") as log:
            for number in range(LINES // DOMAINS):
                path = dice.choice(("", "blog/", "wiki/", "wp-content/themes/", "index.php?page="))
                log.write(
                    f"203.0.113.{number % 255} - - [24/Nov/2026:03:00:{number % 60:02d} +0000] "
                    f'"GET /{path}{dice.randrange(10**9):x} HTTP/2.0" {dice.choice((200, 200, 200, 304, 404))} '
                    f'{dice.randrange(99_999)} "https://d{domain}.test/" "{AGENT}" {dice.expovariate(9):.3f}\n'
                )


def apps() -> Colocation:
    """Three apps on each domain."""
    found = [
        App(f"{name}{domain}", name, name, domain=f"d{domain}.test", path=path)
        for domain in range(DOMAINS)
        for name, path in (("site", "/"), ("blog", "/blog"), ("wiki", "/wiki"))
    ]
    return Colocation(Inventory({app.id: app for app in found}), (), {})


def agent_seconds(root: Path, colocation: Colocation) -> float:
    """CPU of one look at all logs: reading, counting, remembering and making the series."""
    web, began = WebCollector(root, whole=True), time.process_time()
    web.read_to_the_end(colocation, datetime.now(UTC))
    spent = time.process_time() - began
    assert sum(sum(row[1:6]) for row in web.counts().values()) == LINES
    return spent


def mtail_seconds(root: Path, program: Path) -> float | None:
    """CPU of mtail over the same files."""
    if shutil.which("mtail") is None:
        return None
    program.write_text(MTAIL)
    argv = ["mtail", "-one_shot", "-logtostderr", "-progs", str(program), "-logs", f"{root}/var/log/nginx/*.log"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, check=False, capture_output=True, cwd=program.parent)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0 or b"requests" not in done.stdout:
        return None
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    """Print the best of some runs of each, and the ratio; 1 when the agent is below the target."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        (root / "var/log/nginx").mkdir(parents=True)
        write_logs(root / "var/log/nginx")
        colocation = apps()
        ours = LINES / min(agent_seconds(root, colocation) for _ in range(RUNS))
        spent = mtail_seconds(root, root / "bench.mtail")
    theirs = f", mtail {LINES / spent:,.0f}, ratio {ours * spent / LINES:.1f}" if spent else ", mtail is not there"
    print(
        f"logs: {ours:,.0f} lines per second of CPU{theirs} (target {TARGET:,}, best of {RUNS}, {os.cpu_count()} CPUs)"
    )
    return 0 if ours >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
