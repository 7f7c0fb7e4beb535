"""The list of collectors, in the open: to add one, add its line here. Runs nothing."""

from __future__ import annotations

from pathlib import Path

from collectors.databases import DatabasesCollector
from collectors.disk import DiskCollector
from collectors.filesystems import FilesystemsCollector
from collectors.guard import Collector
from collectors.machine import MachineCollector
from collectors.ownership import user_ids_below
from collectors.processes import ProcessesCollector
from collectors.services import ServicesCollector
from coloc.config import Sampling


def collectors_for(root: Path, sampling: Sampling) -> tuple[Collector, ...]:
    """Every collector, in the rhythm that coloc.yml asks for."""
    return (
        ProcessesCollector(user_ids_below(root), interval_seconds=sampling.every),
        MachineCollector(interval_seconds=sampling.every),
        FilesystemsCollector(root),
        ServicesCollector(interval_seconds=max(sampling.every, 5.0)),
        DiskCollector(root, interval_seconds=sampling.disk_every),
        DatabasesCollector(root, interval_seconds=sampling.databases_every),
    )
