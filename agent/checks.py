"""What `coloc-agent check` tries: each function looks at one subject and says how it is. Changes nothing."""

from __future__ import annotations

import fnmatch
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from agent.client import AgentSilent, ask_status
from agent.page.public_links import read_link
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.language import Translate, n_
from coloc.model import AppState, Inventory
from coloc.secrets import read_secret
from coloc.state import disk_is_full
from coloc.times import for_people, now_utc


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the check: what is told, and what to do when it is not `ok`, both with places for `values`.

    `warns`: nothing is broken, and people should know.
    """

    subject: str
    ok: bool
    told: str
    to_do: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    warns: bool = False

    def sentence(self, say: Translate = str) -> str:
        """What is told, in the reader's language."""
        return say(self.told).format(**self._said(say))

    def hint(self, say: Translate = str) -> str:
        """What to do about it."""
        return say(self.to_do).format(**self._said(say))

    def _said(self, say: Translate) -> dict[str, object]:
        """The values; those that are words of ours (the state of an app) in the reader's language too."""
        return {name: say(value) if isinstance(value, StrEnum) else value for name, value in self.values.items()}


def failed(subject: str, error: ColocError) -> Point:
    """An expected failure as a point."""
    return Point(subject, False, "{why}", "{hint}", {"why": error, "hint": error.hint})


def config_points(config: Config) -> Iterator[Point]:
    """What the file says by itself."""
    values: dict[str, object] = {
        "stage": config.stage,
        "projects": len(config.projects),
        "hosts": len(config.backup.hosts),
    }
    yield Point("coloc.yml", True, n_("stage {stage}, {projects} projects, {hosts} backup hosts"), values=values)
    now = now_utc()
    told, hint = n_("{zone}: it is {now}"), n_("set the clock: timedatectl set-ntp true")
    values = {"zone": config.coloc.timezone, "now": for_people(now, config.zone)}
    yield Point("timezone", now.year >= 2025, told, hint, values)
    if config.reaches("backup") and not config.backup.hosts:
        told = n_("the stage asks for backups, but no host is named")
        yield Point("backup", False, told, n_("add one below backup: hosts:"))
    is_told_somewhere = any(getattr(config.channels, name) is not None for name in config.channels.types())
    if config.reaches("alert") and not is_told_somewhere:
        told = n_("the stage asks for alerts, but no channel is named")
        yield Point("channels", False, told, n_("add one below channels:"))


def inventory_points(inventory: Inventory) -> Iterator[Point]:
    """What was found, and apps whose files do not fit together."""
    yield Point("inventory", True, n_("{number} apps found"), values={"number": len(inventory.apps)})
    for name, app in sorted(inventory.apps.items()):
        if app.state is not AppState.OK:
            values = {"state": app.state, "why": "; ".join(app.problems[:3]), "app": name}
            told = n_("{state}: {why}") if app.problems else n_("{state}: its files do not fit together")
            yield Point(f"app {name}", False, told, n_("mend or remove it: yunohost app info {app}"), values)
    for name in inventory.not_apps[:10]:
        told, hint = n_("{name} lies among the apps and is none"), n_("move it out of /etc/yunohost/apps")
        yield Point("inventory", False, told, hint, {"name": repr(name)})


def claim_points(config: Config, inventory: Inventory) -> Iterator[Point]:
    """Patterns that match no app, apps that two projects claim, apps of nobody."""
    known = set(inventory.apps)
    claims: dict[str, list[str]] = {}
    for project, entry in config.projects.items():
        for pattern in entry.apps:
            matched = fnmatch.filter(sorted(known), pattern)
            if not matched:
                told, hint = n_("{pattern} matches no app"), n_("see `coloc-agent apps`")
                yield Point(f"projects.{project}", False, told, hint, {"pattern": repr(pattern)})
            for app in matched:
                claims.setdefault(app, []).append(project)
    for app, projects in sorted(claims.items()):
        both = list(dict.fromkeys(projects))
        if len(both) > 1 and not (app in config.apps and config.apps[app].shared_by):
            told, hint = n_("claimed by {projects}"), n_("keep one, or write apps: {app}: shared_by: with their shares")
            yield Point(f"app {app}", False, told, hint, {"projects": ", ".join(both), "app": app})
    for app, said in sorted(config.apps.items()):
        if app not in known and not said.is_declared:
            yield Point(f"apps.{app}", False, n_("is not installed here"), n_("see `coloc-agent apps`, or remove it"))
    shared = {app for app, entry in config.apps.items() if entry.shared_by}
    free = sorted(known - set(claims) - shared)
    if config.projects and free:
        yield Point("projects", True, n_("in no project: {apps}"), values={"apps": ", ".join(free[:20])})


def secret_points(config: Config) -> Iterator[Point]:
    """Every file of a secret that coloc.yml names: there, ours, not empty."""
    for place, file in secrets_of(config).items():
        try:
            read_link(file) if place.endswith("public_link_file") else read_secret(file)
        except ColocError as error:
            yield failed(place, error)
        else:
            yield Point(place, True, n_("{file} can be read, and not by everybody"), values={"file": file})


