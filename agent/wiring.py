"""What the house is made of: the explicit list of collectors, for one configuration. A new one is one line here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from collectors.certificates import CertificatesCollector
from collectors.databases import DatabasesCollector
from collectors.disk import DiskCollector
from collectors.exit_client import ExitClient
from collectors.filesystems import FilesystemsCollector
from collectors.guard import Collector
from collectors.machine import MachineCollector
from collectors.mail import MailCollector
from collectors.oom_kills import OomKillsCollector
from collectors.ownership import user_ids_below
from collectors.php import PhpCollector
from collectors.pressure import PressureCollector
from collectors.process_details import ProcessDetailsCollector
from collectors.processes import ProcessesCollector
from collectors.quota_usage import QuotaUsage
from collectors.services import ServicesCollector
from collectors.upkeep import UpkeepCollector
from collectors.web import WebCollector
from collectors.yunohost import YunohostCollector
from coloc.command import run
from coloc.config.whole import Config
from coloc.databases.answers import Ask, askers
from coloc.databases.servers import servers_from
from coloc.memory import ForgetfulMemory, Memory
from coloc.model import DatabaseKind

_DETAILS_LOOKS = 2


def collectors_of(config: Config, memory: Memory | None = None) -> list[Collector]:
    """Every collector, with the rhythm that coloc.yml gives it. `memory`: what outlives the program."""
    rhythm, root = config.sampling, config.root
    memory = memory or ForgetfulMemory()
    processes = ProcessesCollector(user_ids_below(root), interval_seconds=rhythm.every, exits=ExitClient())
    collectors: list[Collector] = [
        MachineCollector(interval_seconds=rhythm.every),
        processes,
        ProcessDetailsCollector(processes.known, interval_seconds=rhythm.every * _DETAILS_LOOKS),
        ServicesCollector(interval_seconds=rhythm.every, root=root if root == Path("/") else None),
        FilesystemsCollector(root, interval_seconds=rhythm.every),
        DiskCollector(root, interval_seconds=rhythm.disk_every, quota=_quota(root)),
        DatabasesCollector(root, interval_seconds=rhythm.databases_every, askers=_askers(config)),
        PressureCollector(user_ids_below(root), root=root, interval_seconds=rhythm.every),
        OomKillsCollector(user_ids_below(root), root=root, interval_seconds=rhythm.every),
        WebCollector(root, interval_seconds=rhythm.every, memory=memory),
        MailCollector(root, interval_seconds=rhythm.every, memory=memory),
        YunohostCollector(root),
        CertificatesCollector(root),
        UpkeepCollector(root, ask=run if root == Path("/") else None),
    ]
    if root == Path("/"):  # the php-fpm of this machine knows nothing of the apps of another tree
        collectors.append(PhpCollector(user_ids_below(root), interval_seconds=rhythm.every))
    return collectors


def _askers(config: Config) -> Mapping[DatabaseKind, Ask]:
    """Who asks the servers. Those of this machine know nothing of the apps of another tree."""
    if config.root != Path("/"):
        return {}
    servers = servers_from(config.database_servers.as_data())
    # The superuser that coloc.yml may name is for root's backups; the daemon enters under its own name.
    return askers(servers if os.geteuid() == 0 else replace(servers, pg_user=""))


def _quota(root: Path) -> QuotaUsage | None:
    """The kernel counts for this machine's users, whatever another tree calls them."""
    return QuotaUsage(user_ids_below(root)) if root == Path("/") else None


def blind_spots(collectors: list[Collector]) -> tuple[str, ...]:
    """What our rights do not let the collectors see, in a sentence each."""
    spots: list[str] = []
    for collector in collectors:
        limits = getattr(collector, "limits", None)
        if limits is not None:
            spots += limits()
    return tuple(dict.fromkeys(spots))
