"""Stand-in: streams a copy of an SQLite file. The real program takes its place."""

from __future__ import annotations

import hashlib
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from backup.dump_spec import DumpResult, read_spec


def main() -> int:
    """Dump what the spec file names."""
    spec = read_spec(Path(sys.argv[1]))
    copy = Path(spec.staging) / "copy.sqlite"
    try:
        with (
            closing(sqlite3.connect(f"file:{spec.path}?mode=ro", uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            names = [row[0] for row in target.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            tables = {name: target.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}  # noqa: S608
        data = copy.read_bytes()
    except (sqlite3.Error, OSError) as error:
        DumpResult(0, "", {}, False, f"{spec.path} cannot be copied: {error}").write(Path(spec.result))
        return 1
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
    DumpResult(len(data), hashlib.sha256(data).hexdigest(), tables, True).write(Path(spec.result))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
