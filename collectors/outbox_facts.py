"""How messages get through, as metrics by channel. Plain values in, families out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric


@dataclass(frozen=True, slots=True)
class ChannelFact:
    """One channel. `buckets`: (upper bound, how many were said within it), cumulated; the last bound is +Inf."""

    channel: str
    waiting: int
    oldest_at: datetime | None
    sent: int
    failed: Mapping[str, int]
    buckets: tuple[tuple[str, int], ...]
    seconds: float


def outbox_families(rows: Iterable[ChannelFact]) -> list[Metric]:
    """What waits and since when, what was said and failed since the agent began, and how long it took."""
    label = ["channel"]
    waiting = GaugeMetricFamily("coloc_outbox_messages", "Messages that wait to be said.", labels=label)
    oldest = GaugeMetricFamily(
        "coloc_outbox_oldest_timestamp_seconds", "When the oldest message that waits was decided.", labels=label
    )
    sent = CounterMetricFamily("coloc_outbox_sent", "Messages that were said.", labels=label)
    failed = CounterMetricFamily("coloc_outbox_failed", "Tries that failed.", labels=["channel", "kind"])
    took = HistogramMetricFamily(
        "coloc_outbox_delivery_seconds", "From the decision to the message that was said.", labels=label
    )
    for row in rows:
        waiting.add_metric([row.channel], row.waiting)
        if row.oldest_at is not None:
            oldest.add_metric([row.channel], row.oldest_at.timestamp())
        sent.add_metric([row.channel], row.sent)
        for kind, number in sorted(row.failed.items()):
            failed.add_metric([row.channel, kind], number)
        took.add_metric([row.channel], list(row.buckets), row.seconds)
    return [waiting, oldest, sent, failed, took]
