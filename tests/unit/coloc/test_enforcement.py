"""What coloc.yml may ask to be enforced, and how a mistake there is told."""

from __future__ import annotations

import pytest

from coloc.config.projects import RESOURCES, Quotas
from coloc.config.reading import parse_config
from coloc.config.values import Limit
from coloc.config.whole import Config
from coloc.errors import ConfigError

SMALLEST = "coloc: {name: a}\n"


def parse(text: str) -> Config:
    return parse_config((SMALLEST + text).encode(), "coloc.yml")


def problem(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    (line,) = str(caught.value).splitlines()
    return line.partition(", ")[2]


def test_without_the_key_nothing_is_enforced() -> None:
    config = parse("projects: {x: {quotas: {cpu: 2, allow: hard}}}\n")
    assert config.enforce is None
    assert config.projects["x"].enforce == ()


@pytest.mark.parametrize(
    ("written", "slices"), [("slices", True), ("{slices: true}", True), ("{}", False), ("", False)]
)
def test_slices_is_a_word_or_a_key(written: str, slices: bool) -> None:
    config = parse(f"enforce: {written}\n")
    assert config.enforce is not None
    assert (config.enforce.slices, config.enforce.simulate_for) == (slices, 14 * 86400)


def test_every_resource_has_a_quota_and_those_that_can_be_slowed_are_enforced() -> None:
    numbers = ", ".join(f"{resource}: 5" for resource in RESOURCES)
    slowed = ", ".join(resource for resource in RESOURCES if resource != "network")
    config = parse(f"enforce: slices\nprojects: {{x: {{quotas: {{{numbers}}}, enforce: [{slowed}]}}}}\n")
    assert [resource for resource, _ in config.projects["x"].quotas.limits()] == list(RESOURCES)


def test_a_limit_has_its_own_grace_and_permission_or_those_of_all() -> None:
    quotas = (
        parse("projects: {x: {quotas: {cpu: {hard: 2, grace: 10m, allow: throttle}, memory: 1G, grace: 2d}}}\n")
        .projects["x"]
        .quotas
    )
    limits = dict(quotas.limits())
    assert limits["cpu"].soft == pytest.approx(1.6)
    assert [quotas.grace_of(limits[name]) for name in ("cpu", "memory")] == [600, 2 * 86400]
    assert [quotas.allowed(limits[name]) for name in ("cpu", "memory")] == ["throttle", "warn"]
    assert Quotas().allowed(Limit(soft=1, hard=2)) == "warn"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "projects: {x: {quotas: {cpu: 1}, enforce: [cpu]}}\n",
            "line 2: projects.x.enforce.0: needs slices: write enforce: slices at the left margin",
        ),
        (
            "enforce: slices\nprojects: {x: {quotas: {cpu: 1}, enforce: [memory]}}\n",
            "line 3: projects.x.enforce.0: has no limit: write quotas: {memory: …} beside it",
        ),
        (
            "projects: {x: {}}\napps: {a: {shared_by: {x: 1}, quotas: {disk: 1G}, enforce: [disk]}}\n",
            "line 3: apps.a.enforce.0: is of a shared app, which is never acted on for one project alone; "
            "agree with all and leave it out",
        ),
        ("enforce: {slice: true}\n", "line 2: enforce.slice: is not a key that I know; did you mean 'slices'?"),
    ],
)
def test_what_cannot_be_enforced_is_told_with_what_to_write(text: str, words: str) -> None:
    assert problem(text) == words


def test_network_is_told_and_never_slowed() -> None:
    assert "projects.x.enforce.0: is 'network'; write one of 'cpu'" in problem(
        "enforce: slices\nprojects: {x: {quotas: {network: 1M}, enforce: [network]}}\n"
    )


@pytest.mark.parametrize("written", ["5", "[1]", "[{a: b}]", "{cpu: 1}", "all"])
def test_a_list_of_another_form_is_a_mistake_and_nothing_worse(written: str) -> None:
    assert "enforce" in problem(f"enforce: slices\nprojects: {{x: {{quotas: {{cpu: 1}}, enforce: {written}}}}}\n")
