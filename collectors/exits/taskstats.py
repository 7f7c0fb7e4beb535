"""The kernel's messages about processes that ended (linux/taskstats.h), parsed as hostile bytes. Pure.

A thread that ends is told with its own figures; the last one of a process also with the sums of all (AGGR_TGID). Only
the last one counts here: one record a process.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")
_NUMBER = struct.Struct("=I")
_GENERIC_HEADER_BYTES = 4  # command, version, reserved
_KIND = 0x3FFF  # without the flags "nested" and "network byte order"
_CMD_NEW = 2
_TYPE_STATS, _TYPE_AGGR_PID, _TYPE_AGGR_TGID = 3, 4, 5

# struct taskstats: fields are only ever added at its end, but for version 15, which put six of them before the CPU time
# (Linux 6.14 and 6.15; 16 took them back). From version 12 (Linux 5.19) it says which process a thread was of.
_OLDEST, _BROKEN = 12, frozenset({15})
_STATS_BYTES = 384
_VERSION, _FLAG, _VIRTUAL = struct.Struct("=H"), 8, struct.Struct("=Q")
_VIRTUAL_AT, _IDS_AT, _TIMES_AT, _GROUP_AT = 72, 120, 152, 368
_IDS = struct.Struct("=4I")  # uid, gid, pid, parent
_TIMES = struct.Struct("=2Q")  # user, system; microseconds, by samples
_GROUP = struct.Struct("=I4xQ")  # process, microseconds since its start
_LAST_OF_ITS_PROCESS = 0x20  # AGROUP
_MOST_US = 10**15  # thirty years: more is nonsense


@dataclass(frozen=True, slots=True)
class Exit:
    """A process that ended. Times in microseconds: `wall` since its start, CPU time of all its threads by mode."""

    pid: int
    parent: int
    uid: int
    wall: int
    user: int
    system: int


@dataclass(slots=True)
class Heard:
    """What one datagram held. `tasks`: threads that ended; `unreadable`: messages that we could not understand."""

    exits: list[Exit] = field(default_factory=list)
    tasks: int = 0
    unreadable: int = 0


def parse_datagram(data: bytes, family: int) -> Heard:
    """Parse what the kernel sent; messages of other kinds than `family` (acknowledgements) are passed over."""
    heard, place = Heard(), 0
    while place + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, place)
        if length < _HEADER.size or place + length > len(data):
            heard.unreadable += 1
            break
        if kind == family:
            _hear(data[place + _HEADER.size : place + length], heard)
        place += _aligned(length)
    return heard


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The (type, value) pairs of a netlink message; stops at the first that does not fit."""
    place = 0
    while place + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, place)
        if length < _ATTRIBUTE.size or place + length > len(data):
            return
        yield kind & _KIND, data[place + _ATTRIBUTE.size : place + length]
        place += _aligned(length)


def _hear(message: bytes, heard: Heard) -> None:
    heard.tasks += 1
    task = whole = None
    if message[:1] == bytes([_CMD_NEW]):
        for kind, value in attributes(message[_GENERIC_HEADER_BYTES:]):
            if kind == _TYPE_AGGR_PID:
                task = dict(attributes(value)).get(_TYPE_STATS)
            elif kind == _TYPE_AGGR_TGID:
                whole = dict(attributes(value)).get(_TYPE_STATS)
    if not _is_known(task) or not (whole is None or _is_known(whole)):
        heard.unreadable += 1
    elif task is not None and task[_FLAG] & _LAST_OF_ITS_PROCESS:
        heard.exits.append(_exit(task, task if whole is None else whole))


def _is_known(stats: bytes | None) -> bool:
    if stats is None or len(stats) < _STATS_BYTES:
        return False
    version: int = _VERSION.unpack_from(stats)[0]
    return version >= _OLDEST and version not in _BROKEN


def _exit(task: bytes, whole: bytes) -> Exit:
    """`task` is the last thread and knows whose it was, `whole` has the sums."""
    uid, _, _, parent = _IDS.unpack_from(task, _IDS_AT)
    pid, wall = _GROUP.unpack_from(task, _GROUP_AT)
    user, system = split(*_VIRTUAL.unpack_from(whole, _VIRTUAL_AT), *_TIMES.unpack_from(whole, _TIMES_AT))
    return Exit(pid, parent, uid, min(wall, _MOST_US), user, system)


def split(virtual_ns: int, user: int, system: int) -> tuple[int, int]:
    """CPU time by mode. How much is exact (to the nanosecond); in which mode the kernel only knows by samples."""
    total = min(virtual_ns // 1000 or user + system, _MOST_US)
    sampled = user + system
    part = total * user // sampled if sampled else total
    return part, total - part


def _aligned(length: int) -> int:
    return (length + 3) & ~3
