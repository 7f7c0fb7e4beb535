"""What the house is made of: the explicit list of collectors, for one configuration. A new one is one line here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from collectors.certificates import CertificatesCollector
from collectors.databases import DatabasesCollector
from collectors.disk import DiskCollector
from collectors.filesystems import FilesystemsCollector
from collectors.guard import Collector
from collectors.machine import MachineCollector
from collectors.ownership import user_ids_below
from collectors.processes import ProcessesCollector
from collectors.services import ServicesCollector
from collectors.upkeep import UpkeepCollector
from collectors.yunohost import YunohostCollector
from coloc.command import run
from coloc.config import Config
from coloc.databases.servers import Servers
from coloc.databases.sizes import Sizes, size_readers
from coloc.model import DatabaseKind


def collectors_of(config: Config) -> list[Collector]:
    """Every collector, with the rhythm that coloc.yml gives it."""
    rhythm, root = config.sampling, config.root
    return [
        MachineCollector(interval_seconds=rhythm.every),
        ProcessesCollector(user_ids_below(root), interval_seconds=rhythm.every),
        ServicesCollector(interval_seconds=rhythm.every),
        FilesystemsCollector(root, interval_seconds=rhythm.every),
        DiskCollector(root, interval_seconds=rhythm.disk_every),
        DatabasesCollector(root, interval_seconds=rhythm.databases_every, sizes=_sizes(root)),
        YunohostCollector(root),
        CertificatesCollector(root),
        UpkeepCollector(root, ask=run if root == Path("/") else None),
    ]


def _sizes(root: Path) -> Mapping[DatabaseKind, Sizes]:
    """Who tells the sizes. The servers of this machine know nothing of the apps of another tree."""
    return size_readers(Servers()) if root == Path("/") else {}


def blind_spots(collectors: list[Collector]) -> tuple[str, ...]:
    """What our rights do not let the collectors see, in a sentence each."""
    spots: list[str] = []
    for collector in collectors:
        limits = getattr(collector, "limits", None)
        if limits is not None:
            spots += limits()
    return tuple(dict.fromkeys(spots))
