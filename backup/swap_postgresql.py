"""A PostgreSQL database takes another's place: both renames in one transaction, for a crash to leave one or none.

The new database is made like the old one: owner, encoding, locale, rights and settings.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

from coloc.command import Run, run
from coloc.databases import postgresql
from coloc.databases.postgresql import identifier, text
from coloc.databases.servers import Servers
from coloc.errors import ColocError

_TRIES = 20


@dataclass(frozen=True, slots=True)
class PostgresqlSwap:
    """`scratch` becomes `live`; what was live is kept as `kept`."""

    live: str
    scratch: str
    kept: str
    existed: bool

    def as_data(self) -> dict[str, Any]:
        """For the journal."""
        return asdict(self)


def create_scratch(swap: PostgresqlSwap, servers: Servers, *, owner: str | None, run: Run = run) -> None:
    """An empty database like the live one; `owner` counts when there is none any more. Raises ColocError."""
    if not swap.existed:
        role = f"SELECT 1 FROM pg_roles WHERE rolname = {text(owner or '')}"  # noqa: S608
        owned = f" OWNER {identifier(owner)}" if owner and postgresql.ask(servers, role, run=run) else ""
        postgresql.ask(servers, f"CREATE DATABASE {identifier(swap.scratch)} TEMPLATE template0{owned}", run=run)
        return
    for sql in (_CREATE, _RIGHTS, _SETTINGS):
        # Text is put in by replacing a word, so that format() in SQL does all the quoting of what the server says.
        query = sql.replace(":live", text(swap.live)).replace(":scratch", text(swap.scratch))
        for (order,) in postgresql.ask(servers, query, run=run):
            postgresql.ask(servers, order, run=run)


def do(swap: PostgresqlSwap, servers: Servers, *, run: Run = run) -> None:
    """Exchange. Raises ColocError; then nothing was exchanged."""
    renames = [(swap.live, swap.kept)] if swap.existed else []
    _rename(servers, [*renames, (swap.scratch, swap.live)], run=run)


def undo(swap: PostgresqlSwap, servers: Servers, *, run: Run = run) -> None:
    """As it was before, from wherever `do` came to. Safe to repeat. Raises ColocError."""
    if swap.existed:
        if postgresql.exists(servers, swap.kept, run=run):
            postgresql.drop(servers, swap.scratch, run=run)
            restored = [(swap.live, swap.scratch)] if postgresql.exists(servers, swap.live, run=run) else []
            _rename(servers, [*restored, (swap.kept, swap.live)], run=run)
    elif not postgresql.exists(servers, swap.scratch, run=run):
        postgresql.drop(servers, swap.live, run=run)
    postgresql.drop(servers, swap.scratch, run=run)


def _rename(servers: Servers, pairs: list[tuple[str, str]], *, run: Run) -> None:
    names = ", ".join(text(name) for pair in pairs for name in pair)
    orders = "".join(f"ALTER DATABASE {identifier(old)} RENAME TO {identifier(new)};" for old, new in pairs)
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ({names})"  # noqa: S608
    for left in reversed(range(_TRIES)):
        postgresql.ask(servers, end, run=run)
        try:
            postgresql.ask(servers, f"BEGIN; {orders} COMMIT;", run=run)
        except ColocError as error:
            # A session that came back between the two orders; units are stopped, so it is not the app's own.
            if not left or "accessed by other users" not in str(error):
                raise
            time.sleep(0.25)
        else:
            return


_CREATE = """
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L '
    'CONNECTION LIMIT %s',
    :scratch, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit)
FROM pg_database WHERE datname = :live
"""
_RIGHTS = """
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :scratch)
FROM pg_database WHERE datname = :live AND datacl IS NOT NULL
UNION ALL
SELECT format('GRANT %s ON DATABASE %I TO %s%s', acl.privilege_type, :scratch,
    CASE acl.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END,
    CASE WHEN acl.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_database, aclexplode(datacl) acl WHERE datname = :live AND datacl IS NOT NULL
"""
_SETTINGS = """
SELECT format('ALTER %s SET %I TO %s',
    CASE WHEN setrole = 0 THEN format('DATABASE %I', :scratch)
         ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), :scratch) END,
    split_part(setting, '=', 1),
    CASE WHEN split_part(setting, '=', 1) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries',
              'session_preload_libraries') THEN substr(setting, strpos(setting, '=') + 1)
         ELSE quote_literal(substr(setting, strpos(setting, '=') + 1)) END)
FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase, unnest(setconfig) setting
WHERE datname = :live
"""
