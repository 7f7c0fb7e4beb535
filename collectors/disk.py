"""Bytes of each app's folders: the kernel's own count where it counts the same, else a slow, niced walk.

All files count, those of SQLite databases too, folders as well. A file with several names counts once per app; a folder
inside another app's folder belongs to its own app only; what else is mounted inside a folder is not entered.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.nice import be_nice
from collectors.paths import below
from collectors.quota_usage import QuotaUsage
from collectors.shares import app_and_project, project_label
from coloc.model import Colocation

_BLOCK = 512
_WORK_SECONDS = 0.02  # then it rests as long: half a processor at most, and the other threads get their turn
_PROVEN = timedelta(hours=23)  # so long a walk proves that the kernel's count is the app's


@dataclass(frozen=True, slots=True)
class Measure:
    """What an app's folders hold. `unreadable`: folders that were refused, so that the sums are too small. `foreign`:
    files of other users than the first folder's, as the walk of `walked_at` found them."""

    bytes: int
    files: int
    unreadable: int
    at: datetime
    foreign: int
    walked_at: datetime
    by_quota: bool = False


class DiskCollector:
    """Measure the folders of every app, those walked longest ago first, within a budget of time."""

    name = "disk"

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        interval_seconds: float = 3600.0,
        budget_seconds: float = 1500.0,
        walk: Callable[[list[Path]], Walk] | None = None,
        quota: QuotaUsage | None = None,
    ) -> None:
        self.interval_seconds = interval_seconds
        self.deadline_seconds = budget_seconds + 300.0
        self._root, self._budget, self._walk, self._quota = root, budget_seconds, walk or Walk, quota
        self._measures: dict[str, Measure] = {}

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:
        """Measure; apps that the budget leaves out keep their last measure and are first next time."""
        be_nice()
        folders = folders_by_app(colocation, self._root)
        self._measures = {app: measure for app, measure in self._measures.items() if app in folders}
        counted = self._counted(colocation, folders, now)
        self._measures |= counted
        end = time.monotonic() + self._budget
        for app in sorted(folders.keys() - counted.keys(), key=self._last_walked):
            walk = self._walk([folder for other, theirs in folders.items() if other != app for folder in theirs])
            if not walk.run(folders[app], end):
                break
            self._measures[app] = Measure(walk.bytes, walk.files, walk.unreadable, now, walk.foreign, now)
        yield from _families(colocation, self._measures, folders)

    def _counted(
        self, colocation: Colocation, folders: Mapping[str, Sequence[Path]], now: datetime
    ) -> dict[str, Measure]:
        """The apps whose space the kernel counts, and which a walk of late showed to hold nobody else's files."""
        if self._quota is None:
            return {}
        found = {}
        for app, (usage, at) in self._quota.of_apps(colocation, folders, now).items():
            last = self._measures.get(app)
            if last and not last.foreign and not last.unreadable and now - last.walked_at < _PROVEN:
                found[app] = replace(last, bytes=usage.bytes, files=usage.files, at=at, by_quota=True)
        return found

    def _last_walked(self, app: str) -> tuple[float, str]:
        measure = self._measures.get(app)
        return measure.walked_at.timestamp() if measure else 0.0, app

    def limits(self) -> tuple[str, ...]:
        """What cannot be measured from here."""
        refused = sorted(app for app, measure in list(self._measures.items()) if measure.unreadable)
        found = self._quota.limits() if self._quota else ()
        if not refused:
            return found
        return (
            f"folders of {', '.join(refused[:10])} cannot be read, so their disk use is unknown: run as root",
            *found,
        )


def folders_by_app(colocation: Colocation, root: Path) -> dict[str, tuple[Path, ...]]:
    """Each app's folders that are there, links resolved. A folder of two apps is the first one's."""
    taken: set[Path] = set()
    found: dict[str, tuple[Path, ...]] = {}
    for app_id, app in sorted(colocation.inventory.apps.items()):
        folders = dict.fromkeys(below(root, folder) for folder in app.folders)
        own = tuple(folder for folder in folders if folder not in taken and _may_be_there(folder))
        taken.update(own)
        if own:
            found[app_id] = own
    return found


