"""How long `coloc-agent --help` takes against a bare Python: a ratio of medians, to compare on any machine."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

RUNS = 11
TARGET = 6.0
ROOT = Path(__file__).resolve().parent.parent


def seconds(argv: Sequence[str]) -> float:
    """One run, from start to end, with nothing to read and nobody listening."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *argv], cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    """Print both medians and their ratio; 1 when the ratio is above the target."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    bare, agent = ["-c", "pass"], ["-m", "agent", "--help"]
    for argv in (bare, agent):
        seconds(argv)  # the first run writes byte code and warms the disk's cache
    pairs = [(seconds(bare), seconds(agent)) for _ in range(RUNS)]  # in turn: a busy moment slows both
    slow, quick = statistics.median(pair[1] for pair in pairs), statistics.median(pair[0] for pair in pairs)
    ratio = slow / quick
    print(
        f"start: coloc-agent --help {slow * 1000:.0f} ms, python -c pass {quick * 1000:.0f} ms, "
        f"ratio {ratio:.1f} (target {TARGET:g} at most, median of {RUNS})"
    )
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
