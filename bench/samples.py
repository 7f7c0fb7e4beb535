"""What hashing a sample of an app's contents adds to its backup, beside `borg create` alone, first and unchanged.

python -m bench.samples [files] [folder]: as many files of 50 kB (default 20 000: 1 GB), medians of three.
"""

from __future__ import annotations

import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from backup.borg import borg_program
from backup.samples import take_samples
from coloc.times import now_utc

_PER_FOLDER, _SIZE, _TIMES = 200, 50_000, 3


def main() -> None:
    """Make the files, save them with Borg alone, take samples, compare."""
    files = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as name:
        top = Path(name) / "data"
        for number in range(files):
            path = top / f"{number // _PER_FOLDER}" / f"{number}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(secrets.token_bytes(_SIZE))
        first = statistics.median(_timed(lambda: _first(Path(name), top)) for _ in range(_TIMES))
        unchanged = statistics.median(_timed(lambda: _create(Path(name), top)) for _ in range(_TIMES))
        later, seeds = now_utc() + timedelta(minutes=1), iter(range(1000))
        sample = statistics.median(
            _timed(lambda: take_samples([(top, "data")], seed=str(next(seeds)), now=later)) for _ in range(_TIMES * 5)
        )
    print(f"{files} files of {_SIZE // 1000} kB: borg first {first:.2f} s, unchanged {unchanged:.2f} s")
    print(
        f"samples {sample * 1000:.1f} ms: {1 + sample / first:.4f} of the first, {1 + sample / unchanged:.4f} unchanged"
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def _first(folder: Path, top: Path) -> None:
    for name in ("repository", "base"):
        subprocess.run(["rm", "-rf", str(folder / name)], check=True)
    _borg(folder, "init", "--encryption=none")
    _create(folder, top)


def _create(folder: Path, top: Path) -> None:
    _borg(folder, "create", "--compression=zstd,3", f"::{secrets.token_hex(4)}", str(top))


def _borg(folder: Path, *arguments: str) -> None:
    env = os.environ | {"BORG_REPO": str(folder / "repository"), "BORG_BASE_DIR": str(folder / "base")}
    env |= {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
    subprocess.run([borg_program(), *arguments], env=env, check=True, capture_output=True)


if __name__ == "__main__":
    main()
