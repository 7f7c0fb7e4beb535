"""Brings together what `collectors/rule_facts.py` exposes: the facts behind the rules, as they are remembered."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from prometheus_client.metrics_core import Metric

from agent import backup_store, drill_store, host_store
from agent.awaited import awaited
from agent.drill_awaited import drills_awaited
from agent.maintenance import store as maintenance_store
from agent.maintenance.plan import Phase
from agent.quotas import QuotaStep, Standing
from agent.service_level import LEVELS, service_of
from collectors.drill_families import CheckFact, DrillAwaitedFact, DrillFact, check_families, drill_families
from collectors.host_families import RoomFact, host_families
from collectors.rule_facts import (
    AwaitedFact,
    MaintenanceFact,
    ProjectFact,
    StepFact,
    TryFact,
    config_families,
    level_families,
    maintenance_families,
    project_families,
    step_families,
    try_families,
)
from coloc.config.whole import Config
from coloc.model import Colocation
from coloc.state import State
from coloc.times import parse_iso

_STEPS = tuple(QuotaStep)


def _maintenances(colocation: Colocation, state: State) -> list[MaintenanceFact]:
    return [
        MaintenanceFact(one.id, one.app, colocation.project_of(one.app) if one.app else one.project, one.ends_at)
        for one in maintenance_store.open_ones(state.connection)
        if one.phase is Phase.RUNNING
    ]


def first_seen(state: State) -> dict[str, datetime]:
    """Since when each app is known."""
    known: Mapping[str, str] = json.loads(state.get("first_seen") or "{}")
    return {app: parse_iso(moment) for app, moment in known.items()}


def rule_families(
    config: Config,
    colocation: Colocation,
    state: State,
    standings: Sequence[Standing],
    now: datetime,
    *,
    is_config_good: bool,
) -> list[Metric]:
    """The families at `now`."""
    backups = backup_store.standings(state.connection)
    hosts = {name: up for name, (up, _) in backup_store.host_troubles(state.connection).items()}
    tries = [
        TryFact(item.app, colocation.project_of(item.app), item.host, item.last_try_ok)
        for item in backups
        if item.host in config.backup.hosts and item.app in colocation.inventory.apps and item.last_try_at is not None
    ]
    waits = [
        AwaitedFact(item.app, colocation.project_of(item.app), item.host, item.since)
        for item in awaited(config, colocation, backups, first_seen(state), now)
        if item.since is not None
    ]
    steps = [
        StepFact(item.project, item.resource, _STEPS.index(item.step))
        for item in standings
        if item.used is not None and not item.app
    ]
    levels = [
        (app, colocation.project_of(app), LEVELS.index(service_of(config, app)))
        for app in sorted(colocation.inventory.apps)
    ]
    return [
        *project_families(project_facts(config)),
        *level_families(levels),
        *try_families(tries, waits, {name: up for name, up in hosts.items() if name in config.backup.hosts}),
        *_drills(config, colocation, state, backups, now),
        *_hosts(config, colocation, state),
        *maintenance_families(_maintenances(colocation, state)),
        *step_families(steps),
        *config_families(is_good=is_config_good),
    ]


def _hosts(config: Config, colocation: Colocation, state: State) -> list[Metric]:
    rooms = [
        RoomFact(host, room.free_bytes, room.used_bytes, room.used_ratio)
        for host, room in sorted(host_store.rooms(state.connection).items())
        if host in config.backup.hosts
    ]
    sizes = {
        (app, colocation.project_of(app), host): ratio
        for (app, host), ratio in host_store.size_ratios(state.connection).items()
        if host in config.backup.hosts and app in colocation.inventory.apps
    }
    escrow = host_store.escrow(state.connection)
    return host_families(rooms, sizes, escrowed=escrow.ok if escrow else None)


def _drills(
    config: Config,
    colocation: Colocation,
    state: State,
    backups: Sequence[backup_store.BackupStanding],
    now: datetime,
) -> list[Metric]:
    drills, seen = drill_store.drills(state.connection), first_seen(state)
    rows = [
        DrillFact(
            item.app,
            colocation.project_of(item.app),
            item.host,
            item.last_try_ok,
            item.whole_at,
            item.ratio,
            item.seconds,
        )
        for item in drills
        if item.host in config.backup.hosts and item.app in colocation.inventory.apps
    ]
    waits = [
        DrillAwaitedFact(item.app, colocation.project_of(item.app), item.host, item.since)
        for item in drills_awaited(config, colocation, backups, drills, first_seen=seen, now=now)
        if item.since is not None
    ]
    checks = [
        CheckFact(item.host, item.ok, item.complete_at)
        for item in drill_store.checks(state.connection)
        if item.host in config.backup.hosts
    ]
    return [*drill_families(rows, waits), *check_families(checks)]


def project_facts(config: Config) -> list[ProjectFact]:
    """The projects of coloc.yml with the names of their adminsys."""
    return [ProjectFact(name, each.title or name, each.adminsys) for name, each in config.projects.items()]
