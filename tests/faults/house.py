"""A small server that everything may happen to: two apps, a database server, a disk of a host and a friend's sshd."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from coloc.databases import mysql
from coloc.errors import ColocError
from coloc.facts import Fact, Spool
from tests.fakes.mariadb import MariaDb
from tests.fakes.sshd import Sshd
from tests.fakes.systemctl import Units
from tests.faults.link import Link
from tests.faults.processes import Processes

APPS = ("blog", "wiki")
BIN = Path(sys.executable).parent
PASSPHRASE = "a good long passphrase"
_DISKS = {"root": "64m", "disk": "1200m", "journal": "64m"}  # Borg compacts only where it could write 520 MB
Snapshot = Mapping[str, Any]


@dataclass(slots=True)
class House:
    """One server and its two hosts: `merle`, a disk of its own, and `alouette`, behind sshd and a link."""

    folder: Path
    maria: MariaDb
    sshd: Sshd
    link: Link
    units: Units
    truths: dict[tuple[str, str], Snapshot] = field(default_factory=dict)  # (app, run) → what was there

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def repositories(self) -> dict[str, Path]:
        """Where each host's repository lies on this machine."""
        return {"merle": self.folder / "disk/merle", "alouette": self.folder / "friends/alouette"}

    @property
    def processes(self) -> Processes:
        """What runs for this house now."""
        return Processes(self.folder)

    def start(self, *words: str, **env: str) -> subprocess.Popen[bytes]:
        """`coloc-agent …`, its words in a file for `said`."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        path = f"{self.units.folder}:{BIN}:{os.environ['PATH']}"
        argv = [str(BIN / "coloc-agent"), "--config", str(self.folder / "coloc.yml"), *words]
        with (self.folder / "said").open("wb") as said:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                env={"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", **env},
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """What the last command said."""
        return (self.folder / "said").read_text(errors="replace")

    def call(self, *words: str) -> int:
        """A command to its end; its exit code."""
        return self.start(*words).wait(timeout=400)

    def facts(self, since: float) -> list[Fact]:
        """What was reported to the daemon since this moment (of the clock of files)."""
        names = {path.stem for path in (self.folder / "facts").glob("*.json") if path.stat().st_mtime < since}
        return [fact for fact in Spool(self.folder / "facts").read(known=frozenset(names)) if isinstance(fact, Fact)]

    def proven(self) -> dict[tuple[str, str, str], list[str]]:
        """(host, app, run) → the archives that the agent calls good; its own configuration left out."""
        path = self.journal / "backups.db"
        if not path.exists():
            return {}
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
            rows = journal.execute("SELECT host, app, run, archives FROM proven").fetchall()
        return {(host, app, run): yaml.safe_load(names) for host, app, run, names in rows if app in APPS}

    def snapshot(self) -> dict[str, Snapshot]:
        """Each app as it is: files with mode and time, rows."""
        return {app: {"files": files_below(self.root / "var/www" / app), **self._rows(app)} for app in APPS}

    def _rows(self, app: str) -> dict[str, Any]:
        if app != "blog":
            return {}
        rows = mysql.ask(self.maria.servers, "SELECT id, words FROM post ORDER BY id", database="blog")
        return {"mysql": rows, "sqlite": sqlite_rows(self.root / "var/www/blog/notes.db")}

    def databases(self) -> list[str]:
        """Databases of the server that are no system's."""
        own = {"information_schema", "mysql", "performance_schema", "sys"}
        return [name for (name,) in mysql.ask(self.maria.servers, "SHOW DATABASES") if name not in own]

    def leftovers(self) -> list[str]:
        """What a command made for itself and that is still there, but for what a restore keeps until its time comes."""
        now, kept = datetime.now(UTC).isoformat(), []
        for path in (self.journal / "restores").glob("*.json"):
            restore = json.loads(path.read_text())
            if restore["state"] == "done" and restore["ended_at"] > now:  # made while the clock was ahead
                kept.append(path.stem.rpartition("-")[2])
        found = [str(path) for path in (self.root / "var/www").glob(".coloc-*")]
        found += [str(path) for path in (self.journal / "staging").glob("*")]
        found += [name for name in self.databases() if name != "blog"]
        return [name for name in found if not name.endswith(tuple(kept))]

    def live(self, chance: random.Random) -> None:
        """People use their apps: files and rows come, change and go."""
        for app in APPS:
            home = self.root / "var/www" / app
            (home / f"new-{chance.getrandbits(32):x}").write_bytes(chance.randbytes(chance.randint(1, 40_000)))
            old = sorted(home.glob("new-*"))
            if len(old) > 12:
                chance.choice(old).unlink()
        words = f"{chance.getrandbits(64):x}"
        mysql.ask(self.maria.servers, f"INSERT INTO post (words) VALUES ('{words}')", database="blog")
        with closing(sqlite3.connect(self.root / "var/www/blog/notes.db")) as notes:
            notes.execute("INSERT INTO note (words) VALUES (?)", (words,))
            notes.commit()


