"""Until when the certificate of each of YunoHost's domains is good; asked of openssl when the file changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.labels import OTHER, clean
from coloc.certificates import expiry_of
from coloc.errors import ColocError
from coloc.inventory.tree import Tree, Unreadable
from coloc.model import Colocation

_MOST_DOMAINS = 200


class CertificatesCollector:
    """coloc_certificate_expiry_timestamp_seconds."""

    name = "certificates"
    deadline_seconds = 120.0

    def __init__(
        self,
        root: Path = Path("/"),
        *,
        interval_seconds: float = 300.0,
        most: int = _MOST_DOMAINS,
        ask: Callable[[bytes], datetime] = expiry_of,
    ) -> None:
        self.interval_seconds = interval_seconds
        self._tree, self._most, self._ask = Tree(root), most, ask
        self._unreadable = 0

    def collect(self, colocation: Colocation, now: datetime) -> Iterator[Metric]:  # noqa: ARG002 - every collector's
        """Look at each domain's file."""
        self._tree.begin()
        paths = {domain: f"/etc/yunohost/certs/{domain}/crt.pem" for domain in sorted(_domains(colocation))}
        asked = {domain: self._tree.cached(path, self._expiry) for domain, path in paths.items()}
        ends = {domain: end for domain, end in asked.items() if end is not None}
        self._unreadable = len(asked) - len(ends)
        family = GaugeMetricFamily(
            "coloc_certificate_expiry_timestamp_seconds", "When the domain's certificate ends.", labels=["domain"]
        )
        rest = list(ends)[self._most :]
        for domain in list(ends)[: self._most]:
            family.add_metric([clean(domain)], ends[domain])
        if rest:
            family.add_metric([OTHER], min(ends[domain] for domain in rest))
        yield family
        yield GaugeMetricFamily(
            "coloc_certificates_unreadable", "Domains whose certificate could not be read.", value=self._unreadable
        )
        yield GaugeMetricFamily(
            "coloc_certificates_folded", "Domains of which only the soonest end is told, as _other.", value=len(rest)
        )

    def limits(self) -> tuple[str, ...]:
        """Certificates that could not be read at the last look."""
        return (f"the certificates of {self._unreadable} domains cannot be read",) if self._unreadable else ()

    def _expiry(self, path: str) -> float | None:
        try:
            return self._ask(self._tree.read(path)).timestamp()
        except (Unreadable, ColocError):
            return None


def _domains(colocation: Colocation) -> set[str]:
    """YunoHost's domains that can be the name of a folder."""
    apps = colocation.inventory.apps.values()
    domains = {*colocation.inventory.domains, *(app.domain for app in apps if app.domain and not app.declared)}
    return {domain for domain in domains if "/" not in domain and not domain.startswith(".")}
