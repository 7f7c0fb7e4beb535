"""The roles that a dump needs are found in its orders, never in the rows of a table."""

from __future__ import annotations

from pathlib import Path

from coloc.databases.postgresql import roles_in

DUMP = b"""ALTER TABLE public.post OWNER TO blog_role;
ALTER SCHEMA public OWNER TO "odd ""role";
COPY public.post (id, title) FROM stdin;
1\tALTER TABLE x OWNER TO evil;
ALTER TABLE x OWNER TO evil2;
\\.
GRANT SELECT ON TABLE public.post TO reader;
GRANT USAGE ON SCHEMA public TO PUBLIC;
"""


def test_only_orders_count(tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(DUMP)
    assert roles_in(tmp_path / "dump") == {"blog_role", 'odd "role', "reader"}
