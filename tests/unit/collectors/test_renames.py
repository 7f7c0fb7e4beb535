"""A metric that was renamed is sent under both names for one release."""

from __future__ import annotations

import re

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from collectors.exposition import encode
from collectors.renames import RENAMED, with_old_names
from tests.fakes.colocations import figures
from tests.fakes.prometheus import check_metrics


def test_a_renamed_family_comes_under_both_names_with_the_same_figures() -> None:
    family = CounterMetricFamily("coloc_new_seconds", "Time.", labels=["app"])
    family.add_metric(["blog"], 3)
    kept = GaugeMetricFamily("coloc_kept_bytes", "Bytes.", value=1)
    families = list(with_old_names([family, kept], {"coloc_new_seconds": "coloc_old_seconds"}))
    assert figures(families) == {
        'coloc_new_seconds_total{app="blog"}': 3,
        'coloc_old_seconds_total{app="blog"}': 3,
        "coloc_kept_bytes": 1,
    }
    assert check_metrics(encode("x", families).text) == ""


def test_the_table_leads_from_new_names_to_old_ones_that_nothing_else_has() -> None:
    for new, old in RENAMED.items():
        assert re.fullmatch(r"coloc_[a-z0-9_]+", old)
        assert old not in RENAMED
        assert new != old
