"""A filesystem is read-only when it itself is: what our own unit may not write (ProtectSystem=strict) is no alarm."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.filesystems import FilesystemsCollector, filesystem_options
from coloc.model import Colocation, Inventory
from tests.fakes.colocations import figures

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOBODY = Colocation(Inventory({}), (), {})


def seen_read_only(_: Path) -> os.statvfs_result:
    return os.statvfs_result((4096, 4096, 1000, 400, 350, 5000, 4000, 4000, os.ST_RDONLY, 255))


@pytest.mark.parametrize(
    ("options", "read_only"), [("rw,errors=remount-ro", 0), ("ro,errors=remount-ro", 1), (None, 1)]
)
def test_what_is_read_only_for_us_alone_is_not_read_only(tmp_path: Path, options: str | None, read_only: int) -> None:
    mounts, device = tmp_path / "mountinfo", tmp_path.stat().st_dev
    if options is not None:
        # The mount of our own unit is read-only either way; the filesystem behind it need not be.
        mounts.write_text(f"9 1 {os.major(device)}:{os.minor(device)} / / ro,relatime - ext4 /dev/vda {options}\n")
    collector = FilesystemsCollector(tmp_path, statvfs=seen_read_only, mounts=mounts)
    found = figures(collector.collect(NOBODY, NOW))
    (value,) = (value for name, value in found.items() if name.startswith("coloc_filesystem_read_only"))
    assert value == read_only


@pytest.mark.parametrize("text", ["", "nonsense\n", "1 2 3\n", "9 1 0:0 / / ro - ext4\n"])
def test_a_list_of_mounts_that_says_nothing_is_no_proof(text: str) -> None:
    assert filesystem_options(text, os.makedev(0, 0)) == frozenset()
