"""A kernel that counts what users own below a folder, as its quotas would, and the report that root makes of it."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from coloc.disk_quota import Report, Usage, to_text


class CountingKernel:
    """Answers as quotactl's Q_GETNEXTQUOTA does, from what lies below `folder` now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def next_user(self, descriptor: int, uid: int) -> tuple[int, Usage] | None:
        """The first user from `uid` on who owns something."""
        users = self.users()
        later = [user for user in sorted(users) if user >= uid]
        return (later[0], users[later[0]]) if later else None

    def users(self) -> dict[int, Usage]:
        """Every owner's usage; a file with several names counts once."""
        places = [str(self._folder)]
        for base, folders, files in os.walk(self._folder):
            places += [f"{base}/{name}" for name in (*folders, *files)]
        inodes = {found.st_ino: found for found in map(os.lstat, places)}
        sums: dict[int, Usage] = {}
        for found in inodes.values():
            before = sums.get(found.st_uid, Usage(0, 0))
            sums[found.st_uid] = Usage(before.bytes + found.st_blocks * 512, before.files + 1)
        return sums

    def report(self, target: Path, at: datetime) -> None:
        """What root writes down."""
        target.write_text(to_text(Report(at, {self._folder.stat().st_dev: self.users()})))
        target.chmod(0o640)