def files_below(top: Path) -> dict[str, tuple[int, int, str]]:
    """name → mode, time of change, hash of what it holds; the database among them is compared by its rows."""
    found = {}
    for path in sorted(top.rglob("*")):
        if path.is_file() and not path.name.startswith("notes.db"):
            known = path.stat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(top))] = (known.st_mode, known.st_mtime_ns // 1000, digest)
    return found


def sqlite_rows(path: Path) -> list[tuple[Any, ...]]:
    """The rows of the app's own database."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as notes:
        return notes.execute("SELECT id, words FROM note ORDER BY id").fetchall()


@contextmanager
def open_house(folder: Path) -> Iterator[House]:
    """Build it; everything ends and is unmounted with the block. Raises RuntimeError where nothing may be mounted."""
    with ExitStack() as ends:
        for name, size in _DISKS.items():
            (folder / name).mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", str(folder / name)]
            done = subprocess.run(mount, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"a small disk must be mounted here: {done.stderr.strip()} — run it as root")
            ends.callback(subprocess.run, ["umount", "--lazy", str(folder / name)], check=True)
        (folder / "journal").chmod(0o700)
        (folder / "maria").mkdir()
        maria = MariaDb(folder / "maria", durable=True)
        ends.callback(maria.stop)
        maria.start()
        (folder / "friends").mkdir()
        sshd = Sshd(folder / "sshd", folder / "friends/alouette", serve=f"{BIN}/borg serve")
        ends.callback(sshd.stop)
        sshd.start()
        link = ends.enter_context(Link(sshd.port))
        host_key = (folder / "sshd/host_key.pub").read_text()
        sshd.known_hosts.write_text(f"[127.0.0.1]:{link.port} {host_key}")
        house = House(folder, maria, sshd, link, Units(folder / "bin"))
        ends.callback(house.processes.end_all)
        _fill(house)
        yield house


def _fill(house: House) -> None:
    for app in APPS:
        (house.root / "var/www" / app).mkdir(parents=True)
        (house.root / "var/www" / app / "index.php").write_text(f"<?php echo '{app}';")
    mysql.create(house.maria.servers, "blog")
    mysql.ask(house.maria.servers, "CREATE TABLE post (id INT AUTO_INCREMENT PRIMARY KEY, words TEXT)", database="blog")
    with closing(sqlite3.connect(house.root / "var/www/blog/notes.db")) as notes:
        notes.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, words TEXT)")
    house.units.set("blog.service", "active")
    write_passphrase(house, PASSPHRASE)
    (house.folder / "coloc.yml").write_text(yaml.safe_dump(_configuration(house)))


def write_passphrase(house: House, words: str) -> None:
    """What opens the repositories, as the agent reads it."""
    path = house.folder / "passphrase"
    path.write_text(words)
    path.chmod(0o600)


def _configuration(house: House) -> dict[str, Any]:
    folder, databases = house.folder, [{"kind": "mysql", "name": "blog"}]
    databases.append({"kind": "sqlite", "name": "/var/www/blog/notes.db"})
    apps = {
        "blog": {"folders": ["/var/www/blog"], "units": ["blog"], "databases": databases},
        "wiki": {"folders": ["/var/www/wiki"]},
    }
    url = house.sshd.url(house.repositories["alouette"]).replace(f":{house.sshd.port}/", f":{house.link.port}/")
    hosts = {"merle": {"path": str(house.repositories["merle"])}, "alouette": {"ssh": url}}
    hosts["alouette"]["key_file"] = str(house.sshd.key)
    keep = {"last": 2, "daily": 1, "weekly": 0, "monthly": 0}
    return {
        "coloc": {"name": "ruche", "language": "en"},
        "root": str(house.root),
        "paths": {name: str(folder / name) for name in ("state", "facts", "journal", "requests")},
        "apps": apps,
        "database_servers": house.maria.servers.as_data(),
        "backup": {
            "passphrase_file": str(folder / "passphrase"),
            "hosts": hosts,
            "keep": keep,
            "keep_replaced": "1s",
            "patience": "5s",
        },
    }


def copy_tree(source: Path, target: Path, *, but: str = "") -> None:
    """What a folder holds, in place of what another holds; but: an entry of it that is left as it is."""
    target.mkdir(exist_ok=True)
    for entry in target.iterdir():
        if entry.name != but:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    names = [str(entry) for entry in source.iterdir() if entry.name != but]
    subprocess.run(["cp", "-a", "-t", str(target), *names], check=True)


def wait_for(condition: Any, seconds: float) -> bool:
    """True as soon as the condition holds; False when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def is_up(maria: MariaDb) -> bool:
    """Does the database server answer?"""
    try:
        mysql.ask(maria.servers, "SELECT 1", timeout=5)
    except ColocError:
        return False
    return True
