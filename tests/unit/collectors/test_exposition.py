"""The ready bytes: both formats, compressed and not, whole and filtered."""

from __future__ import annotations

import gzip

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, UnknownMetricFamily
from prometheus_client.exposition import generate_latest as text_of
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_of
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from collectors.exposition import FORMS, encode, expose, keep_ready, only


def example() -> list[GaugeMetricFamily | CounterMetricFamily]:
    gauge = GaugeMetricFamily("coloc_odd", "Labels of all kinds.", labels=["app"])
    gauge.add_metric(['back\\slash "quote"\nline é'], 1.5)
    counter = CounterMetricFamily("coloc_seconds", "A counter.", labels=["mode"])
    counter.add_metric(["user"], 3)
    return [gauge, counter, GaugeMetricFamily("coloc_empty", "Nothing measured.", labels=["app"])]


def test_both_formats_say_the_same() -> None:
    found = expose([encode("one", example())])
    text = [sample for family in parse_text(found.text.decode()) for sample in family.samples]
    parsed = parse_openmetrics(found.openmetrics.decode())  # type: ignore[no-untyped-call]
    openmetrics = [sample for family in parsed for sample in family.samples]
    assert [(s.name, s.labels, s.value) for s in text] == [(s.name, s.labels, s.value) for s in openmetrics]
    assert text[0].labels == {"app": 'back\\slash "quote"\nline é'}


def test_what_was_not_measured_is_not_even_announced() -> None:
    found = expose([encode("one", example())])
    assert b"coloc_empty" not in found.text
    assert b"_created" not in found.text + found.openmetrics


def test_compressed_is_the_same() -> None:
    found = expose([encode("one", example())])
    assert gzip.decompress(found.text_gzip) == found.text
    assert gzip.decompress(found.openmetrics_gzip) == found.openmetrics


def test_openmetrics_ends_once() -> None:
    found = expose([encode("one", example()), encode("two", [GaugeMetricFamily("coloc_two", "Two.", value=2)])])
    assert found.openmetrics.count(b"# EOF") == 1
    assert found.openmetrics.endswith(b"# EOF\n")


def test_filters_choose_collectors() -> None:
    pieces = [encode(name, [GaugeMetricFamily(f"coloc_{name}", "X.", value=1)]) for name in ("a", "b", "c")]
    found = expose(pieces)
    assert [piece.collector for piece in only(found, ["a", "c"], []).pieces] == ["a", "c"]
    assert [piece.collector for piece in only(found, [], ["a"]).pieces] == ["b", "c"]


class Families:
    """What prometheus_client's encoders ask for."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


VALUES = st.one_of(st.floats(), st.integers(-(2**53), 2**53))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(deadline=None)
@given(TEXTS, st.lists(st.tuples(TEXTS, TEXTS, VALUES), min_size=1, max_size=5))
def test_it_says_the_same_as_prometheus_client(documentation: str, rows: list[tuple[str, str, float]]) -> None:
    families: list[Metric] = [
        kind("coloc_x", documentation, labels=["project", "app"])
        for kind in (GaugeMetricFamily, CounterMetricFamily, UnknownMetricFamily)
    ]
    info = InfoMetricFamily("coloc_x", documentation, labels=["project", "app"])
    for project, app, value in rows:
        for family in families:
            family.add_metric([project, app], value)  # type: ignore[attr-defined]
        info.add_metric([project, app], {})
    families += [info, GaugeMetricFamily("coloc_plain", documentation, value=1)]
    piece = encode("any", families)
    assert piece.text == text_of(Families(families))
    assert piece.openmetrics + b"# EOF\n" == openmetrics_of(Families(families))  # type: ignore[no-untyped-call]


def test_what_was_asked_once_is_ready_for_the_next_scrape_and_nothing_else() -> None:
    last, now = expose([]), expose([])
    assert last.text_gzip
    keep_ready(last, now)
    assert {"text", "text_gzip"} == vars(now).keys() & set(FORMS)
    keep_ready(None, now)
