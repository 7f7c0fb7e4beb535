"""The end of a dump is recognised for each kind of database, and so is its absence."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from backup.dump_spec import DumpResult, DumpSpec, read_result, read_spec
from backup.manifest import Manifest, SavedDatabase, SavedFolder, parse_manifest
from backup.readback import has_end
from coloc.errors import ColocError
from coloc.model import DatabaseKind
from tests.unit.backup.test_journal_and_lock import NOW, RUN


@pytest.mark.parametrize(
    ("kind", "tail", "whole"),
    [
        (DatabaseKind.MYSQL, b"...\n-- Dump completed on 2026-11-23  2:30:00\n", True),
        (DatabaseKind.MYSQL, b"INSERT INTO `t` VALUES (1", False),
        (DatabaseKind.POSTGRESQL, b"--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n", True),
        (DatabaseKind.POSTGRESQL, b"COPY public.t (id) FROM stdin;\n1\n", False),
    ],
)
def test_ends_of_text_dumps(kind: DatabaseKind, tail: bytes, whole: bool) -> None:
    assert has_end(kind, tail[:100], tail, len(tail)) is whole


def test_ends_of_sqlite(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
        connection.commit()
    data = (tmp_path / "a.db").read_bytes()
    assert has_end(DatabaseKind.SQLITE, data[:100], data[-100:], len(data))
    assert not has_end(DatabaseKind.SQLITE, data[:100], data[-100:], len(data) - 4096)
    assert not has_end(DatabaseKind.SQLITE, b"x" * 100, b"x", 8192)
    assert has_end(DatabaseKind.SQLITE, b"", b"", 0)


def test_the_manifest_is_read_back_as_written() -> None:
    manifest = Manifest(
        "ruche",
        "blog",
        RUN,
        NOW,
        "0.1.0",
        None,
        "Blog d’été",
        "blog",
        (SavedFolder("/home/x", "/mnt/x"),),
        ("etc/yunohost/apps/blog",),
        (SavedDatabase(DatabaseKind.MYSQL, "blog", "a", 12, "ff", {"t": 3}, True),),
        ("*.tmp",),
    )
    assert parse_manifest(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', '{"format": 1}', '{"format": 1, "coloc": []}', "[" * 99999]
)
def test_what_is_no_manifest_is_one_error(text: str) -> None:
    with pytest.raises(ColocError, match="manifest"):
        parse_manifest(text)


def test_specs_and_results_travel(tmp_path: Path) -> None:
    spec = DumpSpec(DatabaseKind.SQLITE, "/x", "/root/x", "/s", "/r")
    spec.write(tmp_path / "spec")
    assert read_spec(tmp_path / "spec") == spec
    assert spec.member == "dump.sqlite"
    result = DumpResult(3, "ff", {"t": 1}, True)
    result.write(tmp_path / "result")
    assert read_result(tmp_path / "result") == result
    for text in ("", "{}", "[1]"):
        (tmp_path / "result").write_text(text)
        with pytest.raises(ColocError, match="left no result"):
            read_result(tmp_path / "result")
