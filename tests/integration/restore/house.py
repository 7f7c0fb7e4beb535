"""An app with everything: odd files, three kinds of databases, a unit; and its state as one comparable value."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.colocation import read_colocation
from backup.journal import open_journal
from backup.nightly import run_night
from backup.restore import Restored, Restoring
from backup.restore_plan import Only, Wish
from backup.restore_prepare import Prepared, prepare
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.databases import mysql, postgresql
from coloc.databases.servers import Servers
from coloc.errors import ColocError
from coloc.facts import Spool
from tests.fakes.systemctl import Units

NAME = "blog"
ROLE = "blog_role"
_MYSQL = """
CREATE TABLE parent (id INT PRIMARY KEY, name VARCHAR(50)) ENGINE=InnoDB;
CREATE TABLE child (id INT PRIMARY KEY, parent INT, data LONGBLOB,
    CONSTRAINT child_of FOREIGN KEY (parent) REFERENCES parent (id)) ENGINE=InnoDB;
CREATE TABLE log (line TEXT);
INSERT INTO parent VALUES (1, 'é'), (2, 'it''s');
INSERT INTO child VALUES (1, 1, x'00ff'), (2, 2, NULL);
CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN x * 2;
CREATE PROCEDURE note(IN t TEXT) INSERT INTO log VALUES (t);
CREATE VIEW both_ AS SELECT child.id, parent.name, twice(child.id) AS d
    FROM child JOIN parent ON parent.id = child.parent;
