"""What a scrape costs, the agent beside two exporters of Debian, on the same load. Run it as root.

python bench/scrape.py [--sizes 100,500,2000] [--scrapes 1000] [--seconds 60] [--json]
The load and the programs live in a pid namespace of their own, so that nothing else on the machine is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from scraping import load  # noqa: E402
from scraping.measure import Cost, cost  # noqa: E402
from scraping.programs import agent, node_exporter, process_exporter  # noqa: E402

_PEER_SCRAPES = 50  # one of process-exporter's takes a second
_ALONE = ["unshare", "--pid", "--mount-proc", "--fork", "--kill-child"]
_HEAD = "processes  program               p50 ms   p99 ms  CPU/scrape ms  CPU/15 s ms  resident MB  grown MB   bytes"


def main() -> int:
    """Measure every size; 1 when a target is missed."""
    asked = _arguments()
    if not asked.inside:
        return subprocess.run([*_ALONE, sys.executable, *sys.argv, "--inside"], check=False).returncode
    found = [each for size in map(int, asked.sizes.split(",")) for each in measured(size, asked.scrapes, asked.seconds)]
    if asked.json:
        print(json.dumps([asdict(each) for each in found]))
    missed = verdicts(found)
    print("\n".join(missed) or "every target is met")
    return 1 if missed else 0


def measured(size: int, scrapes: int, seconds: float) -> list[Cost]:
    """Every program on a load of `size` processes, one after the other; prints a line for each."""
    found: list[Cost] = []
    pids = load.begin(size)
    try:
        with tempfile.TemporaryDirectory(prefix="coloc-bench-") as name:
            folder = Path(name)
            for running, times in (
                (process_exporter(folder), min(scrapes, _PEER_SCRAPES)),
                (node_exporter(folder), min(scrapes, _PEER_SCRAPES)),
                (agent(folder, all_channels=False), scrapes),
                (agent(folder, all_channels=True), scrapes),
            ):
                with running as program:
                    found.append(cost(program, size, times, seconds))
                _print(found[-1])
    finally:
        load.end(pids)
    peer, ours = found[0], found[2]
    print(
        f"{size:9d}  ratio to process-exporter: {peer.p50 / ours.p50:.0f} times faster, "
        f"{peer.cpu_15s / ours.cpu_15s:.1f} times less CPU in 15 s\n",
        flush=True,
    )
    return found


def verdicts(found: list[Cost]) -> list[str]:
    """The targets that were missed, one sentence each; prints how the agent grows with the load."""
    missed = []
    for size in sorted({each.processes for each in found}):
        by_name = {each.name: each for each in found if each.processes == size}
        peer, ours, loud = by_name["process-exporter"], by_name["agent"], by_name["agent, all channels"]
        wants = [
            (ours.resident <= 45, f"{ours.resident:.1f} MB resident with the console (45)"),
            (loud.resident <= 60, f"{loud.resident:.1f} MB resident with all channels (60)"),
            (max(ours.grown, loud.grown) <= 1, f"grown by {max(ours.grown, loud.grown):.1f} MB (1)"),
        ]
        if size >= 500:
            wants += [
                (ours.p50 <= 3, f"a scrape takes {ours.p50:.2f} ms (3)"),
                (peer.p50 >= 50 * ours.p50, f"{peer.p50 / ours.p50:.0f} times faster (50)"),
                (peer.cpu_15s >= 5 * ours.cpu_15s, f"{peer.cpu_15s / ours.cpu_15s:.1f} times less CPU (5)"),
            ]
        missed += [f"missed at {size} processes: {what}" for good, what in wants if not good]
    ours_by_size = [each for each in found if each.name == "agent"]
    if len(ours_by_size) > 1:
        first, last = ours_by_size[0], ours_by_size[-1]
        print(
            f"growth from {first.processes} to {last.processes} processes: scrape {last.p50 / first.p50:.1f}, "
            f"CPU in 15 s {last.cpu_15s / first.cpu_15s:.1f}, memory {last.resident / first.resident:.2f}"
        )
    return missed


def _print(row: Cost) -> None:
    print(
        f"{row.processes:9d}  {row.name:20s} {row.p50:7.2f}  {row.p99:7.2f}  {row.cpu_scrape:13.2f}"
        f"  {row.cpu_15s:11.1f}  {row.resident:11.1f}  {row.grown:8.2f}  {row.answer_bytes:6d}",
        flush=True,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="100,500,2000", help="numbers of processes")
    parser.add_argument("--scrapes", type=int, default=1000, help="scrapes of the agent in a row")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the CPU of each program is watched")
    parser.add_argument("--json", action="store_true", help="the figures once more, for programs")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("starting processes of other users needs root")
    if not asked.inside:
        print(_HEAD, flush=True)
    return asked


if __name__ == "__main__":
    sys.exit(main())
