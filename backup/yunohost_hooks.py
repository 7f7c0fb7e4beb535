"""The two hooks that YunoHost runs for us: our backup method, and a fresh backup before an app is upgraded.

Each nightly run writes them again, so that what an upgrade or a removal took away is back. Their names end as no app's
id does: `yunohost app remove X` deletes every hook whose name ends with X.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from backup.yunohost_call import METHOD
from backup.yunohost_door import NAME
from coloc.errors import StateError
from coloc.facts import write_whole

_FOLDER = "etc/yunohost/hooks.d"
_FILE = f"50-{METHOD}_hook1"  # our method's name, then "_": YunoHost runs it for the method of that name
_METHOD = """\
#!/bin/bash
# Written by coloc-agent: sends what `yunohost backup create --methods {method}` laid out to the backup hosts.
exec {command} "$@"
"""
_BEFORE_UPGRADE = """\
#!/bin/bash
# Written by coloc-agent: a fresh proven backup before an app is upgraded. It never stops the upgrade.
# How long it may take: backup.yunohost.before_upgrade in coloc.yml, 0 for not at all.
timeout --signal=INT --kill-after={patience} {seconds} {command} "${{YNH_APP_INSTANCE_NAME:-$1}}" ||
  echo "coloc-agent: no fresh backup was made before this upgrade; the newest one: coloc-agent archives" >&2
exit 0
"""


def texts(journal: Path, upgrade_argv: Sequence[str], before_upgrade: float) -> dict[str, str]:
    """Path below the root → what the hook says. `upgrade_argv`: our command, to which the app is added."""
    here = Path(__file__).resolve().parent.parent
    program = [sys.executable, "-P", "-m", "backup.yunohost_method", str(journal / NAME)]
    found = {
        f"{_FOLDER}/backup_method/{_FILE}": _METHOD.format(
            method=METHOD, command=shlex.join(["env", f"PYTHONPATH={here}", *program])
        )
    }
    if before_upgrade:
        seconds = max(1, round(0.9 * before_upgrade))  # then it is asked to end, and has the rest of the time for it
        patience = max(1, round(before_upgrade) - seconds)
        found[f"{_FOLDER}/pre_app_upgrade/{_FILE}"] = _BEFORE_UPGRADE.format(
            seconds=seconds, patience=patience, command=shlex.join(upgrade_argv)
        )
    return found


def install(root: Path, hooks: dict[str, str]) -> list[Path]:
    """Write those that are not as they should be, remove ours that are not wanted. Raises StateError."""
    written = []
    try:
        for path in _ours(root):
            if str(path.relative_to(root)) not in hooks:
                path.unlink()
        for name, text in hooks.items():
            path = root / name
            if not _same(path, text):
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
                write_whole(path, text)
                path.chmod(0o755)
                written.append(path)
    except OSError as error:
        raise StateError(
            f"YunoHost's hook {error.filename} cannot be written: {error.strerror}", hint="run it as root"
        ) from error
    return written


def remove(root: Path) -> list[Path]:
    """Take our hooks away. Raises StateError."""
    try:
        found = _ours(root)
        for path in found:
            path.unlink()
    except OSError as error:
        raise StateError(f"{error.filename} cannot be removed: {error.strerror}", hint="run it as root") from error
    return found


def _ours(root: Path) -> list[Path]:
    return sorted((root / _FOLDER).glob(f"*/{_FILE}"))


def _same(path: Path, text: str) -> bool:
    """Is it ours, as it should be, and nobody else's to change?"""
    try:
        found = path.lstat()
        return (
            not path.is_symlink()
            and found.st_mode & 0o777 == 0o755
            and found.st_uid == os.geteuid()
            and path.read_text() == text
        )
    except (OSError, UnicodeDecodeError):
        return False
