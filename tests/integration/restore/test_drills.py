"""Drills on real archives and servers: everything is compared and counted, nothing live is touched, nothing stays."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.colocation import read_colocation
from backup.borg import Repository
from backup.drill import Drill
from backup.drill_journal import open_drill_journal
from backup.drills import DrillNight, DrillRun, clear_killed
from backup.hosts import open_repository
from backup.journal import open_journal
from backup.manifest import Manifest
from backup.nightly import run_night
from backup.restore_prepare import read_manifest
from backup.samples import Sample
from coloc import command
from coloc.command import Output
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.databases import mysql, postgresql
from coloc.errors import ColocError
from coloc.facts import Fact, Spool
from coloc.times import now_utc
from tests.integration.restore.house import NAME, House


@dataclass
class Drills:
    """A house with keys changed, and one call for a run of drills."""

    house: House
    config: Config

    def run(self, *, apps: Sequence[str] = (), now: datetime | None = None, run: Any = None) -> DrillNight:
        backups, journal = open_journal(self.config.paths.journal), open_drill_journal(self.config.paths.journal)
        try:
            return DrillRun(
                self.config,
                backups,
                journal,
                Spool(self.config.paths.facts),
                frozenset(read_colocation(self.config).inventory.apps),
                apps,
                clock=(lambda: now) if now else now_utc,
                run=run,
            ).go()
        finally:
            journal.close()
            backups.close()

    def facts(self) -> list[dict[str, Any]]:
        facts = Spool(self.config.paths.facts).read()
        return [dict(fact.values) for fact in facts if isinstance(fact, Fact) and fact.kind == "drill"]

    def leftovers(self) -> list[str]:
        found = [str(path) for path in (self.config.paths.journal / "drill").glob("*")]
        servers = self.house.servers
        found += [row[0] for row in mysql.ask(servers, "SHOW DATABASES") if row[0].startswith("coloc_drill_")]
        rows = postgresql.ask(servers, "SELECT datname FROM pg_database")
        return found + [row[0] for row in rows if row[0].startswith("coloc_drill_")]


@pytest.fixture
def house(house: House, tmp_path: Path) -> House:
    """With a repository of its own: two servers on one are noticed, rightly."""
    data = json.loads(json.dumps(house.data))
    place = tmp_path / "repository"
    before = data["backup"]["hosts"]["alouette"]["path"]
    command.run(["cp", "-a", before, str(place)], timeout=60)
    command.run(["rm", "-rf", str(house.config.paths.journal / "borg")], timeout=60)  # Borg knows the old place, too
    journal = open_journal(house.config.paths.journal)
    known = journal.repository_id("alouette", before)
    assert known is not None
    journal.remember_repository("alouette", str(place), known)  # as `coloc-agent host move` does
    journal.close()
    data["backup"]["hosts"]["alouette"]["path"] = str(place)
    return replace(house, data=data, config=parse_config(json.dumps(data).encode(), "coloc.yml"))


Make = Callable[..., Drills]


@pytest.fixture
def drills(house: House) -> Iterator[Make]:
    def make(app: dict[str, Any] | None = None, **drill: Any) -> Drills:
        data = json.loads(json.dumps(house.data))
        data["backup"]["drill"] = drill
        data["apps"][NAME] |= app or {}
        return Drills(house, parse_config(json.dumps(data).encode(), "coloc.yml"))

    yield make


def back_up_again(house: House) -> None:
    """As the night does, a little later than the files were written: so that there are samples."""
    journal = open_journal(house.config.paths.journal)
    spool = Spool(house.config.paths.facts)
    night = run_night(
        house.config,
        read_colocation(house.config),
        spool=spool,
        journal=journal,
        clock=lambda: now_utc() + timedelta(seconds=5),
    )
    journal.close()
    assert night.ok, night


def test_a_whole_drill_compares_everything_and_leaves_nothing(drills: Make, house: House) -> None:
    back_up_again(house)
    before = house.state()
    world = drills()
    night = world.run()
    assert night.ok, night
    (drilled,) = night.done
    proof = drilled.proof
    assert proof is not None and proof.whole and proof.ratio == 1.0
    assert (proof.databases, proof.rows) == (3, 2 + 2 + 0 + 2 + 2)
    assert proof.files.samples >= 2 and proof.files.changed == 0
    assert proof.bytes == proof.total_bytes > 5_000_000
    (fact,) = world.facts()
    assert (fact["ok"], fact["whole"], fact["ratio"], fact["app"], fact["host"]) == (True, True, 1.0, NAME, "alouette")
    assert house.state() == before
    assert world.leftovers() == []
    assert world.run().turns == []  # its turn is over for a month


def test_what_mariadb_would_run_is_not_loaded(drills: Make, house: House) -> None:
    mysql.ask(house.servers, "CREATE DATABASE blog_witness; CREATE TABLE blog_witness.t (i INT)")
    sql = "CREATE EVENT often ON SCHEDULE EVERY 1 SECOND DO INSERT INTO blog_witness.t VALUES (1)"
    mysql.ask(house.servers, sql, database=NAME)
    house.back_up()
    mysql.ask(house.servers, "DROP EVENT often; DELETE FROM blog_witness.t", database=NAME)
    seen: list[list[str]] = []

    def watching(argv: Sequence[str], **options: Any) -> Output:
        if argv[0] == "mariadb":
            seen.extend(mysql.ask(house.servers, "SELECT event_schema FROM information_schema.events"))
        return command.run(argv, **options)

    night = drills().run(run=watching)
    assert night.ok, night
    assert {row[0] for row in seen} <= {NAME}
    assert mysql.ask(house.servers, "SELECT count(*) FROM blog_witness.t") == [["0"]]


def test_slice_by_slice_where_there_is_little_room(drills: Make, house: House) -> None:
    world = drills(room="5M")
    (drilled,) = world.run(apps=[NAME]).done
    assert drilled.proof is not None and drilled.proof.whole, drilled
    assert world.leftovers() == []
    (drilled,) = drills(room="100K").run(apps=[NAME]).done
    assert drilled.proof is not None and not drilled.proof.whole and drilled.proof.ratio < 0.1
    assert drilled.proof.notes


def test_a_part_is_told_as_a_part_and_is_not_the_whole(drills: Make, house: House) -> None:
    for number in range(60):
        (house.app_folder / f"file {number}").write_bytes(os.urandom(100_000))
    house.back_up()
    world = drills(download="4M")
    world.config = parse_config(
        json.dumps({**house.data, "backup": {**house.data["backup"], "hosts": _limited(house, "4M")}}).encode(), "x.yml"
    )
    (drilled,) = world.run().done
    proof = drilled.proof
    assert proof is not None and not proof.whole
    assert 0.05 < proof.ratio < 0.5
    assert proof.bytes <= 4_000_000
    fact = world.facts()[-1]
    assert (fact["ok"], fact["whole"]) == (True, False)
    journal = open_drill_journal(world.config.paths.journal)
    assert journal.tried()[NAME, "alouette"].whole_at is None
    assert journal.downloaded("alouette", f"{now_utc():%Y-%m}") == 4_000_000
    journal.close()


def _limited(house: House, most: str) -> dict[str, Any]:
    return {name: {**host, "drill_download": most} for name, host in house.data["backup"]["hosts"].items()}


def test_a_damaged_repository_fails_the_drill_with_a_sentence(drills: Make, house: House) -> None:
    world = drills()
    segments = (Path(house.data["backup"]["hosts"]["alouette"]["path"]) / "data/0").iterdir()
    largest = max(segments, key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    for place in range(300, len(content) - 300, 300):
        content[place] ^= 0xFF
    largest.write_bytes(content)
    night = world.run(apps=[NAME])
    assert not night.ok
    assert night.problems or night.done[0].failure
    assert world.leftovers() == []


class Kill:
    """Runs programs, and kills this process at the n-th one that matches."""

    def __init__(self, word: str) -> None:
        self._word = word

    def __call__(self, argv: Sequence[str], **options: Any) -> Output:
        output = command.run(argv, **options)
        if self._word in " ".join(argv):
            os.kill(os.getpid(), signal.SIGKILL)
        return output


@pytest.mark.parametrize("word", ["extract --progress --numeric-ids", "--init-command", "--output=/dev/null"])
def test_what_a_killed_drill_left_goes_at_the_next_start(drills: Make, house: House, word: str) -> None:
    world = drills()
    child = os.fork()
    if child == 0:
        try:
            world.run(run=Kill(word))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert world.leftovers()
    clear_killed(world.config)
    assert world.leftovers() == []
    assert world.run().ok


def test_the_smoke_command_tries_what_came_back(drills: Make, house: House, tmp_path: Path) -> None:
    script = tmp_path / "smoke"
    script.write_text(
        '#!/bin/sh\ntest "$COLOC_DRILL_APP" = blog && test -f "$COLOC_DRILL_FOLDER/var/www/blog/index.php" '
        f'&& printf %s "$COLOC_DRILL_DATABASES" > {tmp_path}/told\n'
    )
    script.chmod(0o755)
    world = drills({"drill_command": [str(script)]})
    assert world.run().ok
    told = json.loads((tmp_path / "told").read_text())
    assert sorted(told) == ["mysql:blog", "postgresql:blog", "sqlite:/var/www/blog/data/data.db"]
    assert world.leftovers() == []
    script.write_text("#!/bin/sh\necho the page is empty >&2\nexit 3\n")
    (drilled,) = world.run(apps=[NAME]).done
    assert "drill_command failed: smoke exited with 3 — the page is empty" in drilled.failure
    script.chmod(0o777)
    (drilled,) = world.run(apps=[NAME]).done
    assert f"others than root can change {script}" in drilled.failure
    assert world.leftovers() == []


@pytest.mark.parametrize(
    ("lie", "why"), [("rows", "came back with 2 rows, 77 were saved"), ("sample", "came back with other contents")]
)
def test_what_differs_from_the_manifest_fails_the_drill(house: House, lie: str, why: str) -> None:
    file = house.app_folder / "index.php"

    def lying(repository: Repository, archive: str) -> Manifest:
        manifest = read_manifest(repository, archive)
        first = manifest.databases[0]
        if lie == "rows":
            return replace(manifest, databases=(replace(first, tables={**first.tables, "parent": 77}),))
        known = file.stat()
        sample = Sample("var/www/blog/index.php", known.st_size, known.st_mtime_ns, 0, known.st_size, "0" * 64)
        return replace(manifest, databases=(), samples=(sample,))

    journal = open_drill_journal(house.config.paths.journal)
    chosen = house.prepare().plan.candidate
    repository = open_repository(house.config, "alouette")
    with pytest.raises(ColocError, match=why):
        Drill(house.config, repository, chosen, journal, "seed", read=lying).go()
    assert journal.leftovers() == []
    journal.close()


def test_an_app_that_nobody_saved_is_a_clear_no(drills: Make) -> None:
    with pytest.raises(ColocError, match="there is no archive of 'nobody'"):
        drills().run(apps=["nobody"])
