"""What a walk over many files costs, beside `du -sx` on the same folder. Prints one JSON line; needs 1 GB there.

python -m bench.disk [files] [folder]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from collectors.disk import Walk
from coloc.disk_quota import Usage

_PER_FOLDER, _FOREVER, _TIMES = 200, 3600.0, 3


def main() -> None:
    """Make the files, walk, compare."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as name:
        folder = Path(name)
        fill(folder, files)
        du(folder)  # both find the folder warm
        ours, theirs = best(lambda: walked(folder)), best(lambda: du(folder))
    assert ours["found"] == theirs["found"], (ours, theirs)
    figures = {
        "files": files,
        "walk_wall_seconds": ours["wall"],
        "walk_cpu_seconds": ours["cpu"],
        "du_wall_seconds": theirs["wall"],
        "du_cpu_seconds": theirs["cpu"],
        "wall_ratio": ours["wall"] / theirs["wall"],
        "cpu_ratio": ours["cpu"] / theirs["cpu"],
    }
    print(json.dumps({key: round(value, 3) for key, value in figures.items()}))


def fill(folder: Path, files: int) -> None:
    """Small files, some hundred a folder, as a photo gallery or a mail store has them."""
    for number in range(files):
        place = folder / f"{number // _PER_FOLDER // 50}/{number // _PER_FOLDER}"
        if number % _PER_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"{number}").write_bytes(b"x" * (number % 5000))


def walked(folder: Path) -> Usage:
    """Our walk, with its rests."""
    walk = Walk([])
    assert walk.run([folder], time.monotonic() + _FOREVER)
    return Usage(walk.bytes, walk.files)


def du(folder: Path) -> Usage:
    """What `du -sx` finds."""
    argv = ["du", "-sx", "--block-size=1", str(folder)]
    size = subprocess.run(argv, capture_output=True, check=True, text=True).stdout.split("\t")[0]
    return Usage(int(size), 0)


def best(look: Callable[[], Usage]) -> dict[str, float]:
    """The quickest of some looks: seconds of the clock and of a processor, and the bytes that it found."""
    found: list[dict[str, float]] = []
    for _ in range(_TIMES):
        before, begun = cpu(), time.monotonic()
        usage = look()
        found.append({"wall": time.monotonic() - begun, "cpu": cpu() - before, "found": usage.bytes})
    return min(found, key=lambda each: each["cpu"])


def cpu() -> float:
    """Seconds of processors that we and our programs used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
