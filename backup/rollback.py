"""After an attack on an append-only host: takes its repository back to a moment before, as Borg's own documents say.

An append-only repository loses nothing: what an attacker deleted is in its older segments. The owner of the host moves
later segments and the index aside (a script that deletes nothing); we then forget what Borg remembers of it here.
"""

from __future__ import annotations

import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from coloc.errors import ColocError

_SCRIPT = """\
#!/bin/sh
# Takes a Borg repository in append-only mode back to how it was before {before} (UTC). For the owner of the host, in a
# shell of the account that holds it. It moves what came later into a folder beside it, and deletes nothing.
set -eu
repository={repository}
before={before}
cd "$repository"
[ -f transactions ] || {{ echo "$repository has no list of transactions: was it append-only?" >&2; exit 1; }}
[ ! -e lock.exclusive ] || {{ echo "somebody works on $repository: wait until that is over" >&2; exit 1; }}
last=$(awk -v before="$before" '
  $1 == "transaction" && substr($5, 1, 19) <= before {{ last = $2 + 0 }}
  END {{ print last + 0 }}' transactions)
[ "$last" -gt 0 ] || {{ echo "there is no transaction before $before" >&2; exit 1; }}
aside="$repository.rolled-back-$(date -u +%Y%m%dT%H%M%SZ)"
mkdir -m 700 "$aside"
for segment in data/*/*; do
  number=${{segment##*/}}
  case $number in *[!0-9]*) continue ;; esac
  if [ "$number" -gt "$last" ]; then mkdir -p "$aside/${{segment%/*}}"; mv "$segment" "$aside/$segment"; fi
done
for file in index.* hints.* integrity.*; do [ ! -e "$file" ] || mv "$file" "$aside/"; done
cp transactions "$aside/"
awk -v last="$last" '$1 != "transaction" || $2 + 0 <= last' "$aside/transactions" > transactions
echo "rolled back to transaction $last; what came later lies in $aside"
"""


def rollback_script(location: str, before: datetime) -> str:
    """The script for the owner of the host. Pure. Raises ColocError for a place that is no path."""
    path = location if not location.startswith("ssh://") else unquote(urlsplit(location).path)
    if path.startswith("/./"):
        path = path[3:]  # below the home of the account, where its shell begins
    if path.startswith("/~/"):
        path = path[3:]
    if not path.strip("/"):
        raise ColocError(f"{location} names no folder", hint="correct it in coloc.yml")
    moment = f"{before.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    return _SCRIPT.format(repository=shlex.quote(path), before=shlex.quote(moment))


def forget_borgs_memory(base: Path, repository_id: str) -> None:
    """What Borg knows here of a repository makes an older one look like an attack; it is made again by itself."""
    for folder in (base / ".cache/borg" / repository_id, base / ".config/borg/security" / repository_id):
        shutil.rmtree(folder, ignore_errors=True)
