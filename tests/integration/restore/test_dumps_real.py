"""Dumps of real servers: whole, counted, loadable under another name, and a failure is never a success."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from backup.dump_spec import DumpSpec, dump_argv, read_result
from coloc.databases import mysql, postgresql, sqlite
from coloc.databases.servers import Servers
from coloc.model import DatabaseKind

HOSTILE = ["plain", "--help", "a`b\"c'd\\e", "with space=and;semicolon", "é日\t本"]


def _dump(tmp_path: Path, kind: DatabaseKind, name: str, servers: Servers, path: str = "") -> tuple[int, bytes, Path]:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    spec = DumpSpec(kind, name, path, str(folder), str(folder / "result.json"), servers.as_data())
    spec.write(folder / "spec.json")
    done = subprocess.run(dump_argv(folder / "spec.json"), capture_output=True, timeout=60)
    assert done.stderr == b""
    return done.returncode, done.stdout, folder


@pytest.mark.parametrize("name", HOSTILE)
def test_a_mariadb_dump_counts_its_rows_and_loads_elsewhere(tmp_path: Path, servers: Servers, name: str) -> None:
    mysql.create(servers, name)
    sql = """
    CREATE TABLE plain (id INT PRIMARY KEY, t LONGTEXT, b LONGBLOB);
    CREATE TABLE empty (id INT);
    CREATE TABLE `we``ird
    name ( VALUES` (`a (b` INT, g INT AS (`a (b` * 2) STORED);
    INSERT INTO `we``ird
    name ( VALUES` (`a (b`) VALUES (1), (2);
    INSERT INTO plain VALUES (1, 'it''s (a, b), \\\\ \\' ; --', x'00ff27');
    INSERT INTO plain VALUES (2, 'line\\nINSERT INTO `plain` VALUES (3)', NULL);
    INSERT INTO plain SELECT seq, REPEAT('(''x'',', seq % 50), NULL FROM seq_10_to_3009;
    DELIMITER ;;
    CREATE TRIGGER noisy BEFORE INSERT ON empty FOR EACH ROW BEGIN
INSERT INTO `plain` VALUES
(7, 'no', NULL);
    END;;
    DELIMITER ;
    CREATE VIEW seen AS SELECT id FROM plain;
    """
    mysql.ask(servers, sql, database=name)
    code, data, folder = _dump(tmp_path, DatabaseKind.MYSQL, name, servers)
    result = read_result(folder / "result.json")
    assert (code, result.failure, result.end_marker) == (0, "", True)
    assert result.tables == {"plain": 3002, "empty": 0, "we`ird\n    name ( VALUES": 2}
    assert (result.bytes, result.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    (folder / "dump.sql").write_bytes(data)
    mysql.create(servers, "elsewhere", like=name)
    mysql.load(servers, "elsewhere", folder / "dump.sql", timeout=60)
    assert mysql.row_counts(servers, "elsewhere", result.tables) == result.tables
    mysql.drop(servers, "elsewhere")
    mysql.drop(servers, name)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_postgresql_dump_counts_its_rows_and_loads_elsewhere(tmp_path: Path, servers: Servers, name: str) -> None:
    postgresql.ask(servers, f"CREATE DATABASE {postgresql.identifier(name)}")
    sql = """
    CREATE TABLE plain (id int, t text); CREATE TABLE empty (x int);
    CREATE SCHEMA "S.x"; CREATE TABLE "S.x"."q""(u) FROM stdin;
    " ("c""(;" int, "order" text);
    INSERT INTO plain VALUES (1, E'\\\\.'), (2, E'line\\nCOPY public.plain (id) FROM stdin;\\n\\\\.\\n'), (3, NULL);
    INSERT INTO "S.x"."q""(u) FROM stdin;
    " VALUES (1, 'x'), (2, 'y');
    """
    postgresql.ask(servers, sql, database=name)
    code, data, folder = _dump(tmp_path, DatabaseKind.POSTGRESQL, name, servers)
    result = read_result(folder / "result.json")
    assert (code, result.failure, result.end_marker) == (0, "", True)
    assert result.tables == {"public.plain": 3, "public.empty": 0, '"S.x"."q""(u) FROM stdin;\n    "': 2}
    assert (result.bytes, result.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    (folder / "dump.sql").write_bytes(data)
    postgresql.ask(servers, "CREATE DATABASE elsewhere TEMPLATE template0")
    postgresql.load(servers, "elsewhere", folder / "dump.sql", timeout=60)
    assert postgresql.row_counts(servers, "elsewhere") == result.tables
    for each in ("elsewhere", name):
        postgresql.drop(servers, each)


def test_an_sqlite_file_is_copied_while_it_is_written(tmp_path: Path, servers: Servers) -> None:
    path = tmp_path / "da?ta #1.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute('CREATE TABLE "t""x" (a)')
        writer.executemany('INSERT INTO "t""x" VALUES (?)', [(1,), (2,)])
        writer.commit()
        writer.execute('INSERT INTO "t""x" VALUES (3)')  # not committed: not in the dump
        code, data, folder = _dump(tmp_path, DatabaseKind.SQLITE, str(path), servers, str(path))
    result = read_result(folder / "result.json")
    assert (code, result.tables, result.bytes) == (0, {'t"x': 2}, len(data))
    (tmp_path / "copy").write_bytes(data)
    assert sqlite.check_and_count(tmp_path / "copy") == {'t"x': 2}


@pytest.mark.parametrize("kind", list(DatabaseKind))
def test_a_dump_of_nothing_fails_and_says_why(tmp_path: Path, servers: Servers, kind: DatabaseKind) -> None:
    code, _, folder = _dump(tmp_path, kind, "/nowhere", servers, "/nowhere")
    assert code == 1
    assert "nowhere" in read_result(folder / "result.json").failure


def test_a_dump_that_breaks_half_way_fails(tmp_path: Path, servers: Servers) -> None:
    mysql.ask(servers, "CREATE DATABASE broken; USE broken; CREATE TABLE a (id INT); INSERT INTO a VALUES (1)")
    mysql.ask(servers, "USE broken; CREATE VIEW v AS SELECT id FROM a; ALTER TABLE a DROP id, ADD x INT")
    code, data, folder = _dump(tmp_path, DatabaseKind.MYSQL, "broken", servers)
    assert code == 1 and data
    assert "broken" in read_result(folder / "result.json").failure
    mysql.drop(servers, "broken")
