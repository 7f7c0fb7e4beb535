"""Free space, files and read-only state of the filesystems that hold apps, and of no others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.paths import below
from coloc.model import Colocation

_PLACES_EVERY = 12  # looks: following each folder up to its mount point costs a hundred times the question itself


def _used_ratio(figures: os.statvfs_result) -> float:
    """Root's reserve counts neither as used nor as usable: as `df` has it."""
    used = figures.f_blocks - figures.f_bfree
    usable = used + figures.f_bavail
    return used / usable if usable > 0 else 0.0


_FAMILIES: tuple[tuple[str, str, Callable[[os.statvfs_result], float]], ...] = (
    ("size_bytes", "Size of a filesystem that holds apps.", lambda found: found.f_blocks * found.f_frsize),
    ("free_bytes", "What ordinary users can still write there.", lambda found: found.f_bavail * found.f_frsize),
    ("used_ratio", "Part that is used, as ordinary users see it.", _used_ratio),
    ("files_max", "Files that the filesystem can hold.", lambda found: found.f_files),
    ("files_free", "Files that can still be made there.", lambda found: found.f_favail),
)
_READ_ONLY = "coloc_filesystem_read_only", "1 when nothing can be written there."


class FilesystemsCollector:
    """statvfs of each filesystem that holds an app's folder, and of the root."""

    name = "filesystems"
    deadline_seconds = 10.0

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        interval_seconds: float = 15.0,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
        mounts: Path = Path("/proc/self/mountinfo"),
    ) -> None:
        self.interval_seconds = interval_seconds
        self._root, self._statvfs, self._mounts = root, statvfs, mounts
        self._colocation: Colocation | None = None
        self._found: Mapping[str, Path] = {}
        self._looks = 0

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Ask each filesystem once."""
        found = {}
        if colocation is not self._colocation or self._looks >= _PLACES_EVERY:
            self._found, self._colocation, self._looks = self._places(colocation), colocation, 0
        self._looks += 1
        for mount, folder in sorted(self._found.items()):
            with suppress(OSError):
                found[mount] = self._statvfs(folder)
        for name, what, value_of in _FAMILIES:
            family = GaugeMetricFamily(f"coloc_filesystem_{name}", what, labels=["mount"])
            for mount, figures in found.items():
                # btrfs and others have no fixed number of files: then there is nothing to say of them.
                if figures.f_files or not name.startswith("files_"):
                    family.add_metric([mount], value_of(figures))
            if family.samples:
                yield family
        family = GaugeMetricFamily(*_READ_ONLY, labels=["mount"])
        for mount, figures in found.items():
            family.add_metric([mount], bool(figures.f_flag & os.ST_RDONLY) and not self._only_for_us(mount))
        if family.samples:
            yield family

    def _only_for_us(self, mount: str) -> bool:
        """True when the filesystem itself can be written: our own unit sees it read-only (ProtectSystem=strict)."""
        try:
            device = self._found[mount].stat().st_dev
            return "rw" in filesystem_options(self._mounts.read_text(errors="surrogateescape"), device)
        except OSError:
            return False

    def _places(self, colocation: Colocation) -> Mapping[str, Path]:
        """Each mount point, as the server names it, with a folder on it."""
        folders = [self._root]
        for app in colocation.inventory.apps.values():
            folders += [below(self._root, folder) for folder in app.folders]
        found = {}
        for folder in reversed(folders):
            with suppress(OSError):  # not there, refused, or a dead network filesystem: the others count
                found[self._mount_of(folder)] = folder
        return found

    def _mount_of(self, folder: Path) -> str:
        """The mount point above a folder, named as the server sees it."""
        here = folder.resolve(strict=True)
        device = here.stat().st_dev
        while here != here.parent and here.parent.stat().st_dev == device:
            here = here.parent
        root = self._root.resolve()
        return "/" + "/".join(here.relative_to(root).parts) if here.is_relative_to(root) else "/"


def filesystem_options(mountinfo: str, device: int) -> frozenset[str]:
    """The options of the filesystem on a device, which are the same wherever, and for whomever, it is mounted."""
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.splitlines():
        place, _, filesystem = line.partition(" - ")
        words, options = place.split(), filesystem.split()
        if len(words) > 2 and words[2] == number and len(options) > 2:
            return frozenset(options[2].split(","))
    return frozenset()