def secrets_of(config: Config) -> Mapping[str, Path]:
    """Where in coloc.yml → file."""
    named: dict[str, Path | None] = {"backup.passphrase_file": config.backup.passphrase_file}
    for name, host in config.backup.hosts.items():
        named[f"backup.hosts.{name}.passphrase_file"] = host.passphrase_file
        named[f"backup.hosts.{name}.key_file"] = host.key_file
    if config.channels.matrix:
        named["channels.matrix.token_file"] = config.channels.matrix.token_file
    if config.channels.forum:
        named["channels.forum.key_file"] = config.channels.forum.key_file
    if config.channels.webhook:
        named["channels.webhook.url_file"] = config.channels.webhook.url_file
        named["channels.webhook.secret_file"] = config.channels.webhook.secret_file
    if config.alertmanager:
        named["alertmanager.token_file"] = config.alertmanager.token_file
    if config.from_alertmanager:
        named["from_alertmanager.token_file"] = config.from_alertmanager.token_file
    if config.heartbeat:
        named["heartbeat.ping_file"] = config.heartbeat.ping_file
    for name, project in config.projects.items():
        named[f"projects.{name}.public_link_file"] = project.public_link_file
    return {place: file for place, file in named.items() if file is not None}


def folder_points(config: Config, *, user_id: int) -> Iterator[Point]:
    """The agent's own folders: there, writable by who checks, root's closed to others."""
    paths = config.paths
    needed = {"state": paths.state, "requests": paths.requests, "wake": paths.wake}
    if user_id == 0:
        needed |= {"facts": paths.facts, "journal": paths.journal}
    for name, folder in needed.items():
        told, hint = _folder_trouble(name, folder)
        values = {"folder": folder}
        yield Point(f"paths.{name}", not told, told or n_("{folder} can be written"), hint, values)


def _folder_trouble(name: str, folder: Path) -> tuple[str, str]:
    """What is wrong with one of our folders, and what to do; empty when nothing is."""
    if not folder.is_dir():
        hint = n_("make them: systemd-tmpfiles --create, or run deploy/install.sh again")
        return n_("{folder} is missing"), hint
    if not os.access(folder, os.W_OK | os.X_OK):
        return n_("{folder} cannot be written"), n_("run the check as root: sudo")
    if disk_is_full(folder):
        return n_("the disk of {folder} is full"), n_("free some space there")
    mode = folder.stat().st_mode
    if name == "journal" and mode & 0o077:
        return n_("{folder} is open to others"), n_("run: chmod 700 {folder}")
    if name == "facts" and mode & 0o022:
        return n_("{folder} can be written by others"), n_("run: chmod go-w {folder}")
    return "", ""


def rights_points(
    config: Config, *, user_id: int, proc: Path = Path("/proc"), read: Callable[[Path], bytes] = Path.read_bytes
) -> Iterator[Point]:
    """Whether this account sees everybody's processes and the settings of YunoHost: tried, not guessed."""
    who = "root" if user_id == 0 else f"user {user_id}"
    hint = n_("run it as root, or by the unit, which has the two rights to read (AmbientCapabilities=)")
    hidden = not (proc / "1/stat").exists()  # with hidepid, the first process is nobody's but root's
    few, all_of_them = (
        n_("{who} sees only its own processes: /proc is mounted with hidepid"),
        n_("{who} sees every process"),
    )
    yield Point("rights", not hidden, few if hidden else all_of_them, hint, {"who": who})
    closed = sorted(path.parent.name for path in _settings(config.root) if _is_refused(path, read))
    if closed:
        names = f"{', '.join(closed[:3])}{', …' * (len(closed) > 3)} ({len(closed)})"
        yield Point("rights", False, n_("{who} cannot read the settings of {apps}"), hint, {"who": who, "apps": names})


def _is_refused(path: Path, read: Callable[[Path], bytes]) -> bool:
    try:
        read(path)
    except PermissionError:
        return True
    except OSError:  # not there, say: the inventory tells what is wrong with such an app
        return False
    return False


def _settings(root: Path) -> list[Path]:
    try:
        return [folder / "settings.yml" for folder in (root / "etc/yunohost/apps").iterdir()]
    except OSError:
        return []


def listen_point(config: Config) -> Point:
    """The address is the running agent's, or free."""
    listen = config.listen
    try:
        status = ask_status(listen, config.paths.state)
    except AgentSilent:
        pass
    except ColocError as error:
        return failed("listen", error)
    else:
        values = {"listen": listen, "coloc": repr(status.coloc), "stage": status.stage}
        if status.coloc != config.coloc.name:
            told = n_("{listen}: the agent of another colocation answers, {coloc}")
            return Point("listen", False, told, n_("choose another port in listen:, or stop that agent"), values)
        return Point("listen", True, n_("{listen}: the agent answers, stage {stage}"), values=values)
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((listen.host, listen.port))
    except OSError as error:
        values = {"listen": listen, "why": error.strerror or error}
        return Point("listen", False, n_("{listen}: {why}"), n_("choose another port in listen:"), values)
    return Point("listen", True, n_("{listen} is free; the agent does not run"), values={"listen": listen})
