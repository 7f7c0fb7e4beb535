"""Another wall clock for one command, by libfaketime; the monotonic clock goes on, as when people set a clock."""

from __future__ import annotations

import subprocess
from pathlib import Path

# libfaketime 0.9.10 moves the end of clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME), which is Python's sleep, although
# it is told to leave that clock alone: each sleep fails with EINVAL. This goes past it.
_STRAIGHT = """
#define _GNU_SOURCE
#include <time.h>
#include <errno.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left) {
    return syscall(SYS_clock_nanosleep, clock, flags, until, left) ? errno : 0;
}
"""


def clock_of(folder: Path, offset: str) -> dict[str, str]:
    """The environment of a program whose clock is off by `-1d` or `+1h`. `folder`: where what it needs is built."""
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        raise RuntimeError("libfaketime is missing: apt install libfaketime")
    straight = folder / "straight.so"
    if not straight.exists():
        argv = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(straight)]
        subprocess.run(argv, input=_STRAIGHT, text=True, check=True)
    return {
        "LD_PRELOAD": f"{straight}:{libraries[0]}",
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
