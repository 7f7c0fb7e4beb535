"""Archives that are not those of this server: of a colocation that is gone (`--coloc`), or in a place not in coloc.yml.

Such a configuration is the own one (root, databases, journal), looks for archives elsewhere, and backs up nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backup.names import parse_archive_name
from coloc.config.backups import BackupHost
from coloc.config.whole import Coloc, Config
from coloc.errors import ConfigError

PLACE = "there"  # how the one place is called in plans and journals


def borrowed(
    config: Config,
    *,
    coloc: str = "",
    place: str = "",
    passphrase_file: Path | None = None,
    key_file: Path | None = None,
    known_hosts_file: Path | None = None,
) -> Config:
    """The configuration to look with. place: an ssh://… address or a folder. Raises ConfigError."""
    from pydantic import ValidationError  # noqa: PLC0415 - heavy, and only reading needs it

    try:
        if coloc:
            config = replace(config, coloc=Coloc.model_validate({**config.coloc.as_data(), "name": coloc}))
        if place:
            where = {"ssh": place} if "://" in place else {"path": Path(place).absolute()}
            host = BackupHost.model_validate(
                {
                    **where,
                    "passphrase_file": passphrase_file or config.backup.passphrase_file,
                    "key_file": key_file,
                    "known_hosts_file": known_hosts_file,
                }
            )
            config = replace(config, backup=replace(config.backup, hosts={PLACE: host}))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(
            f"{(place or coloc)[:200]!r} cannot be used: {first['msg']}",
            hint="a colocation is a name such as rosa; a place is ssh://user@host/./backup or a folder",
        ) from error
    return config


def colocs_in(archives: list[str]) -> list[str]:
    """Whose archives these are: the names of colocations, in order."""
    return sorted({name.coloc for each in archives if (name := parse_archive_name(each))})
