"""The keys of coloc.yml that describe backups: hosts, the night, retention."""

from __future__ import annotations

import re
from dataclasses import field
from pathlib import Path
from typing import Annotated

from coloc.config.drills import Drill
from coloc.config.marks import ReadBy, Within
from coloc.config.values import Bytes, ClockTime, Described, Name, Place, Seconds, as_word, parse_bytes
from coloc.windows import is_within, parse_window


def _window(value: object) -> object:
    text = as_word(value)
    begin, end = parse_window(text) if re.fullmatch(_WINDOW, text) else (None, None)
    if begin is None or end is None:
        raise ValueError("write a window such as 22:00-06:00, in quotes")
    return f"{begin:%H:%M}-{end:%H:%M}"


def _speed(value: object) -> object:
    return parse_bytes(as_word(value).removesuffix("/s") if isinstance(value, str) else value)


_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_WINDOW = rf"{_CLOCK} *- *{_CLOCK}"
Window = Annotated[str, ReadBy(_window)]
Speed = Annotated[int, ReadBy(_speed), Within(ge=1024)]  # bytes a second; Borg counts in 1024s


class Keep(Described):
    """How many archives of each app stay: the newest of each day, week, month and year."""

    last: Annotated[int, Within(ge=1)] = 2
    daily: Annotated[int, Within(ge=0)] = 7
    weekly: Annotated[int, Within(ge=0)] = 4
    monthly: Annotated[int, Within(ge=0)] = 6
    yearly: Annotated[int, Within(ge=0)] = 0


class BackupHost(Described):
    """A place that keeps our archives: a folder (`path`) or a friend's server (`ssh`)."""

    path: Path | None = None
    ssh: Annotated[str, Within(pattern=r"^ssh://[^\s-][^\s]*$")] | None = None
    passphrase_file: Place | None = None
    key_file: Place | None = None  # the ssh key; known_hosts lies beside it
    known_hosts_file: Place | None = None
    remote_borg: Annotated[str, Within(pattern=r"^[A-Za-z0-9_./-]+$")] | None = None
    at: ClockTime | None = None  # overrides backup.at
    window: Window | None = None  # the only hours in which a night may use it
    upload_limit: Speed | None = None
    quota: Bytes | None = None  # what we may use there
    append_only: bool = False  # our key can add and not free anything
    maintenance_key_file: Place | None = None  # the key that can; not kept on this server
    project: Name | None = None  # a repository of this project's own: its apps go here, and to no shared host
    keep: Keep | None = None  # overrides backup.keep
    drill_download: Bytes | None = None  # overrides backup.drill.download

    def __post_init__(self) -> None:
        if (self.path is None) == (self.ssh is None):
            raise ValueError("write either path: /folder or ssh: ssh://user@host/./folder")
        if self.path is not None and not self.path.is_absolute():
            raise ValueError("write an absolute folder in path:")
        if self.ssh is None and (self.upload_limit or self.append_only):
            raise ValueError("upload_limit and append_only are of ssh hosts; a folder has neither")
        if self.maintenance_key_file and not self.append_only:
            raise ValueError("maintenance_key_file goes with append_only: true")
        if self.window and self.at and not is_within(self.window, self.at):
            raise ValueError(f"at: {self.at} lies outside window: {self.window}")
        if self.project and self.passphrase_file is None:
            raise ValueError("a project's own repository has a passphrase of its own: write passphrase_file")

    def starts_at(self, usual: str) -> str:
        """The time of day at which its night begins: its own, or the usual one, or when its window opens."""
        at = self.at or usual
        return at if self.window is None or is_within(self.window, at) else self.window.partition("-")[0]

    @property
    def repository(self) -> str:
        """The repository as Borg names it."""
        return self.ssh or str(self.path)


class YunohostBackup(Described):
    """How YunoHost's own backup scripts are used. `program` none: `yunohost`, where this server has it."""

    program: Place | None = None
    system: bool = True  # users, permissions, domains, certificates, mail, homes: once a night
    lock_wait: Seconds = 30 * 60.0
    app_duration: Seconds = 4 * 3600.0
    before_upgrade: Seconds = 15 * 60.0  # 0: an upgrade does not wait for a backup
    fresh: Seconds = 6 * 3600.0


class Backup(Described):
    """The nightly run."""

    hosts: dict[Name, BackupHost] = field(default_factory=dict)
    at: ClockTime = "02:30"
    keep: Keep = Keep()
    # Proven archives of each app that stay on every host, whatever keep: says.
    minimum: Annotated[int, Within(ge=1)] = 2
    left_after: Seconds = 90 * 86400.0  # so long stays what an app left behind before it may be forgotten
    late_after: Seconds = 36 * 3600.0
    max_duration: Seconds = 6 * 3600.0
    patience: Seconds = 30 * 60.0  # so long a night waits for a host that is down or locked
    passphrase_file: Place | None = None  # for every host that has none of its own
    exclude: tuple[str, ...] = ()
    hook_timeout: Seconds = 300.0
    drill: Drill = Drill()
    yunohost: YunohostBackup = YunohostBackup()
    keep_replaced: Seconds = 14 * 86_400.0  # what a restore replaced
