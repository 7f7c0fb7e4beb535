"""The program between a database and Borg: `python -m backup.dumpstream SPEC` writes the dump to stdout.

Any failure is an exit code other than 0, so that Borg keeps nothing; the result file says why, or what went through.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from backup.dump_spec import DumpResult, read_spec
from backup.dumps import dump
from coloc.databases.servers import servers_from
from coloc.errors import ColocError


def main() -> int:
    """Dump what the spec file names."""
    spec = read_spec(Path(sys.argv[1]))
    out = sys.stdout.buffer
    try:
        result = dump(spec, servers_from(spec.servers), out.write)
        out.flush()
    except ColocError as error:
        result = DumpResult(0, "", {}, False, error.sentence())
    except OSError as error:
        result = DumpResult(0, "", {}, False, f"the dump of {spec.name!r} broke off: {error.strerror or error}")
    result.write(Path(spec.result))
    if result.failure:
        # What is still in the buffer of a broken pipe would fail once more, with a traceback, at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
    return int(bool(result.failure))


if __name__ == "__main__":
    raise SystemExit(main())
