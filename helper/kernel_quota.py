"""Users' disk quotas as the kernel keeps them: read and set, by quotactl(2). Knows no project.

Limits of ours are told from anybody else's by their last digits, so that they are found again whatever else is lost.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from helper.disk_quota import MARKS_OF_A_USER, OFF, users_on

_GET, _SET = 0x800007 << 8, 0x800008 << 8  # QCMD(Q_GETQUOTA and Q_SETQUOTA, USRQUOTA)
_BLOCKS, _FILES = 1, 4  # QIF_BLIMITS, QIF_ILIMITS
BLOCK = 1024  # bytes, in which limits are counted
_STEP, _SIGN = 4096, 1733  # a limit of ours is a multiple of the one, and the other more


@dataclass(frozen=True, slots=True)
class Marks:
    """Soft and hard limit, 0 for none, and what is used: blocks of 1024 bytes, or files."""

    soft: int
    hard: int
    used: int

    @property
    def is_ours(self) -> bool:
        """Set by us."""
        return all(mark and mark % _STEP == _SIGN for mark in (self.soft, self.hard))

    @property
    def is_free(self) -> bool:
        """No limit at all."""
        return self.soft == 0 and self.hard == 0


def ours_from(wanted: int) -> int:
    """The smallest limit with our sign that is not below what is wanted."""
    return -(-max(0, wanted - _SIGN) // _STEP) * _STEP + _SIGN


class Kernel(Protocol):
    """Quotas of the filesystem on a device; `files`: of files, else of blocks. Raises OSError."""

    def get(self, device: str, uid: int, *, files: bool) -> Marks: ...
    def set(self, device: str, uid: int, soft: int, hard: int, *, files: bool) -> None: ...
    def users(self, device: str) -> Iterator[int]: ...


class _Block(ctypes.Structure):
    """struct if_dqblk of linux/quota.h."""

    _fields_ = MARKS_OF_A_USER


class LinuxKernel:
    """The kernel of this machine. By the device, not by a place: our own mounts are read-only."""

    def get(self, device: str, uid: int, *, files: bool) -> Marks:
        """See Kernel."""
        block = _Block()
        _call(_GET, device, uid, block)
        if files:
            return Marks(block.file_soft, block.file_hard, block.files)
        return Marks(block.block_soft, block.block_hard, -(-block.bytes // BLOCK))

    def set(self, device: str, uid: int, soft: int, hard: int, *, files: bool) -> None:
        """See Kernel."""
        block = _Block(valid=_FILES if files else _BLOCKS)
        if files:
            block.file_soft, block.file_hard = soft, hard
        else:
            block.block_soft, block.block_hard = soft, hard
        _call(_SET, device, uid, block)

    def users(self, device: str) -> Iterator[int]:
        """See Kernel."""
        yield from users_on(device)


def _call(command: int, device: str, uid: int, block: _Block) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_int(command & 0xFFFFFFFF)
    if libc.quotactl(number, os.fsencode(device), ctypes.c_int(uid), ctypes.byref(block)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), device)


def devices(mountinfo: str) -> Mapping[int, str]:
    """Device number → its node, of each filesystem on a disk."""
    found: dict[int, str] = {}
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        words, source = fields.split(), rest.split()
        if len(words) < 5 or len(source) < 2 or not source[1].startswith("/dev/"):
            continue
        major, _, minor = words[2].partition(":")
        if major.isdecimal() and minor.isdecimal():
            found.setdefault(os.makedev(int(major), int(minor)), source[1])
    return found


def is_off(error: OSError) -> bool:
    """True when the filesystem keeps no quotas."""
    return error.errno in OFF or error.errno in {errno.ENOENT, errno.EPERM}


def device_of(folder: str, known: Mapping[int, str]) -> str | None:
    """The node of the disk that a folder lies on."""
    try:
        return known.get(Path(folder).stat().st_dev)
    except OSError:
        return None
