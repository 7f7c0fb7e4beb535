"""Whatever goes wrong, the app is as it was: bad units and loads, full disks, kill -9, hostile archives."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backup.borg import borg_program
from backup.names import archive_name, new_run
from backup.restore_journal import journals
from backup.restore_plan import Only
from backup.restore_unfinished import last_restore, refuse_unfinished, undo_restore
from coloc import command
from coloc.command import CommandFailed, Output
from coloc.errors import ColocError
from coloc.times import now_utc
from tests.integration.restore.house import NAME, House


class Trap:
    """Runs programs, and does something terrible at the n-th order to a server or to systemd."""

    def __init__(self, number: int, *, kill: bool) -> None:
        self.count, self._number, self._kill = 0, number, kill

    def __call__(self, argv: Sequence[str], **options: Any) -> Output:
        if argv[0] in {"mariadb", "mariadb-dump", "psql", "systemctl"}:
            self.count += 1
            if self.count == self._number:
                if self._kill:
                    os.kill(os.getpid(), signal.SIGKILL)
                raise CommandFailed(argv[0], Output(1, "", "ERROR: the trap"))
        return command.run(argv, **options)


def test_a_unit_that_does_not_stay_up_brings_everything_back(house: House) -> None:
    house.change()
    changed = house.state()
    house.units.refuse_next_start()
    with pytest.raises(ColocError, match=r"blog.service does not stay up .* blog is as it was"):
        house.restore()
    assert house.state() == changed
    assert house.units.state("blog.service") == "active"
    assert house.leftovers() == []
    assert [journal.state for journal in journals(house.config.paths.journal)] == ["undone"]


def test_a_kill_at_any_moment_of_the_databases_is_taken_back(house: House) -> None:
    house.change()
    changed = house.state()
    prepared = house.prepare(Only.DATABASE)
    counter = Trap(0, kill=False)
    house.restoring(prepared, run=counter).go()
    undo_restore(house.config, last_restore(house.config, NAME))
    assert house.state() == changed
    assert counter.count > 20
    for number in range(counter.count // 2, counter.count + 1, counter.count // 8):
        child = os.fork()
        if child == 0:
            try:
                house.restoring(prepared, run=Trap(number, kill=True)).go()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status)
        with pytest.raises(ColocError, match="was cut off"):
            refuse_unfinished(house.config)
        undo_restore(house.config, last_restore(house.config, NAME))
        assert house.state() == changed, number
        assert house.leftovers() == [], number
        assert house.units.state("blog.service") == "active"


def test_a_kill_between_files_and_databases_is_taken_back(house: House) -> None:
    house.change()
    changed = house.state()
    prepared = house.prepare()
    last = Trap(0, kill=False)
    house.restoring(prepared, run=last).go()
    undo_restore(house.config, last_restore(house.config, NAME))
    child = os.fork()
    if child == 0:
        try:
            house.restoring(prepared, run=Trap(last.count - 4, kill=True)).go()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert house.files() != changed["files"]
    undo_restore(house.config, last_restore(house.config, NAME))
    assert house.state() == changed
    assert house.leftovers() == []


def test_a_load_that_fails_changes_nothing(house: House) -> None:
    house.change()
    changed = house.state()
    prepared = house.prepare()
    database = prepared.plan.databases[0]
    lying = replace(database, tables={**database.tables, "parent": 77})
    with pytest.raises(ColocError, match="came back with 2 rows, 77 were saved"):
        house.restoring(replace(prepared, plan=replace(prepared.plan, databases=(lying,)))).go()
    with pytest.raises(ColocError, match="the trap; blog is as it was"):
        house.restoring(prepared, run=Trap(4, kill=False)).go()
    assert house.state() == changed
    assert house.leftovers() == []
    assert house.units.orders() == []


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A filesystem of 12 MB in place of a folder, with what it held."""
    subprocess.run(["cp", "-a", str(folder), f"{folder}.away"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "coloc-test", str(folder)], check=True)
    try:
        subprocess.run(["cp", "-a", "--sparse=never", f"{folder}.away/.", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_or_gets_full_changes_nothing(house: House) -> None:
    (house.app_folder / "index.php").write_text("changed")
    with small_disk(house.app_folder.parent):
        (house.app_folder / "fills").write_bytes(b"x" * 5_000_000)
        before = house.files()
        prepared = house.prepare(Only.FILES)
        with pytest.raises(ColocError, match="not enough room"):
            house.restoring(prepared).go()
        with pytest.raises(ColocError, match="as it was"):
            house.restoring(replace(prepared, plan=replace(prepared.plan, spaces=()))).go()
        assert house.files() == before
        assert house.leftovers() == []


def test_a_hostile_archive_is_refused_before_extraction(house: House) -> None:
    run = new_run(now_utc())
    name = archive_name("rosa", NAME, run)
    prepared = house.prepare(Only.FILES)
    manifest = replace(prepared.plan.manifest, run=run, databases=()).to_json().encode()
    tar = house.folder / "hostile.tar"
    with tarfile.open(tar, "w") as archive:
        for path, link, content in (
            ("coloc-manifest.json", "", manifest),
            ("var/www/blog/a", "", b"fine"),
            ("var/www/blog/etc", str(house.folder), b""),
            ("var/www/blog/etc/owned", "", b"outside"),
        ):
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = (tarfile.SYMTYPE, link) if link else (tarfile.REGTYPE, "")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    env = {**os.environ, "BORG_PASSPHRASE": "secret-words", "BORG_BASE_DIR": str(house.config.paths.journal / "borg")}
    argv = [borg_program(), "import-tar", f"{house.config.backup.hosts['alouette'].path}::{name}", str(tar)]
    subprocess.run(argv, check=True, env=env, capture_output=True)
    with pytest.raises(ColocError, match="is a link with something below it"):
        house.prepare(archive=run)
    assert not (house.folder / "owned").exists()
