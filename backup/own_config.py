"""The agent's own configuration as one more thing to save each night, for the day when the server is gone.

What opens the repositories is left out (docs/decisions/012-own-config-in-the-archives.md): the recovery sheet holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backup.names import OWN
from backup.plan import AppPlan
from coloc.config.whole import Config
from coloc.model import App

LEFT_OUT = "what opens the backup repositories (passphrases, ssh keys): it is on the recovery sheet"


def plan_own(config: Config, file: Path) -> AppPlan:
    """What is saved: coloc.yml, and the files that it names. They lie in the archive under their absolute paths."""
    paths = [path for path in dict.fromkeys([file, *named_files(config)]) if path.is_file()]
    members = tuple(str(path.absolute()).lstrip("/") for path in paths)
    app = App(OWN, OWN, "coloc-agent", declared=True)
    return AppPlan(app, (), members, (), tuple(f"/./{member}" for member in members), (), (LEFT_OUT,))


def named_files(config: Config) -> Iterator[Path]:
    """Files that coloc.yml names, without those that open a repository."""
    data = config.as_data()
    for host in config.backup.hosts.values():
        if host.known_hosts_file or host.key_file:
            yield host.known_hosts_file or Path(str(host.key_file)).parent / "known_hosts"
    for name in sorted(data.keys() - {"backup", "root", "paths"}):
        yield from _paths(data[name])


def secrets_of(config: Config) -> set[Path]:
    """The files that open repositories."""
    hosts = config.backup.hosts.values()
    found = {
        config.backup.passphrase_file,
        *(host.passphrase_file for host in hosts),
        *(host.key_file for host in hosts),
    }
    return {path for path in found if path}


def _paths(value: Any) -> Iterator[Path]:
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner)
