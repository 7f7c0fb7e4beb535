"""Which apps YunoHost's own scripts back up here, and the calls for them: what the nightly run asks once."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from backup.names import SYSTEM
from backup.plan import AppPlan, BackupPlan, plan_backup
from backup.tree import Tree
from backup.yunohost_call import Yunohost, call_name
from backup.yunohost_night import Gathering
from backup.yunohost_tree import laid_out, system_laid_out
from coloc.command import Run, run
from coloc.config.whole import Config
from coloc.databases.answers import askers
from coloc.databases.servers import servers_from
from coloc.errors import ColocError
from coloc.model import App, Colocation, DatabaseKind

_TMP = "/home/yunohost.backup/tmp"
_MARGIN_BYTES = 64 * 1024 * 1024


def yunohost_program(config: Config) -> Path | None:
    """The program to call; None where YunoHost is not, or where another root is looked at."""
    if config.backup.yunohost.program:
        return config.backup.yunohost.program
    found = shutil.which("yunohost") if config.root == Path("/") else None
    return Path(found) if found else None


def laid_out_by_yunohost(root: Path, app: App) -> bool:
    """True for an app whose package knows how to back it up, and for YunoHost's own parts."""
    return app.id == SYSTEM or (not app.declared and (root / "etc/yunohost/apps" / app.id / "scripts/backup").is_file())


def plan_with_system(config: Config, colocation: Colocation, apps: Sequence[str]) -> BackupPlan:
    """The plan for all apps or those named, and last YunoHost's own parts, which belong to no app.

    Raises ColocError for a name that is no app.
    """
    here = yunohost_program(config) is not None
    named = [name for name in apps if name != SYSTEM or not here]
    files = Tree(config.root)
    plan = plan_backup(config, colocation, files, only=named) if named or not apps else BackupPlan(())
    wanted = SYSTEM in apps if apps else config.backup.yunohost.system
    if not here or not wanted:
        return plan
    app = App(SYSTEM, SYSTEM, "YunoHost")
    return replace(plan, apps=(*plan.apps, AppPlan(app, (), (), (), (), config.backup.exclude, ())))


def gathering_of(
    config: Config, hosts: Iterable[str], on_wait: Callable[[], None] = lambda: None, *, run: Run = run
) -> Gathering | None:
    """The hosts of a run around one call of YunoHost for each app; None on a server without YunoHost."""
    program = yunohost_program(config)
    if program is None:
        return None
    options = config.backup.yunohost
    yunohost = Yunohost(program, options.lock_wait, options.app_duration + 3600.0, run, on_wait)
    sizes = DumpRoom(config, run)

    def call(plan: AppPlan, name: str) -> None:
        if plan.app.id == SYSTEM:
            yunohost.back_up_system(name)
            return
        sizes.require(plan)
        yunohost.back_up_app(plan.app.id, name)

    def look(plan: AppPlan, folder: Path) -> AppPlan:
        return system_laid_out(plan, folder) if plan.app.id == SYSTEM else laid_out(plan, folder)

    return Gathering(hosts, journal=config.paths.journal, name_of=call_name, call=call, look=look)


class DumpRoom:
    """Is there room under /home for the dumps that an app's script writes there? Each server is asked once a run."""

    def __init__(self, config: Config, run: Run = run) -> None:
        self._ask = askers(servers_from(config.database_servers.as_data()), run=run)
        self._tree, self._lock = Tree(config.root), threading.Lock()
        self._known: dict[DatabaseKind, dict[str, int]] = {}

    def require(self, plan: AppPlan) -> None:
        """Raises ColocError when the dumps of the app would not fit. A server that does not answer is no reason."""
        needed = sum(self._size(each.database.kind, each.database.name) for each in plan.databases)
        folder = self._tree.on_disk(_TMP)
        while not folder.is_dir():
            folder = folder.parent
        stat = os.statvfs(folder)
        free = (stat.f_bavail if os.geteuid() else stat.f_bfree) * stat.f_frsize
        if needed and needed + _MARGIN_BYTES > free:
            raise ColocError(
                f"{plan.app.id}: its dumps may take {needed} bytes below {_TMP}, and {free} are free",
                hint="free some space under /home: YunoHost writes the dump there before it is sent",
            )

    def _size(self, kind: DatabaseKind, name: str) -> int:
        if kind is DatabaseKind.SQLITE:
            return 0
        with self._lock:
            if kind not in self._known:
                try:
                    self._known[kind] = dict(self._ask[kind]().bytes)
                except ColocError:
                    self._known[kind] = {}
        return self._known[kind].get(name, 0)
