"""Which apps' disk space the kernel's quotas tell: those alone under a user whose folders all lie where quotas are on.

The kernel counts what a user owns, wherever on the filesystem; whether that is the app's is for the caller to prove.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from collectors.ownership import UserIds
from coloc.disk_quota import REPORT, Report, Usage, read_report
from coloc.errors import ColocError
from coloc.model import Colocation


class QuotaUsage:
    """Reads the report that root writes, and finds the apps in it."""

    def __init__(self, user_ids: UserIds, report: Path = REPORT, *, writer: int = 0) -> None:
        self._user_ids, self._report, self._writer = user_ids, report, writer
        self._problem = ""

    def limits(self) -> tuple[str, ...]:
        """What is wrong with the report, if it is."""
        return (self._problem,) if self._problem else ()

    def of_apps(
        self, colocation: Colocation, folders: Mapping[str, Sequence[Path]], now: datetime
    ) -> dict[str, tuple[Usage, datetime]]:
        """What the users of apps use, and when that was; without those that cannot be told."""
        try:
            report, self._problem = read_report(self._report, now, writer=self._writer), ""
        except ColocError as error:
            report, self._problem = None, error.sentence()
        if report is None:
            return {}
        uids = _own_uids(colocation, self._user_ids)
        found = {}
        for app, theirs in folders.items():
            if app in uids and (usage := usage_of(report, uids[app], [_seen(folder) for folder in theirs])):
                found[app] = usage, report.at
        return found


def usage_of(report: Report, uid: int, folders: Sequence[tuple[int, int] | None]) -> Usage | None:
    """The sum of a user's usage where folders (device, owner) lie; None when one lies elsewhere or is another's."""
    devices = set()
    for folder in folders:
        if folder is None or folder[1] != uid or folder[0] not in report.filesystems:
            return None
        devices.add(folder[0])
    used = [report.filesystems[device].get(uid) for device in devices]
    if not used or None in used:  # it owns a folder there: a kernel that does not know that is not believed
        return None
    return Usage(sum(each.bytes for each in used if each), sum(each.files for each in used if each))


def _own_uids(colocation: Colocation, user_ids: UserIds) -> dict[str, int]:
    """Apps with a user that no other app has; root is nobody's."""
    apps = colocation.inventory.apps
    ids = user_ids(
        {user for app in apps.values() for user in (app.user, *(pool.user for pool in app.php_pools)) if user}
    )
    owners: dict[int, set[str]] = {}
    for app in apps.values():
        for user in {app.user, *(pool.user for pool in app.php_pools)}:
            if user and user in ids:
                owners.setdefault(ids[user], set()).add(app.id)
    mine = {app.id: ids[app.user] for app in apps.values() if app.user and app.user in ids}
    return {app: uid for app, uid in mine.items() if uid and owners[uid] == {app}}


def _seen(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_uid
