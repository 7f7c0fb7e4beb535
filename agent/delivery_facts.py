"""Brings together what the outbox holds and what the delivery has done, for the metrics of each channel."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import accumulate

from prometheus_client.metrics_core import Metric

from alerts.counts import BOUNDS, FAILURES, ChannelCounts, Counts
from collectors.outbox_facts import ChannelFact, outbox_families
from coloc import outbox


def delivery_families(connection: sqlite3.Connection, counts: Counts) -> list[Metric]:
    """The families of the outbox as it is now."""
    return outbox_families(channel_facts(outbox.depth(connection), counts.now()))


def channel_facts(
    depth: Mapping[str, tuple[int, datetime]], counts: Mapping[str, ChannelCounts]
) -> Iterator[ChannelFact]:
    """One fact for each channel that has said something or has something to say; the console always."""
    for channel in sorted({"console", *depth, *counts}):
        done = counts.get(channel, ChannelCounts())
        waiting, oldest_at = depth.get(channel, (0, None))
        bounds = (*BOUNDS, float("inf"))
        sums = accumulate(done.within[bound] for bound in bounds)
        names = [*map(str, BOUNDS), "+Inf"]
        yield ChannelFact(
            channel,
            waiting,
            oldest_at,
            done.sent,
            {kind: done.failed[kind] for kind in FAILURES},
            tuple(zip(names, sums, strict=True)),
            done.seconds,
        )