def _may_be_there(folder: Path) -> bool:
    """False when it is not; a folder that we are refused stays, so that the walk counts it as such."""
    try:
        return stat.S_ISDIR(folder.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


class Walk:
    """One walk over the folders of one app; `skip` are folders of other apps, which are not entered."""

    def __init__(self, skip: Collection[Path]) -> None:
        self.bytes = self.files = self.unreadable = self.foreign = 0
        self._skip = {str(folder) for folder in skip}
        self._linked: set[tuple[int, int]] = set()
        self._entered: set[tuple[int, int]] = set()  # also ends loops of bind mounts
        self._devices: set[int] = set()
        self._uid: int | None = None

    def run(self, folders: Sequence[Path], end: float) -> bool:
        """Walk; False when the time `end` (monotonic) came first."""
        waiting, since = [str(folder) for folder in folders], time.monotonic()
        for folder in folders:
            with suppress(OSError):
                own = folder.lstat()
                self._devices.add(own.st_dev)
                self._uid = own.st_uid if self._uid is None else self._uid
        while waiting:
            now = time.monotonic()
            if now > end:
                return False
            if now - since > _WORK_SECONDS:
                time.sleep(_WORK_SECONDS)
                since = time.monotonic()
            try:
                waiting += self.enter(waiting.pop())
            except (FileNotFoundError, NotADirectoryError):
                continue  # people work while we walk
            except OSError:
                self.unreadable += 1
        return True

    def enter(self, folder: str) -> list[str]:
        """Count what lies in one folder, and return the folders in it."""
        own = os.lstat(folder)
        if not stat.S_ISDIR(own.st_mode) or (own.st_dev, own.st_ino) in self._entered:
            return []
        if own.st_dev not in self._devices:
            return []
        self._entered.add((own.st_dev, own.st_ino))
        self._add(own)
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found += [entry.path] if entry.path not in self._skip else []
                    continue
                with suppress(FileNotFoundError):
                    self._count(entry.stat(follow_symlinks=False))
        return found

    def _count(self, status: os.stat_result) -> None:
        if status.st_nlink > 1:
            if (status.st_dev, status.st_ino) in self._linked:
                return
            self._linked.add((status.st_dev, status.st_ino))
        self._add(status)

    def _add(self, status: os.stat_result) -> None:
        self.files += 1
        self.bytes += status.st_blocks * _BLOCK
        self.foreign += status.st_uid != self._uid


def _families(colocation: Colocation, measures: Mapping[str, Measure], folders: Collection[str]) -> Iterator[Metric]:
    whole = {app: measure for app, measure in measures.items() if not measure.unreadable}
    for name, what, values in (
        ("disk_bytes", "Disk space of the folders", {app: float(whole[app].bytes) for app in sorted(whole)}),
        ("disk_files", "Files and folders in the folders", {app: float(whole[app].files) for app in sorted(whole)}),
    ):
        yield from app_and_project(colocation, name, what, values, folders)
    measured = GaugeMetricFamily(
        "coloc_app_disk_measured_timestamp_seconds", "When the folders were measured.", labels=["app", "project"]
    )
    for app, measure in sorted(whole.items()):
        measured.add_metric([app, project_label(colocation, app)], measure.at.timestamp())
    yield measured
    by_quota = GaugeMetricFamily(
        "coloc_app_disk_by_quota",
        "1 when the kernel counts, 0 when the folders were walked.",
        labels=["app", "project"],
    )
    for app, measure in sorted(whole.items()):
        by_quota.add_metric([app, project_label(colocation, app)], float(measure.by_quota))
    yield by_quota
    refused = sum(measure.unreadable for measure in measures.values())
    yield GaugeMetricFamily("coloc_disk_unreadable_folders", "Folders of apps that were refused.", value=refused)