CREATE VIEW above AS SELECT * FROM both_;
CREATE TRIGGER noted AFTER INSERT ON parent FOR EACH ROW CALL note(NEW.name);
CREATE EVENT nightly ON SCHEDULE EVERY 1 YEAR STARTS '2030-01-01' DO DELETE FROM log;
"""
_PG = f"""
CREATE TABLE post (id serial PRIMARY KEY, title text NOT NULL);
INSERT INTO post (title) VALUES ('un'), (E'deux\\n\\\\.');
CREATE VIEW titles AS SELECT title FROM post;
ALTER TABLE post OWNER TO {ROLE};
"""


@dataclass(frozen=True)
class House:
    """Where the test's server lives."""

    folder: Path
    servers: Servers
    units: Units
    config: Config
    data: dict[str, Any]

    @property
    def app_folder(self) -> Path:
        return self.config.root / "var/www/blog"

    def back_up(self) -> str:
        journal = open_journal(self.config.paths.journal)
        colocation = read_colocation(self.config)
        night = run_night(self.config, colocation, spool=Spool(self.config.paths.facts), journal=journal)
        journal.close()
        assert night.ok, night
        return night.run

    def prepare(self, only: Only = Only.ALL, path: str = "", **more: Any) -> Prepared:
        journal = open_journal(self.config.paths.journal)
        app = read_colocation(self.config).inventory.apps.get(NAME)
        try:
            return prepare(self.config, app, Wish(NAME, only, path), journal, **more)
        finally:
            journal.close()

    def restoring(self, prepared: Prepared, **more: Any) -> Restoring:
        app = read_colocation(self.config).inventory.apps.get(NAME)
        spool = Spool(self.config.paths.facts)
        return Restoring(self.config, app, prepared, spool, settle_seconds=0.3, **more)

    def restore(self, only: Only = Only.ALL, path: str = "", **more: Any) -> Restored:
        return self.restoring(self.prepare(only, path, **more)).go()

    def state(self) -> dict[str, Any]:
        """Everything that a restore must bring back, or leave alone."""
        return {"files": self.files(), "mysql": self.mysql(), "postgresql": self.postgresql(), "sqlite": self.sqlite()}

    def files(self) -> dict[str, Any]:
        root = os.fsencode(self.app_folder)
        found: dict[str, Any] = {}
        inodes: dict[int, list[str]] = {}
        for folder, names, files in os.walk(root):
            for name in [b".", *names, *files]:
                path = folder + b"/" + name
                known = os.lstat(path)
                key = os.path.relpath(path, root)
                if b"data.db" in key:
                    continue
                content: Any = None
                if stat.S_ISLNK(known.st_mode):
                    content = Path(os.fsdecode(path)).readlink()
                elif stat.S_ISREG(known.st_mode):
                    content = Path(os.fsdecode(path)).read_bytes()
                    inodes.setdefault(known.st_ino, []).append(os.fsdecode(key))
                xattrs = {} if stat.S_ISLNK(known.st_mode) else {x: os.getxattr(path, x) for x in os.listxattr(path)}
                times = known.st_mtime_ns if stat.S_ISREG(known.st_mode) else 0
                found[os.fsdecode(key)] = (known.st_mode, known.st_uid, known.st_gid, times, content, xattrs)
        found["hard links"] = sorted(sorted(names) for names in inodes.values() if len(names) > 1)
        return found

    def mysql(self) -> Any:
        if not mysql.exists(self.servers, NAME):
            return None
        asked = ["SELECT * FROM parent ORDER BY id", "SELECT id, parent, hex(data) FROM child ORDER BY id"]
        asked += ["SELECT * FROM above ORDER BY id", "SHOW CREATE TABLE child", "SHOW CREATE VIEW both_"]
        asked += ["SELECT * FROM log ORDER BY line", "SHOW CREATE FUNCTION twice"]
        asked += ["SHOW TRIGGERS", "SHOW EVENTS", "SHOW TABLES"]
        answers = [_or_error(self.servers, sql) for sql in asked]
        answers[7] = [row[:5] for row in answers[7]]  # without the moment at which it was created
        return answers

    def postgresql(self) -> Any:
        if not postgresql.exists(self.servers, NAME):
            return None
        asked = ["SELECT id || title FROM post ORDER BY id", "SELECT title FROM titles"]
        asked += ["SELECT tableowner FROM pg_tables WHERE tablename = 'post'", "SHOW work_mem"]
        asked += [
            "SELECT pg_get_userbyid(datdba) || pg_encoding_to_char(encoding) || COALESCE(datacl::text, '') "
            "FROM pg_database WHERE datname = current_database()"
        ]
        return [postgresql.ask(self.servers, sql, database=NAME) for sql in asked]

    def sqlite(self) -> Any:
        path = self.app_folder / "data/data.db"
        if not path.exists():
            return None
        known = path.stat()
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT * FROM note ORDER BY 1").fetchall()
        return rows, known.st_mode, known.st_uid, known.st_gid

    def change(self) -> None:
        """What an accident would do."""
        (self.app_folder / "index.php").write_text("<?php broken")
        (self.app_folder / "new").write_text("was not there")
        (self.app_folder / "sparse").unlink()
        mysql.ask(
            self.servers, "DROP VIEW above; DELETE FROM child; INSERT INTO parent VALUES (9, 'new')", database=NAME
        )
        mysql.ask(
            self.servers,
            "CREATE TABLE later (id INT); CREATE TRIGGER t2 BEFORE INSERT ON later FOR EACH ROW SET @a = 1",
            database=NAME,
        )
        postgresql.ask(self.servers, "DELETE FROM post; CREATE TABLE later (id int)", database=NAME)
        with closing(sqlite3.connect(self.app_folder / "data/data.db")) as connection:
            connection.execute("DELETE FROM note")
            connection.commit()

    def destroy(self) -> None:
        """The app's data is gone."""
        subprocess.run(["rm", "-rf", str(self.app_folder)], check=True)
        self.drop_databases()

    def drop_databases(self) -> None:
        for name, *_ in mysql.ask(self.servers, "SHOW DATABASES"):
            if name.startswith(NAME):
                mysql.drop(self.servers, name)
        for (name,) in postgresql.ask(self.servers, "SELECT datname FROM pg_database"):
            if name.startswith(NAME):
                postgresql.drop(self.servers, name)

    def leftovers(self) -> list[str]:
        """Folders and databases that a restore made, and that are there now."""
        found = [path.name for path in self.app_folder.parent.glob(".coloc-*")]
        found += [row[0] for row in mysql.ask(self.servers, "SHOW DATABASES") if row[0].startswith(f"{NAME}__")]
        rows = postgresql.ask(self.servers, "SELECT datname FROM pg_database")
        return found + [row[0] for row in rows if row[0].startswith(f"{NAME}__")]


