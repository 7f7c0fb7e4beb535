"""What a scrape sends: text and OpenMetrics, plain and gzipped.

Each collector's families are encoded once, when they were measured; an exposition is these pieces put together. That
is done for the first scrape after a look and kept for the others: most looks are seen by nobody.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
HEALTH = "agent"  # the piece that says how the collectors are doing: it comes with any choice of them
_END = b"# EOF\n"
_TEXT_SUFFIX = {"counter": "_total", "info": "_info"}  # OpenMetrics names the family without it
_TEXT_TYPE = {"info": "gauge", "unknown": "untyped"}
_compress = partial(gzip.compress, compresslevel=1, mtime=0)


@dataclass(frozen=True, slots=True)
class Piece:
    """The families of one collector, encoded; `openmetrics` without its last line."""

    collector: str
    text: bytes
    openmetrics: bytes


FORMS = ("text", "openmetrics", "text_gzip", "openmetrics_gzip")


@dataclass(frozen=True)
class Exposition:
    """Everything measured so far; each form is put together when it is first asked for, and kept."""

    pieces: tuple[Piece, ...]
    collectors: frozenset[str] = frozenset()  # those that can be asked for, also while they have found nothing yet

    @cached_property
    def text(self) -> bytes:
        """The text format 0.0.4."""
        return b"".join(piece.text for piece in self.pieces)

    @cached_property
    def openmetrics(self) -> bytes:
        """OpenMetrics 1.0.0."""
        return b"".join(piece.openmetrics for piece in self.pieces) + _END

    @cached_property
    def text_gzip(self) -> bytes:
        """The text, compressed."""
        return _compress(self.text)

    @cached_property
    def openmetrics_gzip(self) -> bytes:
        """OpenMetrics, compressed."""
        return _compress(self.openmetrics)


def encode(collector: str, families: Sequence[Metric]) -> Piece:
    """Encode the families of a collector; those without a sample are left out. Raises for what cannot be sent.

    The encoders of prometheus_client took more than half of each look; this says the same, and a test compares them.
    """
    text, openmetrics = [], []
    for family in families:
        if not family.samples:
            continue
        lines = "".join(map(_line, family.samples))
        name = family.name + _TEXT_SUFFIX.get(family.type, "")
        documentation = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
        kind = _TEXT_TYPE.get(family.type, family.type)
        text.append(f"# HELP {name} {documentation}\n# TYPE {name} {kind}\n{lines}")
        documentation = documentation.replace('"', r"\"")
        openmetrics.append(f"# HELP {family.name} {documentation}\n# TYPE {family.name} {family.type}\n{lines}")
    return Piece(collector, "".join(text).encode(errors="replace"), "".join(openmetrics).encode(errors="replace"))


def _line(sample: Sample) -> str:
    labels = ",".join([f'{name}="{_escaped(value)}"' for name, value in sorted(sample.labels.items())])
    value = floatToGoString(sample.value)  # type: ignore[no-untyped-call]
    return f"{sample.name}{{{labels}}} {value}\n" if labels else f"{sample.name} {value}\n"


def _escaped(value: str) -> str:
    if "\\" in value or "\n" in value or '"' in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value


def expose(pieces: Iterable[Piece], collectors: Iterable[str] = ()) -> Exposition:
    """Put pieces together; `collectors`: those that may be asked for."""
    kept = tuple(pieces)
    return Exposition(kept, frozenset(collectors) | {piece.collector for piece in kept})


def keep_ready(last: Exposition | None, now: Exposition) -> None:
    """Put together what was asked of the last one, so that a scrape sends ready bytes."""
    for form in FORMS:
        if last is not None and form in vars(last):
            getattr(now, form)


def only(exposition: Exposition, collect: Collection[str], exclude: Collection[str]) -> Exposition:
    """The pieces of the collectors that were asked for: those of `collect` (all when empty) less those of `exclude`.

    How the collectors are doing comes with any choice, unless it is excluded by its name.
    """
    wanted = ({*collect, HEALTH} if collect else exposition.collectors) - {*exclude}
    return expose(piece for piece in exposition.pieces if piece.collector in wanted)
