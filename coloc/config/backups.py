"""The keys of coloc.yml that describe backups: hosts, the night, retention."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from coloc.config.values import ClockTime, Described, Name, Place, Seconds


class Keep(Described):
    """How many archives of each app stay: the newest of each day, week, month and year."""

    last: int = Field(default=2, ge=1)
    daily: int = Field(default=7, ge=0)
    weekly: int = Field(default=4, ge=0)
    monthly: int = Field(default=6, ge=0)
    yearly: int = Field(default=0, ge=0)


class BackupHost(Described):
    """A place that keeps our archives: a folder (`path`) or a friend's server (`ssh`)."""

    path: Path | None = None
    ssh: Annotated[str, Field(pattern=r"^ssh://[^\s-][^\s]*$")] | None = None
    passphrase_file: Place | None = None
    key_file: Place | None = None  # the ssh key; known_hosts lies beside it
    known_hosts_file: Place | None = None
    remote_borg: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]+$")] | None = None
    at: ClockTime | None = None  # overrides backup.at
    keep: Keep | None = None  # overrides backup.keep

    @model_validator(mode="after")
    def _one_place(self) -> BackupHost:
        if (self.path is None) == (self.ssh is None):
            raise ValueError("write either path: /folder or ssh: ssh://user@host/./folder")
        if self.path is not None and not self.path.is_absolute():
            raise ValueError("write an absolute folder in path:")
        return self

    @property
    def repository(self) -> str:
        """The repository as Borg names it."""
        return self.ssh or str(self.path)


class Backup(Described):
    """The nightly run."""

    hosts: dict[Name, BackupHost] = {}
    at: ClockTime = "02:30"
    keep: Keep = Keep()
    minimum: int = Field(default=2, ge=1)  # proven archives of each app that stay on every host, whatever keep: says
    left_after: Seconds = 90 * 86400.0  # so long stays what an app left behind before it may be forgotten
    late_after: Seconds = 36 * 3600.0
    max_duration: Seconds = 6 * 3600.0
    passphrase_file: Place | None = None  # for every host that has none of its own
    exclude: tuple[str, ...] = ()
