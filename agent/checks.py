"""What `coloc-agent check` tries: each function looks at one subject and says how it is. Changes nothing."""

from __future__ import annotations

import fnmatch
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agent.client import AgentSilent, ask_status
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.model import AppState, Inventory
from coloc.secrets import read_secret
from coloc.state import disk_is_full
from coloc.times import for_people, now_utc


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the check. `hint` says what to do when it is not `ok`."""

    subject: str
    ok: bool
    sentence: str
    hint: str = ""


def failed(subject: str, error: ColocError) -> Point:
    """An expected failure as a point."""
    return Point(subject, False, str(error), error.hint)


def config_points(config: Config) -> Iterator[Point]:
    """What the file says by itself."""
    projects, hosts = len(config.projects), len(config.backup.hosts)
    yield Point("coloc.yml", True, f"stage {config.stage}, {projects} projects, {hosts} backup hosts")
    year = now_utc().year
    told = f"{config.coloc.timezone}: it is {for_people(now_utc(), config.zone)}"
    yield Point("timezone", year >= 2025, told, "set the clock: timedatectl set-ntp true")
    if config.reaches("backup") and not config.backup.hosts:
        yield Point("backup", False, "the stage asks for backups, but no host is named", "add one below backup: hosts:")
    told_somewhere = config.channels.matrix or config.channels.forum or config.channels.console
    if config.reaches("alert") and not told_somewhere:
        yield Point("channels", False, "the stage asks for alerts, but no channel is named", "add one below channels:")


def inventory_points(inventory: Inventory) -> Iterator[Point]:
    """What was found, and apps whose files do not fit together."""
    yield Point("inventory", True, f"{len(inventory.apps)} apps found")
    for name, app in sorted(inventory.apps.items()):
        if app.state is not AppState.OK:
            why = "; ".join(app.problems[:3]) or "its files do not fit together"
            yield Point(f"app {name}", False, f"{app.state}: {why}", "mend or remove it: yunohost app info " + name)
    for name in inventory.not_apps[:10]:
        yield Point(
            "inventory", False, f"{name!r} lies among the apps and is none", "move it out of /etc/yunohost/apps"
        )


def claim_points(config: Config, inventory: Inventory) -> Iterator[Point]:
    """Patterns that match no app, apps that two projects claim, apps of nobody."""
    known = set(inventory.apps)
    claims: dict[str, list[str]] = {}
    for project, entry in config.projects.items():
        for pattern in entry.apps:
            matched = fnmatch.filter(sorted(known), pattern)
            if not matched:
                yield Point(f"projects.{project}", False, f"{pattern!r} matches no app", "see `coloc-agent apps`")
            for app in matched:
                claims.setdefault(app, []).append(project)
    for app, projects in sorted(claims.items()):
        both = list(dict.fromkeys(projects))
        if len(both) > 1 and not (app in config.apps and config.apps[app].shared_by):
            told = f"claimed by {' and '.join(both)}"
            yield Point(f"app {app}", False, told, f"keep one, or write apps: {app}: shared_by: with their shares")
    for app, said in sorted(config.apps.items()):
        if app not in known and not said.is_declared:
            yield Point(f"apps.{app}", False, "is not installed here", "see `coloc-agent apps`, or remove it")
    shared = {app for app, entry in config.apps.items() if entry.shared_by}
    free = sorted(known - set(claims) - shared)
    if config.projects and free:
        yield Point("projects", True, f"in no project: {', '.join(free[:20])}")


def secret_points(config: Config) -> Iterator[Point]:
    """Every file of a secret that coloc.yml names: there, ours, not empty."""
    for place, file in secrets_of(config).items():
        try:
            read_secret(file)
        except ColocError as error:
            yield failed(place, error)
        else:
            yield Point(place, True, f"{file} can be read, and not by everybody")


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
    return {place: file for place, file in named.items() if file is not None}


def folder_points(config: Config, *, user_id: int) -> Iterator[Point]:
    """The agent's own folders: there, writable by who checks, root's closed to others."""
    paths = config.paths
    needed = {"state": paths.state, "requests": paths.requests, "wake": paths.wake}
    if user_id == 0:
        needed |= {"facts": paths.facts, "journal": paths.journal}
    for name, folder in needed.items():
        hint = "make them: systemd-tmpfiles --create, or run deploy/install.sh again"
        if not folder.is_dir():
            yield Point(f"paths.{name}", False, f"{folder} is missing", hint)
        elif not os.access(folder, os.W_OK | os.X_OK):
            yield Point(f"paths.{name}", False, f"{folder} cannot be written", "run the check as root: sudo")
        elif disk_is_full(folder):
            yield Point(f"paths.{name}", False, f"the disk of {folder} is full", "free some space there")
        elif name == "journal" and folder.stat().st_mode & 0o077:
            yield Point(f"paths.{name}", False, f"{folder} is open to others", f"run: chmod 700 {folder}")
        elif name == "facts" and folder.stat().st_mode & 0o022:
            yield Point(f"paths.{name}", False, f"{folder} can be written by others", f"run: chmod go-w {folder}")
        else:
            yield Point(f"paths.{name}", True, f"{folder} can be written")


def rights_points(
    config: Config, *, user_id: int, proc: Path = Path("/proc"), read: Callable[[Path], bytes] = Path.read_bytes
) -> Iterator[Point]:
    """Whether this account sees everybody's processes and the settings of YunoHost: tried, not guessed."""
    who = "root" if user_id == 0 else f"user {user_id}"
    hint = "run it as root, or by the unit, which has the two rights to read (AmbientCapabilities=)"
    hidden = not (proc / "1/stat").exists()  # with hidepid, the first process is nobody's but root's
    seen = "sees only its own processes: /proc is mounted with hidepid" if hidden else "sees every process"
    yield Point("rights", not hidden, f"{who} {seen}", hint)
    closed = sorted(path.parent.name for path in _settings(config.root) if _is_refused(path, read))
    if closed:
        more = f" and {len(closed) - 3} more" if len(closed) > 3 else ""
        told = f"{who} cannot read the settings of {', '.join(closed[:3])}{more}"
        yield Point("rights", False, told, hint)


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
        if status.coloc != config.coloc.name:
            told = f"{listen}: the agent of another colocation answers, {status.coloc!r}"
            return Point("listen", False, told, "choose another port in listen:, or stop that agent")
        return Point("listen", True, f"{listen}: the agent answers, stage {status.stage}")
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((listen.host, listen.port))
    except OSError as error:
        return Point("listen", False, f"{listen}: {error.strerror or error}", "choose another port in listen:")
    return Point("listen", True, f"{listen} is free; the agent does not run")
