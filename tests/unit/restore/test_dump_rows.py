"""Rows are counted right whatever the values are and wherever the stream is cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backup.dump_rows import Lines, MysqlRows, PostgresqlRows

_VALUES = st.text(alphabet="(),;'\\`\n\"-x INSERTVALUES0é", max_size=30)
_ESCAPES = {"\\": "\\\\", "'": "\\'", "\n": "\\n", '"': '\\"'}


def _mysql_value(value: str) -> str:
    return "'" + "".join(_ESCAPES.get(letter, letter) for letter in value) + "'"


def _feed(rows: MysqlRows | PostgresqlRows, dump: bytes, size: int) -> None:
    lines = Lines(rows.take)
    for start in range(0, len(dump), size):
        lines.feed(dump[start : start + size])
    lines.end()


@given(st.lists(st.lists(_VALUES, min_size=1, max_size=3), min_size=1, max_size=6), st.integers(1, 50), st.booleans())
def test_mariadb_rows(rows: list[list[str]], size: int, one_line: bool) -> None:
    between = "," if one_line else ",\n"
    values = between.join("(" + ",".join(map(_mysql_value, row)) + ")" for row in rows)
    start = " " if one_line else "\n"
    dump = f"CREATE TABLE `a``b` (\n  `x` int\n);\nINSERT INTO `a``b` VALUES{start}{values};\n-- Dump completed\n"
    counter = MysqlRows()
    _feed(counter, dump.encode(), size)
    assert counter.tables == {"a`b": len(rows)}
    assert counter.complete


@given(st.lists(_VALUES, max_size=6), st.integers(1, 50))
def test_postgresql_rows(rows: list[str], size: int) -> None:
    lines = "".join(row.replace("\\", "\\\\").replace("\n", "\\n") + "\n" for row in rows)
    dump = f'COPY public."a""b" (x) FROM stdin;\n{lines}\\.\n\n--\n-- PostgreSQL database dump complete\n--\n'
    counter = PostgresqlRows()
    _feed(counter, dump.encode(), size)
    assert counter.tables == {'public."a""b"': len(rows)}
    assert counter.complete


def test_a_cut_dump_is_not_complete() -> None:
    counter = MysqlRows()
    _feed(counter, b"CREATE TABLE `a` (\n  `x` text\n);\nINSERT INTO `a` VALUES\n('-- Dump completed'),\n('", 7)
    assert not counter.complete
