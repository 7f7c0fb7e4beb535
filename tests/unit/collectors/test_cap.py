"""No family has more series than its cap, nothing is lost in sums, and counters never go backwards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric

from collectors.cap import Cap, Limits
from collectors.exposition import encode
from collectors.sampler import Sampler, folded_families
from tests.fakes.collectors import FakeCollector
from tests.fakes.colocations import colocation, figures

RARE = Path(__file__).parents[2] / "golden/rare.prom"  # families that show only in trouble, for the reference
WEB = ["app", "project", "domain", "code"]


def requests(domains: Iterable[int], *, app: str = "blog", value: float = 1.0) -> Metric:
    family = CounterMetricFamily("coloc_web_requests", "Requests.", labels=WEB)
    for number in domains:
        for code in ("2xx", "5xx"):
            family.add_metric([app, "chorale", f"{number:04}.test", code], value)
    return family


def moments(values: dict[str, float], name: str = "coloc_certificate_expiry_timestamp_seconds") -> Metric:
    family = GaugeMetricFamily(name, "When.", labels=["domain"])
    for domain, value in values.items():
        family.add_metric([domain], value)
    return family


def total(found: dict[str, float], part: str = "") -> float:
    return sum(value for name, value in found.items() if part in name)


def test_a_thousand_domains_of_an_app_make_few_series_and_lose_no_request() -> None:
    cap = Cap()
    found = figures(cap.apply([requests(range(1000))]))
    assert len(found) <= 24
    assert found['coloc_web_requests_total{app="blog",code="5xx",domain="_other",project="chorale"}'] > 900
    assert total(found, "5xx") == 1000
    assert cap.folded["coloc_web_requests_total"] == 2000 - (len(found) - 2)


def test_what_is_below_the_cap_is_passed_on_untouched() -> None:
    cap, family = Cap(), requests(range(12))
    assert cap.apply([family])[0] is family
    assert cap.folded == {}


def test_an_app_that_overflows_does_not_touch_another() -> None:
    both = requests(range(1000))
    both.samples += requests([7], app="wiki").samples
    found = figures(Cap().apply([both]))
    assert found['coloc_web_requests_total{app="wiki",code="2xx",domain="0007.test",project="chorale"}'] == 1


def test_two_hundred_apps_stay_and_five_thousand_do_not() -> None:
    for apps, series in ((200, 200), (5000, 501)):
        family = GaugeMetricFamily("coloc_app_memory_bytes", "Memory.", labels=["app", "project"])
        for number in range(apps):
            family.add_metric([f"app{number}", f"project{number % 7}"], 1)
        found = figures(Cap().apply([family]))
        assert (len(found), total(found)) == (series, apps)
    assert found['coloc_app_memory_bytes{app="_other",project="_other"}'] == 4500


def test_facts_of_apps_beyond_the_cap_do_not_come_back_through_their_other_labels() -> None:
    family = InfoMetricFamily("coloc_app", "Facts.", labels=["app", "project", "domain", "version"])
    for number in range(3000):
        family.add_metric([f"app{number}", "p", f"{number}.test", f"{number}"], {})
    found = figures(Cap().apply([family]))
    assert len(found) <= 500 + 24
    assert set(found.values()) == {1}


def test_a_family_without_apps_has_its_own_cap_and_the_oldest_moment_stays() -> None:
    found = figures(Cap().apply([moments({f"{number:04}.test": 5000.0 - number for number in range(1000)})]))
    assert len(found) == 200
    assert found['coloc_certificate_expiry_timestamp_seconds{domain="_other"}'] == 5000 - 999


def test_of_states_the_worst_stays_and_of_ratios_the_largest() -> None:
    for name, worst in (("coloc_domain_up", 0), ("coloc_domain_used_ratio", 1)):
        values = {
            f"{number:04}.test": float(number != 900 if name.endswith("_up") else number == 900)
            for number in range(999)
        }
        assert figures(Cap().apply([moments(values, name)]))[f'{name}{{domain="_other"}}'] == worst


def test_a_histogram_is_folded_whole() -> None:
    family = HistogramMetricFamily("coloc_web_request_duration_seconds", "Time.", labels=["app", "project", "domain"])
    for number in range(100):
        family.add_metric(["blog", "chorale", f"{number:03}.test"], [("0.1", 1), ("+Inf", 2)], sum_value=0.5)
    found = figures(Cap(Limits(per_owner=10)).apply([family]))
    start = "coloc_web_request_duration_seconds"
    labels = 'app="blog",domain="_other"'
    assert found[f'{start}_bucket{{{labels},le="0.1",project="chorale"}}'] == 91
    assert found[f'{start}_count{{{labels},project="chorale"}}'] == 182
    assert len(found) == 10 * 4


def test_who_has_a_series_keeps_it_when_others_come_before_it() -> None:
    cap = Cap(Limits(per_owner=10))
    first = {name for name in figures(cap.apply([requests(range(500, 600))])) if "_other" not in name}
    later = figures(cap.apply([requests([*range(100), *range(500, 600)])]))
    assert first
    assert first <= set(later)


def test_the_sum_of_the_others_never_goes_backwards() -> None:
    cap = Cap(Limits(per_owner=10))
    before = figures(cap.apply([requests(range(100))]))
    after = figures(cap.apply([requests(range(50))]))
    other = [name for name in before if "_other" in name]
    assert other
    assert all(after[name] >= before[name] for name in other)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.sampled_from("abcdefghij") | st.just("_other") for _ in range(3)]),
        unique=True,
        min_size=1,
        max_size=60,
    )
)
def test_whatever_the_labels_are_the_cap_holds_and_the_sum_stays(rows: list[tuple[str, ...]]) -> None:
    family = GaugeMetricFamily("coloc_x_bytes", "X.", labels=["project", "kind", "domain"])
    for row in rows:
        family.add_metric(list(row), 1)
    limits = Limits(per_owner=3, without_owner=3, owners=4)
    found = figures(Cap(limits).apply([family]))
    assert total(found) == len(rows)
    assert len(found) <= limits.per_owner * (limits.owners + 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sets(st.integers(0, 40), max_size=40), min_size=2, max_size=8))
def test_whoever_comes_and_goes_no_sum_goes_backwards(looks: list[set[int]]) -> None:
    cap, seen = Cap(Limits(per_owner=8)), dict[str, float]()
    for number, domains in enumerate(looks):
        found = figures(cap.apply([requests(sorted(domains), value=number + 1.0)]))
        assert len(found) <= 8
        for name, value in found.items():
            assert value >= seen.get(name, 0.0), name
        seen |= found


def test_the_sampler_caps_what_collectors_find_and_what_the_agent_gives_and_says_so() -> None:
    crowd = FakeCollector("crowd")
    crowd.families = [moments({f"{number}.test": 1.0 for number in range(999)})]
    sampler = Sampler([crowd], colocation)
    sampler.put("house", [requests(range(999))])
    text = sampler.look_once().text.decode()
    sampler.stop()
    assert text.count("\ncoloc_web_requests_total{") <= 24
    assert text.count("\ncoloc_certificate_expiry_timestamp_seconds{") == 200
    assert 'coloc_series_folded_total{family="coloc_web_requests_total"}' in text
    assert 'coloc_series_folded_total{family="coloc_certificate_expiry_timestamp_seconds"} 800.0' in text


def test_what_was_folded_is_exposed_as_the_reference_says() -> None:
    text = encode("agent", list(folded_families({"coloc_web_requests_total": 3}))).text.decode()
    assert text
    assert text in RARE.read_text()
