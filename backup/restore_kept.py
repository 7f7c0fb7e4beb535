"""Before a finished restore is taken back: is all that it replaced still there? Looks, changes nothing.

People may have removed the kept data by hand. Then the way back is closed, and the app must stay as it is.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backup import swap_mysql, swap_postgresql
from backup.exchange import identity_of
from backup.restore_journal import RestoreJournal
from coloc.command import Run, run
from coloc.databases import postgresql
from coloc.databases.servers import Servers
from coloc.errors import ColocError


def require_kept(journal: RestoreJournal, servers: Servers, *, run: Run = run) -> None:
    """Raises ColocError naming the first thing that is gone, or that is not what was restored any more."""
    for step in journal.steps:
        if step["kind"] == "exchange":
            _require_file(step, journal)
        elif step["kind"] == "mysql":
            mysql_swap = swap_mysql.MysqlSwap(**step["swap"])
            if mysql_swap.existed and not swap_mysql.can_undo(mysql_swap, servers, run=run):
                raise _gone(f"the database {mysql_swap.kept}", journal)
        elif step["kind"] == "postgresql":
            swap = swap_postgresql.PostgresqlSwap(**step["swap"])
            if swap.existed and not postgresql.exists(servers, swap.kept, run=run):
                raise _gone(f"the database {swap.kept}", journal)
        elif step["kind"] == "redis" and not os.path.lexists(step["swap"]["kept"]):
            raise _gone(step["swap"]["kept"], journal)


def _require_file(step: Mapping[str, Any], journal: RestoreJournal) -> None:
    kept, target = _where_now(Path(step["new"]), journal.steps), Path(step["target"])
    if step.get("existed") and not os.path.lexists(kept):
        raise _gone(str(kept), journal)
    device, inode = step["identity"]
    if identity_of(target) != (device, inode):
        raise ColocError(
            f"the restore of {journal.app} cannot be taken back: {target} is not what was restored any more",
            hint=f"nothing was changed; what it replaced is in {kept}: move it by hand",
        )


def _where_now(path: Path, steps: Sequence[Mapping[str, Any]]) -> Path:
    """Where something of a staging folder lies, since that folder was named after what it keeps."""
    for step in steps:
        if step["kind"] == "move" and path.is_relative_to(step["from"]):
            return Path(step["to"]) / path.relative_to(step["from"])
    return path


def _gone(what: str, journal: RestoreJournal) -> ColocError:
    return ColocError(
        f"the restore of {journal.app} cannot be taken back: {what}, which it replaced, is gone",
        hint=f"nothing was changed; for an older state: coloc-agent restore {journal.app} --at TIME",
    )
