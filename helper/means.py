"""What the helper can hold on this machine: the explicit list of actuators. A new one is one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from coloc.agreed import Agreed, slice_name
from coloc.command import Run, run
from coloc.databases.servers import Servers, servers_from
from coloc.yunohost_lock import LOCK, yunohost_at_work
from helper.actuator import Actuator
from helper.databases import DatabaseActuator
from helper.disk_limits import DiskActuator
from helper.keeper import Means
from helper.mail_hold import MailActuator
from helper.slices import CGROUPS, SliceActuator, units_outside
from helper.workers import Owner, move_workers, uid_of


def means_of(
    log: Callable[[str], None],
    agreed: Agreed | None = None,
    *,
    run: Run = run,
    cgroups: Path = CGROUPS,
    lock: Path = LOCK,
    proc: Path = Path("/proc"),
    owner: Owner = uid_of,
) -> Means:
    """For this machine, or for one in a folder. `agreed`: where its database servers are."""
    by_slices: dict[str, Actuator] = {
        resource: SliceActuator(resource, run=run, cgroups=cgroups) for resource in ("cpu", "memory", "processes", "io")
    }
    where = servers_from(agreed.database_servers) if agreed else Servers()
    by_accounts: dict[str, Actuator] = {
        resource: DatabaseActuator(resource, where, run=run) for resource in ("database", "database_connections")
    }
    by_quotas: dict[str, Actuator] = {resource: DiskActuator(resource) for resource in ("disk", "files")}
    by_post: dict[str, Actuator] = {
        resource: MailActuator(resource, run=run) for resource in ("mail_per_hour", "mail_per_day")
    }
    return Means(
        by_slices | by_accounts | by_quotas | by_post,
        lambda: yunohost_at_work(lock, proc),
        lambda found: outside(found, run),
        lambda target: move_workers(target, run=run, cgroups=cgroups, owner=owner),
        log,
    )


def outside(agreed: Agreed, run: Run) -> Mapping[str, str]:
    """Units that are not in their app's slice yet: they get there when they are next started."""
    found = {}
    for project, block in agreed.projects.items():
        for app, each in block.apps.items():
            for unit in units_outside(each.units, slice_name(project, app), run=run):
                found[unit] = f"pending restart: not yet in {slice_name(project, app)}"
    return found
