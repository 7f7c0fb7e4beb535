"""Where a path and a dump lie in an archive: in our own layout, and in the one that YunoHost writes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from backup.manifest import Layout, Manifest, SavedDatabase, SavedFolder, parse_manifest
from backup.restore_plan import Candidate, Only, Wish, safe_manifest, targets_of
from backup.retention import ArchiveSet
from coloc.errors import ColocError
from coloc.model import DatabaseKind

RUN = "20261123T023000Z-abcdef"
FILES = f"ruche.labphp.{RUN}.files"
DUMP = SavedDatabase(DatabaseKind.MYSQL, "labphp", FILES, 12, "ff", {"notes": 3}, True, "apps/labphp/backup/db.sql")
YUNOHOST = Manifest(
    "ruche", "labphp", RUN, datetime(2026, 11, 23, tzinfo=UTC), "1", "1.4.2~ynh3", "Lab", "labphp",
    (
        SavedFolder("/var/www/labphp", "/var/www/labphp"),
        SavedFolder("/home/yunohost.app/labphp", "/mnt/d/labphp", "apps/labphp/backup/home/yunohost.app/labphp"),
    ),
    ("etc/yunohost/apps/labphp", "etc/cron.d/labphp"), (DUMP,), (), layout=Layout.YUNOHOST,
)  # fmt: skip
CANDIDATE = Candidate(
    "merle", ArchiveSet("labphp", RUN, datetime(2026, 11, 23, 2, 30, tzinfo=UTC), (FILES,), True, True)
)


def test_what_yunohost_lays_out_is_found_by_the_path_of_the_server() -> None:
    places = {target.path: target.member for target in targets_of(YUNOHOST, Wish("labphp"))}
    assert places == {
        "var/www/labphp": "apps/labphp/backup/var/www/labphp",
        "mnt/d/labphp": "apps/labphp/backup/home/yunohost.app/labphp",
        "etc/yunohost/apps/labphp": "apps/labphp/settings",
        "etc/cron.d/labphp": "apps/labphp/backup/etc/cron.d/labphp",
    }
    (photo,) = targets_of(YUNOHOST, Wish("labphp", path="/home/yunohost.app/labphp/a.jpg"))
    assert (photo.path, photo.member) == ("mnt/d/labphp/a.jpg", "apps/labphp/backup/home/yunohost.app/labphp/a.jpg")
    assert targets_of(YUNOHOST, Wish("labphp", Only.DATABASE)) == ()


def test_our_own_layout_names_paths_as_they_are() -> None:
    own = replace(YUNOHOST, layout=Layout.OWN, folders=(SavedFolder("/var/www/labphp", "/srv/labphp"),))
    assert own.member_of("srv/labphp/x") == "srv/labphp/x"
    assert own.member_of("etc/yunohost/apps/labphp/settings.yml") == "etc/yunohost/apps/labphp/settings.yml"


def test_a_dump_lies_in_the_archive_of_files_or_in_its_own() -> None:
    assert DUMP.file == "apps/labphp/backup/db.sql"
    assert replace(DUMP, member="").file == "dump.sql"
    assert replace(DUMP, kind=DatabaseKind.SQLITE, member="").file == "dump.sqlite"


def test_a_manifest_is_read_again_and_so_are_those_of_the_first_form() -> None:
    assert parse_manifest(YUNOHOST.to_json()) == YUNOHOST
    old = json.loads(replace(YUNOHOST, layout=Layout.OWN).to_json())
    old["format"] = 1
    del old["layout"], old["databases"][0]["member"]
    for folder in old["folders"]:
        del folder["member"]
    read = parse_manifest(json.dumps(old))
    assert read.layout is Layout.OWN
    assert read.databases[0].file == "dump.sql"
    with pytest.raises(ColocError, match="has form 3"):
        parse_manifest(json.dumps({**old, "format": 3}))
    with pytest.raises(ColocError, match="cannot be read"):
        parse_manifest(json.dumps({**old, "layout": "tar"}))


@pytest.mark.parametrize(
    "member",
    ["/etc/passwd", "apps/labphp/backup/../../../etc", "apps/other/backup/x", "apps/labphp/settings", "x", "conf/ldap"],
)
def test_a_member_outside_the_apps_own_part_is_refused(member: str) -> None:
    assert safe_manifest(YUNOHOST, CANDIDATE, "ruche")
    folder = SavedFolder("/var/www/labphp", "/var/www/labphp", member)
    for changed in ({"folders": (folder,)}, {"databases": (replace(DUMP, member=member),)}):
        with pytest.raises(ColocError, match="manifest is refused"):
            safe_manifest(replace(YUNOHOST, **changed), CANDIDATE, "ruche")