def _or_error(servers: Servers, sql: str) -> list[list[str]]:
    try:
        return mysql.ask(servers, sql, database=NAME)
    except ColocError as error:
        return [[str(error)]]


def copy_of(saved: House, folder: Path, units: Units) -> House:
    """The same server again in another folder, with the archives of the first; the repository stays where it is."""
    for name in ("root", "journal", "passphrase"):
        subprocess.run(["cp", "-a", str(saved.folder / name), str(folder / name)], check=True)
    house = _describe(folder, saved.folder / "repository", saved.servers, units)
    _fill_databases(house)
    return house


def build(folder: Path, servers: Servers, units: Units) -> House:
    """A server with one app that has everything."""
    (folder / "passphrase").write_text("secret-words")
    (folder / "passphrase").chmod(0o600)
    house = _describe(folder, folder / "repository", servers, units)
    _fill_files(house)
    _fill_databases(house)
    return house


def _describe(folder: Path, repository: Path, servers: Servers, units: Units) -> House:
    passphrase = folder / "passphrase"
    data = {
        "coloc": {"name": "rosa", "language": "en"},
        "root": str(folder / "root"),
        "paths": {"journal": str(folder / "journal"), "facts": str(folder / "facts")},
        "backup": {"passphrase_file": str(passphrase), "hosts": {"alouette": {"path": str(repository)}}},
        "database_servers": servers.as_data(),
        "apps": {
            NAME: {
                "folders": ["/var/www/blog"],
                "user": ROLE,
                "units": [NAME],
                "databases": [
                    {"kind": "mysql", "name": NAME},
                    {"kind": "postgresql", "name": NAME},
                    {"kind": "sqlite", "name": "/var/www/blog/data/data.db"},
                ],
            }
        },
    }
    (folder / "coloc.yml").write_text(json.dumps(data))
    house = House(folder, servers, units, parse_config(json.dumps(data).encode(), "coloc.yml"), data)
    units.set(f"{NAME}.service", "active")
    return house


def _fill_files(house: House) -> None:
    top = house.app_folder
    (top / "data").mkdir(parents=True)
    (top / "index.php").write_text("<?php echo 1;")
    (top / "link").symlink_to("index.php")
    (top / "dangling").symlink_to("/nowhere")
    (top / "hard").hardlink_to(top / "index.php")
    Path(os.fsdecode(os.fsencode(top) + b"/odd \xff\xfe\nname")).write_bytes(b"\0\1")
    with (top / "sparse").open("wb") as file:
        file.truncate(5_000_000)
        file.seek(4_000_000)
        file.write(b"here")
    os.mkfifo(top / "pipe")
    (top / "data").chmod(0o2750)
    (top / "index.php").chmod(0o640)
    os.setxattr(top / "index.php", "user.note", b"kept\0")
    if os.geteuid() == 0:
        os.chown(top / "index.php", 4321, 8765)
        subprocess.run(["setfacl", "-m", "u:4321:r", str(top / "data")], check=True)
    with closing(sqlite3.connect(top / "data/data.db")) as connection:
        connection.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, t TEXT)")
        connection.executemany("INSERT INTO note (t) VALUES (?)", [("a",), ("b",)])
        connection.commit()
    (top / "data/data.db").chmod(0o660)


def _fill_databases(house: House) -> None:
    house.drop_databases()
    mysql.create(house.servers, NAME)
    mysql.ask(house.servers, _MYSQL, database=NAME)
    if not postgresql.ask(house.servers, f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"):
        postgresql.ask(house.servers, f"CREATE ROLE {ROLE} LOGIN")
    postgresql.ask(house.servers, f"CREATE DATABASE {NAME} OWNER {ROLE} TEMPLATE template0")
    postgresql.ask(
        house.servers, f"REVOKE ALL ON DATABASE {NAME} FROM PUBLIC; ALTER DATABASE {NAME} SET work_mem = '5MB'"
    )
    postgresql.ask(house.servers, _PG, database=NAME)
