"""YunoHost's side of our backup method: `python -m backup.yunohost_method SOCKET ACTION FOLDER NAME …`. Sends nothing.

The run that called YunoHost does the work; this waits for its word, and fails when there is no such run.
"""

from __future__ import annotations

import sys
from pathlib import Path

from backup.yunohost_door import visit
from coloc.errors import ColocError


def main() -> int:
    """0 when the backup is at the hosts, or when we want the files mounted."""
    path, words = Path(sys.argv[1]), sys.argv[2:]
    if len(words) < 3:
        sys.stderr.write("coloc-agent: this is a hook of YunoHost: call coloc-agent backup APP\n")
        return 2
    if words[0] == "need_mount":
        return 0
    if words[0] != "backup":
        sys.stderr.write("coloc-agent: to bring it back: coloc-agent restore APP\n")
        return 1
    try:
        why = visit(path, words)
    except ColocError as error:
        why = error.sentence()
    if why:
        sys.stderr.write(f"coloc-agent: {why}\n")
    return int(bool(why))


if __name__ == "__main__":
    raise SystemExit(main())
