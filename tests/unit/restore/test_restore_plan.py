"""Which set is taken, what of it, and what a hostile manifest or archive is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backup.borg_output import Item
from backup.manifest import Manifest, SavedDatabase, SavedFolder
from backup.names import OWN
from backup.restore_files import survey
from backup.restore_plan import (
    Candidate,
    Only,
    Wish,
    add_up,
    choose,
    locate,
    refuse_own,
    refuse_when_full,
    safe_manifest,
    targets_of,
)
from backup.retention import ArchiveSet
from coloc.errors import ColocError
from coloc.model import DatabaseKind

RUN = "20261123T023000Z-abcdef"


def _candidate(host: str, day: int, *, complete: bool = True, proven: bool = True) -> Candidate:
    run = f"202611{day:02d}T023000Z-abcdef"
    at = datetime(2026, 11, day, 2, 30, tzinfo=UTC)
    return Candidate(host, ArchiveSet("blog", run, at, (f"rosa.blog.{run}.files", "dump"), complete, proven))


def _manifest(**changes: object) -> Manifest:
    folders = (SavedFolder("/var/www/blog", "/mnt/d/blog"), SavedFolder("/var/www/blog/x", "/mnt/d/blog/x"))
    base = Manifest(
        "rosa", "blog", RUN, datetime(2026, 11, 23, tzinfo=UTC), "1", None, "Blog", "blog", folders,
        ("etc/nginx/conf.d/blog.conf",), (), (),
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


def test_the_newest_proven_set_is_taken() -> None:
    sets = [
        _candidate("merle", 20),
        _candidate("pie", 21),
        _candidate("merle", 21),
        _candidate("pie", 22, proven=False),
    ]
    assert choose(sets, "blog") == sets[1]
    assert choose([sets[3]], "blog") == sets[3]
    assert choose(sets, "blog", at=datetime(2026, 11, 20, 9, tzinfo=UTC)) == sets[0]
    assert choose(sets, "blog", archive=sets[3].set.run) == sets[3]
    for wrong in ({"archive": "x"}, {"at": datetime(2026, 1, 1, tzinfo=UTC)}):
        with pytest.raises(ColocError) as caught:
            choose(sets, "blog", **wrong)
        assert caught.value.hint


def test_a_set_from_the_future_is_taken_only_when_there_is_no_other() -> None:
    true, future = _candidate("merle", 20), _candidate("merle", 29)
    now = datetime(2026, 11, 21, tzinfo=UTC)
    assert choose([true, future], "blog", now=now) == true
    assert choose([future], "blog", now=now) == future
    assert choose([true, future], "blog", archive=future.set.run, now=now) == future


def test_nested_folders_are_one_target_and_a_moved_folder_keeps_its_link() -> None:
    members = [(each.member, each.is_setting) for each in targets_of(_manifest(), Wish("blog"))]
    assert members == [("mnt/d/blog", False), ("var/www/blog", True), ("var/www/blog/x", True),
                       ("etc/nginx/conf.d/blog.conf", True)]  # fmt: skip
    assert targets_of(_manifest(), Wish("blog", Only.DATABASE)) == ()


@pytest.mark.parametrize("path", ["/var/www/blog/a/b", "a/b", "/mnt/d/blog/a/b", "./a//b"])
def test_a_path_is_found_below_the_folders(path: str) -> None:
    assert locate(_manifest(), path) == "mnt/d/blog/a/b"


@pytest.mark.parametrize("path", ["/etc/passwd", "../other", "/var/www/blogger", "/var/www/blog/../../../etc"])
def test_a_path_outside_is_refused(path: str) -> None:
    with pytest.raises(ColocError):
        locate(_manifest(), path)


@pytest.mark.parametrize(
    "changes",
    [
        {"app": "other"},
        {"run": "20261123T023000Z-000000"},
        {"folders": (SavedFolder("/var/www/a", "/"),)},
        {"folders": (SavedFolder("/var/www/a", "/var/www"),)},
        {"folders": (SavedFolder("/var/www/a", "/usr/../etc"),)},
        {"folders": (SavedFolder("relative", "/srv/a"),)},
        {"folders": (SavedFolder("/srv/a", "/proc/1"),)},
        {"extra_paths": ("/etc/passwd",)},
        {"extra_paths": ("etc/../root/.ssh",)},
        {"extra_paths": ("root/.ssh/authorized_keys",)},
        {"databases": (SavedDatabase(DatabaseKind.MYSQL, "mysql", "dump", 1, "", {}, True),)},
        {"databases": (SavedDatabase(DatabaseKind.POSTGRESQL, "a", "elsewhere", 1, "", {}, True),)},
        {"databases": (SavedDatabase(DatabaseKind.SQLITE, "../x", "dump", 1, "", {}, True),)},
        {"databases": (SavedDatabase(DatabaseKind.MYSQL, "a", "dump", 1, "", {}, False),)},
    ],
)
def test_a_manifest_that_reaches_out_is_refused(changes: dict[str, object]) -> None:
    candidate = _candidate("merle", 23)
    assert safe_manifest(_manifest(), candidate, "rosa")
    with pytest.raises(ColocError, match="manifest is refused"):
        safe_manifest(_manifest(**changes), candidate, "rosa")


def test_the_agents_own_configuration_may_lie_anywhere_and_comes_back_beside_only() -> None:
    candidate = _candidate("merle", 23)
    candidate = replace(candidate, set=replace(candidate.set, app=OWN))
    anywhere = _manifest(app=OWN, folders=(), databases=(), extra_paths=("srv/flat/coloc.yml",))
    assert safe_manifest(anywhere, candidate, "rosa") == anywhere
    with pytest.raises(ColocError, match="manifest is refused"):
        safe_manifest(replace(anywhere, extra_paths=("srv/../root/.ssh/id",)), candidate, "rosa")
    with pytest.raises(ColocError, match="does not come back over the one in use"):
        refuse_own(OWN)


def _item(path: str, mode: str = "-rw-r--r--", link: str = "") -> Item:
    return Item(path, mode[0].replace("h", "-"), mode, "root", "root", 0, 0, 1, link)


@pytest.mark.parametrize(
    "items",
    [
        [_item("/etc/passwd")],
        [_item("a/../../etc/passwd")],
        [_item("a//b")],
        [_item("a/disk", "brw-rw----")],
        [_item("a/null", "crw-rw-rw-")],
        [_item("a/x/passwd"), _item("a/x", "lrwxrwxrwx", "/etc")],
        [_item("a/h", "hrw-r--r--", "../../etc/shadow")],
        [_item("a/x", "lrwxrwxrwx", "/etc"), _item("a/h", "hrw-r--r--", "a/x/shadow")],
    ],
)
def test_an_archive_that_could_lead_elsewhere_is_refused(items: list[Item]) -> None:
    with pytest.raises(ColocError, match="refused before anything is extracted"):
        survey(items, ["a"])


def test_a_plain_archive_is_measured() -> None:
    items = [_item("a", "drwxr-xr-x"), _item("a/f"), _item("a/l", "lrwxrwxrwx", "/etc"), _item("b")]
    listed = survey(items, ["a"])
    assert (listed.items, listed.bytes_of) == (3, {"a": 3})


def test_needs_on_one_filesystem_add_up() -> None:
    spaces = add_up([("/a", 5), ("/b", 6), ("/c", 7)], {"/a": (1, 10), "/b": (1, 10), "/c": (2, 10**9)})
    assert [(space.folder, space.needed_bytes) for space in spaces] == [("/a", 11), ("/c", 7)]
    with pytest.raises(ColocError, match="not enough room in /a"):
        refuse_when_full(spaces)
