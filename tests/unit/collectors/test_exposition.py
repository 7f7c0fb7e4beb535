"""The ready bytes: both formats, compressed and not, whole and filtered."""

from __future__ import annotations

import gzip

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from collectors.exposition import encode, expose, only


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
