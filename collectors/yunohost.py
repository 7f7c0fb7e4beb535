"""What YunoHost itself knows of the house: its diagnosis, upgrades, files changed by hand, what backups leave out."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, tzinfo
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.labels import OTHER, clean
from collectors.shares import project_label
from collectors.yunohost_versions import Catalog, is_upgradable, read_catalog
from coloc.inventory.documents import parse_yaml
from coloc.inventory.settings import Settings
from coloc.inventory.tree import Tree, Unreadable
from coloc.model import App, AppState, Colocation

_APPS = "/etc/yunohost/apps"
_DIAGNOSIS = "/var/cache/yunohost/diagnosis"
_CATALOGS = "/var/cache/yunohost/repo"
_MAIL = "/var/mail"
_SYSTEM = ("basesystem", "ip", "dnsrecords", "ports", "web", "mail")
_CATEGORIES = (*_SYSTEM, "services", "systemresources", "regenconf", "apps")
_STATUSES = ("SUCCESS", "INFO", "WARNING", "ERROR")
_MAX_DIAGNOSIS = 2 * 1024 * 1024
_MAX_CATALOG = 24 * 1024 * 1024
_MOST_FILES = 50
_BELIEVED = {AppState.OK, AppState.PARTIAL}
_BORG_RESULTS = {"successful": 1.0, "failed": 0.0}


class YunohostCollector:
    """Reads files that YunoHost leaves; it never runs YunoHost."""

    name = "yunohost"
    deadline_seconds = 60.0

    def __init__(self, root: Path = Path("/"), *, interval_seconds: float = 300.0, zone: tzinfo | None = None) -> None:
        """`zone`: in which the app Borg notes its times; None is the server's own."""
        self.interval_seconds = interval_seconds
        self._zone = zone
        self._tree = Tree(root)
        self._bad: list[str] = []

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Read what changed since the last look."""
        self._tree.begin()
        self._bad = []
        yield from self._diagnosis()
        yield from self._upgrades(colocation)
        yield from self._oddities(colocation)
        yield from self._borg(colocation)
        yield from self._mailboxes()

    def limits(self) -> tuple[str, ...]:
        """Files of YunoHost that could not be used at the last look."""
        return tuple(f"{path} cannot be used" for path in self._bad)

    def _diagnosis(self) -> Iterator[Metric]:
        items = GaugeMetricFamily(
            "coloc_yunohost_diagnosis_items", "Findings of YunoHost's last diagnosis.", labels=["category", "status"]
        )
        times = GaugeMetricFamily(
            "coloc_yunohost_diagnosis_timestamp_seconds", "When YunoHost diagnosed last.", labels=["category"]
        )
        found: dict[str, Counter[str]] = {}
        for path in self._files(_DIAGNOSIS):
            name = path.rpartition("/")[2].removesuffix(".json")
            category = name if name in _CATEGORIES else OTHER
            counts = self._tree.cached(path, self._count)
            if counts is None:
                self._bad.append(path)
                continue
            found.setdefault(category, Counter()).update(counts)
            when = self._when(path)
            if when is not None and category != OTHER:
                times.add_metric([category], when)
        for category, each in sorted(found.items()):
            for status in _STATUSES:
                items.add_metric([category, status.lower()], each[status])
        yield items
        yield times

    def _upgrades(self, colocation: Colocation) -> Iterator[Metric]:
        labels = ["app", "project"]
        family = GaugeMetricFamily(
            "coloc_app_upgrade_available", "1 when YunoHost's catalog has a newer version.", labels=labels
        )
        read = GaugeMetricFamily("coloc_yunohost_catalog_timestamp_seconds", "When YunoHost's catalog came.")
        offered: dict[str, str] = {}
        kinds: dict[str, str] = {}
        times = []
        for path in self._files(_CATALOGS):
            catalog = self._tree.cached(path, self._catalog)
            if catalog is None:
                self._bad.append(path)
                continue
            # Of two catalogs YunoHost takes the first that has the app.
            offered, kinds = {**catalog.versions, **offered}, {**catalog.kinds, **kinds}
            when = self._when(path)
            times += [when] if when is not None else []
        for app in self._installed(colocation):
            answer = is_upgradable(app.version, offered.get(app.base_id))
            if answer is not None:
                family.add_metric([app.id, project_label(colocation, app.id)], float(answer))
        if times:
            read.add_metric([], min(times))
        yield family
        yield read
        yield kind_family(colocation, kinds)
        yield self._upgraded(colocation)

    def _upgraded(self, colocation: Colocation) -> Metric:
        family = GaugeMetricFamily(
            "coloc_app_upgraded_timestamp_seconds",
            "When it was upgraded last, or else installed.",
            labels=["app", "project"],
        )
        for app in self._installed(colocation):
            when = self._tree.cached(f"{_APPS}/{app.id}/settings.yml", self._last_change)
            if when is not None:
                family.add_metric([app.id, project_label(colocation, app.id)], when)
        return family

    def _mailboxes(self) -> Iterator[Metric]:
        """How many hold a mail; never whose, nor what."""
        if self._tree.is_folder(_MAIL):
            used = sum(self._holds_mail(f"{_MAIL}/{name}") for name in self._tree.names(_MAIL))
            yield GaugeMetricFamily("coloc_mailboxes_used", "Mailboxes that hold a mail.", value=used)

    def _holds_mail(self, box: str) -> bool:
        for folder in ("new", "cur"):
            where = self._tree.resolve(f"{box}/{folder}")
            try:
                with os.scandir(where or box) as entries:
                    if where and any(not entry.name.startswith(".") for entry in entries):
                        return True
            except OSError:
                continue
        return False

    def _borg(self, colocation: Colocation) -> Iterator[Metric]:
        labels = ["app", "project"]
        success = GaugeMetricFamily(
            "coloc_app_borg_last_run_success", "1 when the app Borg's last backup went well.", labels=labels
        )
        times = GaugeMetricFamily(
            "coloc_app_borg_last_run_timestamp_seconds", "When the app Borg backed up last.", labels=labels
        )
        for app in self._installed(colocation):
            if app.base_id != "borg":
                continue
            result, when = self._tree.cached(f"{_APPS}/{app.id}/settings.yml", self._last_run)
            where = [app.id, project_label(colocation, app.id)]
            if result is not None:
                success.add_metric(where, result)
            if when is not None:
                times.add_metric(where, when)
        yield success
        yield times

    def _oddities(self, colocation: Colocation) -> Iterator[Metric]:
        labels = ["app", "project"]
        changed = GaugeMetricFamily(
            "coloc_app_changed_files", "Files that its package wrote and somebody changed.", labels=labels
        )
        without = GaugeMetricFamily(
            "coloc_app_backup_without_data", "1 when YunoHost's backups leave its data out.", labels=labels
        )
        for app in self._installed(colocation):
            where = [app.id, project_label(colocation, app.id)]
            changed.add_metric(where, len(app.modified_files))
            if app.do_not_backup_data:
                without.add_metric(where, 1)
        yield changed
        yield without

    def _installed(self, colocation: Colocation) -> Iterator[App]:
        """The apps of YunoHost whose files can be believed, by id."""
        for app_id, app in sorted(colocation.inventory.apps.items()):
            if not app.declared and app.state in _BELIEVED and self._tree.is_folder(f"{_APPS}/{app_id}"):
                yield app

    def _files(self, folder: str) -> list[str]:
        return [f"{folder}/{name}" for name in self._tree.names(folder) if name.endswith(".json")][:_MOST_FILES]

    def _when(self, path: str) -> float | None:
        where = self._tree.resolve(path)
        try:
            return Path(where).stat().st_mtime if where else None
        except OSError:
            return None

    def _count(self, path: str) -> Counter[str] | None:
        try:
            return count_items(self._tree.read(path, _MAX_DIAGNOSIS))
        except (Unreadable, ValueError):
            return None

    def _last_run(self, path: str) -> tuple[float | None, float | None]:
        """(result, time) of the app Borg; of its settings, which hold its passphrase, nothing else is kept."""
        try:
            settings = Settings(parse_yaml(self._tree.read(path)))
        except Unreadable:
            return None, None
        when = parse_last_run(settings.text("last_run") or "", self._zone)
        return _BORG_RESULTS.get(settings.text("state") or ""), when

    def _last_change(self, path: str) -> int | None:
        try:
            settings = Settings(parse_yaml(self._tree.read(path)))
        except Unreadable:
            return None
        moments = [settings.number(key) for key in ("install_time", "update_time")]
        return max((moment for moment in moments if moment is not None and moment > 0), default=None)

    def _catalog(self, path: str) -> Catalog | None:
        try:
            return read_catalog(self._tree.read(path, _MAX_CATALOG).decode())
        except (Unreadable, ValueError):
            return None


def kind_family(colocation: Colocation, kinds: Mapping[str, str]) -> Metric:
    """What each app is, by YunoHost's catalog: `base` without the number of its instance."""
    family = GaugeMetricFamily(
        "coloc_app_kind", "1: its kind, by YunoHost's catalog.", labels=["app", "base", "category", "project"]
    )
    for app_id, app in sorted(colocation.inventory.apps.items()):
        if app.state in _BELIEVED and app.base_id in kinds:
            where = [app_id, clean(app.base_id), kinds[app.base_id], project_label(colocation, app_id)]
            family.add_metric(where, 1)
    return family


def count_items(raw: bytes) -> Counter[str]:
    """How many findings of each status a category's file holds. Raises ValueError."""
    try:
        report = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    items = report.get("items") if isinstance(report, Mapping) else None
    if not isinstance(items, list):
        raise ValueError("not a diagnosis")
    statuses = [item.get("status") for item in items if isinstance(item, Mapping)]
    return Counter(status for status in statuses if isinstance(status, str) and status in _STATUSES)


def parse_last_run(text: str, zone: tzinfo | None) -> float | None:
    """`261124_0230`, in that time zone or else the server's own, as seconds since 1970."""
    if len(text) != len("261124_0230") or not text.isascii():
        return None
    try:
        return datetime.strptime(text, "%y%m%d_%H%M").replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
