"""Whether root may run a file: nobody but root (or we ourselves) can have written it, or any folder on the way."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from coloc.config.whole import Config
from coloc.errors import ConfigError


def require_trusted(path: Path, what: str) -> None:
    """Raises ConfigError unless `path`, what it links to, and every folder above are closed to others."""
    hint = f"run: chown root {path}, chmod go-w {path}; and so for the folders above it"
    if not path.is_absolute():
        raise ConfigError(f"{what}: {path} is no absolute path", hint="write it with its whole path")
    try:
        places = {path, Path(os.path.realpath(path, strict=True))}
        for place in [above for each in places for above in (each, *each.parents)]:
            found = place.lstat()
            if not stat.S_ISLNK(found.st_mode) and _may_be_changed(found):
                raise ConfigError(f"{what}: others than root can change {place}", hint=hint)
    except OSError as error:
        raise ConfigError(
            f"{what}: {path} cannot be used: {error.strerror}", hint="mend its path in coloc.yml"
        ) from error


def require_command(argv: tuple[str, ...], what: str) -> None:
    """The same for a command: its program must be trusted, and a file that can be run. Raises ConfigError."""
    program = Path(argv[0])
    require_trusted(program, what)
    if not program.is_file() or not os.access(program, os.X_OK):
        raise ConfigError(f"{what}: {program} is no program", hint=f"run: chmod 755 {program}")


def require_trusted_config(config: Config, path: Path) -> None:
    """A coloc.yml that names commands for root must be root's itself. Raises ConfigError."""
    if config.backup.yunohost.program or any(entry.commands for entry in config.apps.values()):
        require_trusted(path, "coloc.yml names commands that root runs")


def _may_be_changed(found: os.stat_result) -> bool:
    if found.st_uid not in {0, os.geteuid()}:
        return True
    sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX  # /tmp: others cannot rename what is ours
    return bool(found.st_mode & 0o022) and not sticky
