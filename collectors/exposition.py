"""What a scrape sends, made ready beforehand: text and OpenMetrics, plain and gzipped. A scrape copies bytes.

Each collector's families are encoded once, when they were measured; an exposition is these pieces put together.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from prometheus_client.exposition import generate_latest as text_of
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_of

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_END = b"# EOF\n"
_compress = partial(gzip.compress, compresslevel=1, mtime=0)


@dataclass(frozen=True, slots=True)
class Piece:
    """The families of one collector, encoded; `openmetrics` without its last line."""

    collector: str
    text: bytes
    openmetrics: bytes


@dataclass(frozen=True, slots=True)
class Exposition:
    """Everything measured so far, ready to be sent."""

    pieces: tuple[Piece, ...]
    text: bytes
    openmetrics: bytes
    text_gzip: bytes
    openmetrics_gzip: bytes


class _Families:
    """The encoders of prometheus_client ask for a registry: this is one with fixed families."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def encode(collector: str, families: Sequence[Metric]) -> Piece:
    """Encode the families of a collector. Counters bear no `_created` series, as ours are never made with one."""
    measured = _Families([family for family in families if family.samples])
    text = text_of(measured)
    openmetrics = cast(bytes, openmetrics_of(measured))  # type: ignore[no-untyped-call]
    return Piece(collector, text, openmetrics.removesuffix(_END))


def expose(pieces: Iterable[Piece]) -> Exposition:
    """Put pieces together, in both formats, plain and compressed."""
    kept = tuple(pieces)
    text = b"".join(piece.text for piece in kept)
    openmetrics = b"".join(piece.openmetrics for piece in kept) + _END
    return Exposition(kept, text, openmetrics, _compress(text), _compress(openmetrics))


def only(exposition: Exposition, collect: Collection[str], exclude: Collection[str]) -> Exposition:
    """The pieces of the collectors that were asked for: those of `collect` (all when empty) less those of `exclude`."""
    return expose(
        piece
        for piece in exposition.pieces
        if (not collect or piece.collector in collect) and piece.collector not in exclude
    )
