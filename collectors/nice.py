"""Makes the thread that works slowly give way to everybody: lowest CPU priority, disk only when nobody else wants it.

Where that is forbidden (the daemon's unit forbids both calls), the unit's weights and the walk's own rests do it.
"""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from contextlib import suppress

_LOWEST_PRIORITY = 19
_IDLE = 3 << 13  # IOPRIO_CLASS_IDLE
_WHO_PROCESS = 1
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "armv7l": 314, "armv6l": 314, "i686": 289}


def be_nice() -> None:
    """For this thread; the program's main thread is not ours to slow down."""
    if threading.current_thread() is threading.main_thread():
        return
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None:
        ctypes.CDLL(None).syscall(number, _WHO_PROCESS, 0, _IDLE)
