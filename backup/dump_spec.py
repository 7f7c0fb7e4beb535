"""What the nightly run and the program that dumps tell each other in two JSON files, since Borg stands between."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from coloc.databases.servers import Servers
from coloc.errors import ColocError
from coloc.facts import write_whole
from coloc.model import DatabaseKind

_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DumpSpec:
    """What to dump, and where to write how it went. `path`: the SQLite file on this machine ("" for servers)."""

    kind: DatabaseKind
    name: str
    path: str
    staging: str  # a private folder for the copy of an SQLite file
    result: str
    servers: Mapping[str, Any] = field(default_factory=lambda: Servers().as_data())

    @property
    def member(self) -> str:
        """The name of the one file in the archive."""
        return member_of(self.kind)

    def write(self, file: Path) -> None:
        """Write it for the program. Raises OSError."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class DumpResult:
    """What went through the stream. `failure`: one sentence, "" when it ended well."""

    bytes: int
    sha256: str
    tables: Mapping[str, int]
    end_marker: bool
    failure: str = ""

    def write(self, file: Path) -> None:
        """Write it for the nightly run. Raises OSError."""
        write_whole(file, json.dumps(asdict(self)))


def member_of(kind: DatabaseKind) -> str:
    """The name of the one file in a database's archive."""
    return f"dump.{ending_of(kind)}"


def ending_of(kind: DatabaseKind) -> str:
    """What a dump's file name ends with."""
    return {DatabaseKind.SQLITE: "sqlite", DatabaseKind.REDIS: "resp"}.get(kind, "sql")


def dump_argv(spec_file: Path) -> list[str]:
    """The command whose output Borg saves: our own module, found beside this one and never in the current folder."""
    here = Path(__file__).resolve().parent.parent
    return ["env", f"PYTHONPATH={here}", sys.executable, "-P", "-m", "backup.dumpstream", str(spec_file)]


def read_spec(file: Path) -> DumpSpec:
    """The reverse of `DumpSpec.write`."""
    data = _read(file)
    return DumpSpec(
        DatabaseKind(data["kind"]), data["name"], data["path"], data["staging"], data["result"], data["servers"]
    )


def read_result(file: Path) -> DumpResult:
    """The reverse of `DumpResult.write`. Raises ColocError when the program died before it could write."""
    try:
        data = _read(file)
        return DumpResult(
            int(data["bytes"]),
            str(data["sha256"]),
            {str(table): int(rows) for table, rows in data["tables"].items()},
            data["end_marker"] is True,
            str(data["failure"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ColocError("the dump left no result", hint="is the disk of paths.journal full? try again") from error


def _read(file: Path) -> Any:
    with file.open("rb") as opened:
        return json.loads(opened.read(_MAX_BYTES))
