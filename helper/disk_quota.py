"""Asks the kernel what each user's files take, where quotas are on, and writes it down for the daemon; sets nothing.

`python -m helper.disk_quota [FILE]`, as root with CAP_SYS_ADMIN, which the kernel wants for other users' figures.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from coloc.disk_quota import MOST_USERS, REPORT, Report, Usage, to_text
from coloc.facts import write_whole

_QUOTACTL_FD = 443  # the same on every architecture
_GET_NEXT_USER = 0x800009 << 8  # QCMD(Q_GETNEXTQUOTA, USRQUOTA)
OFF = {errno.ESRCH, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL, errno.ENOTBLK, errno.ENODEV}
_OCTAL = re.compile(r"\\([0-7]{3})")

# (descriptor of the mount, at least this uid) → (uid, usage) of the next user that has any; None after the last one
NextUser = Callable[[int, int], tuple[int, Usage] | None]

# struct if_dqblk of linux/quota.h
MARKS_OF_A_USER = (
    ("block_hard", ctypes.c_uint64),
    ("block_soft", ctypes.c_uint64),
    ("bytes", ctypes.c_uint64),
    ("file_hard", ctypes.c_uint64),
    ("file_soft", ctypes.c_uint64),
    ("files", ctypes.c_uint64),
    ("block_time", ctypes.c_uint64),
    ("file_time", ctypes.c_uint64),
    ("valid", ctypes.c_uint32),
)


class _NextBlock(ctypes.Structure):
    """struct if_nextdqblk of linux/quota.h."""

    _fields_ = (*MARKS_OF_A_USER, ("id", ctypes.c_uint32))


def main(argv: list[str], *, mounts: Path = Path("/proc/self/mountinfo"), next_user: NextUser | None = None) -> int:
    """Write the report; where no filesystem counts, remove an old one. 1 when it cannot be written."""
    target = Path(argv[0]) if argv else REPORT
    found = {}
    for device, place in filesystems(mounts.read_text(errors="surrogateescape")):
        with suppress(OSError):
            users = users_of(device, place, next_user or ask_kernel)
            if users is not None:
                found[device] = users
    try:
        if found:
            write_whole(target, to_text(Report(datetime.now(UTC), found)), mode=0o640)
        else:
            target.unlink(missing_ok=True)
    except OSError as error:
        sys.stderr.write(f"{target} cannot be written: {error.strerror}; make its folder: systemd-tmpfiles --create\n")
        return 1
    return 0


def filesystems(mountinfo: str) -> Iterator[tuple[int, Path]]:
    """Device number and one place of each filesystem on a disk that is mounted as a whole."""
    seen = set()
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        words, source = fields.split(), rest.split()
        if len(words) < 5 or len(source) < 2 or not source[1].startswith("/dev/") or words[3] != "/":
            continue
        major, _, minor = words[2].partition(":")
        if major.isdecimal() and minor.isdecimal() and words[2] not in seen:
            seen.add(words[2])
            place = _OCTAL.sub(lambda match: chr(int(match[1], 8)), words[4])
            yield os.makedev(int(major), int(minor)), Path(place)


def users_of(device: int, place: Path, next_user: NextUser) -> dict[int, Usage] | None:
    """Every user's usage, root's left out; None where quotas are off. Raises OSError when it cannot be opened."""
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_dev != device:  # something else is mounted over it
            return None
        users: dict[int, Usage] = {}
        uid = 0
        while len(users) < MOST_USERS:
            found = next_user(descriptor, uid)
            if found is None or found[0] < uid:
                break
            users[found[0]] = found[1]
            uid = found[0] + 1
    except OSError as error:
        if error.errno in OFF:
            return None
        raise
    finally:
        os.close(descriptor)
    users.pop(0, None)
    return users


def ask_kernel(descriptor: int, uid: int) -> tuple[int, Usage] | None:
    """quotactl_fd(2), Q_GETNEXTQUOTA. Raises OSError, ESRCH where quotas are off."""
    block = _NextBlock()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_QUOTACTL_FD, descriptor, _GET_NEXT_USER, uid, ctypes.byref(block)) == 0:
        return block.id, Usage(block.bytes, block.files)
    number = ctypes.get_errno()
    if number == errno.ENOENT:
        return None
    raise OSError(number, os.strerror(number))


def users_on(device: str) -> Iterator[int]:
    """Every user but root that the filesystem on a device counts, or limits; by quotactl(2). Raises OSError."""
    libc, uid = ctypes.CDLL(None, use_errno=True), 1
    for _ in range(MOST_USERS):
        block = _NextBlock()
        command = ctypes.c_int(_GET_NEXT_USER & 0xFFFFFFFF)
        if libc.quotactl(command, os.fsencode(device), ctypes.c_int(uid), ctypes.byref(block)) != 0:
            number = ctypes.get_errno()
            if number == errno.ENOENT:
                return
            raise OSError(number, os.strerror(number), device)
        if block.id < uid:
            return
        yield int(block.id)
        uid = block.id + 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
