"""Whether php-fpm keeps up with an app: who waits at its pools' sockets, and how many workers there are of how many.

No pool is asked (YunoHost's have no status page, and a full pool would not answer): the kernel and /proc tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.labels import clean, fold
from collectors.ownership import UserIds
from collectors.php_workers import PhpWorkers, count_workers, php_pids
from collectors.procfs import ProcFiles
from collectors.shares import project_label
from collectors.unix_diag import Listening, Queue, inode_of, listening_sockets, queues_of
from coloc.model import App, Colocation, PhpPool

MOST_POOLS = 1  # of one app that have series of their own: YunoHost gives each app one
_FAMILIES = (
    ("queue", "Connections that wait for a worker of the pool."),
    ("queue_max", "Connections that may wait before visitors are turned away."),
    ("workers", "Workers of the pool."),
    ("workers_max", "Workers that the pool may have (pm.max_children)."),
)

Sockets = Callable[[], Iterable[Listening]]


class PhpCollector:
    """coloc_app_php_queue, _queue_max, _workers and _workers_max."""

    name = "php"
    deadline_seconds = 5.0

    def __init__(
        self,
        user_ids: UserIds,
        *,
        interval_seconds: float = 5.0,
        cgroups: Path = Path("/sys/fs/cgroup"),
        files: ProcFiles | None = None,
        owner: Callable[[int], int] | None = None,
        sockets: Sockets = listening_sockets,
        file_number: Callable[[str], int | None] = inode_of,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._user_ids, self._cgroups, self._files = user_ids, cgroups, files or ProcFiles()
        self._owner = owner or self._files.owner
        self._sockets, self._file_number = sockets, file_number
        self._error = ""

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Ask the kernel once for all pools."""
        apps = [app for _, app in sorted(colocation.inventory.apps.items()) if app.php_pools]
        pools = [pool for app in apps for pool in app.php_pools]
        queues = self._queues([pool.listen for pool in pools if pool.listen and pool.listen.startswith("/")])
        workers = (
            count_workers(self._files, php_pids(self._cgroups, self._files), self._owner) if pools else PhpWorkers()
        )
        uids = self._user_ids({pool.user for pool in pools if pool.user})
        families = {
            name: GaugeMetricFamily(f"coloc_app_php_{name}", what, labels=["app", "project", "pool"])
            for name, what in _FAMILIES
        }
        for app in apps:
            for name, values in _figures(app, queues, workers, uids).items():
                for pool, value in fold(values, MOST_POOLS).items():
                    families[name].add_metric([app.id, project_label(colocation, app.id), pool], value)
        yield from families.values()

    def limits(self) -> tuple[str, ...]:
        """What cannot be seen from here."""
        return (f"the queues of php-fpm cannot be seen: {self._error}",) if self._error else ()

    def _queues(self, paths: list[str]) -> Mapping[str, Queue]:
        """Workers are worth telling also when the kernel does not tell the queues."""
        if not paths:
            return {}
        try:
            found = queues_of(paths, self._sockets(), self._file_number)
        except OSError as error:
            self._error = str(error)[:200]
            return {}
        self._error = ""
        return found


def _figures(
    app: App, queues: Mapping[str, Queue], workers: PhpWorkers, uids: Mapping[str, int]
) -> dict[str, dict[str, float]]:
    """Figure → pool → value, for one app; pools of the same name (of two PHP versions) are added up."""
    found: dict[str, dict[str, float]] = {name: {} for name, _ in _FAMILIES}

    def add(name: str, pool: PhpPool, value: float) -> None:
        label = clean(pool.pool)
        found[name][label] = found[name].get(label, 0.0) + value

    counted = set()
    for pool in app.php_pools:
        queue = queues.get(pool.listen or "")
        if queue is not None:
            add("queue", pool, queue.waiting)
            add("queue_max", pool, queue.most)
        if pool.max_children is not None:
            add("workers_max", pool, pool.max_children)
        if workers.masters and (pool.pool, pool.user) not in counted:
            counted.add((pool.pool, pool.user))
            add("workers", pool, workers.of(pool.pool, uids.get(pool.user or "")))
    return found
