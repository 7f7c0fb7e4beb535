"""What `quota` and `quota plan` print: the evidence of what is held, what the next step waits for; in two languages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.quota_glance import FRENCH, QuotaGlance
from agent.status import HeldStatus, QuotaStatus, Status
from tests.fakes.daemon_page import NIGHT, sample_status

HELD = HeldStatus(
    "throttle",
    NIGHT,
    1.5,
    1.0,
    "bounded the CPU time of coloc-velo.slice",
    "systemctl set-property …",
    "/cpu.max",
    "100000 100000",
    True,
    "",
)
CPU = QuotaStatus("cpu", 1.5, 0.8, 1.0, "throttle", NIGHT, "nothing", 2, project="velo", app="blog", held=HELD)


def status(**changes: object) -> Status:
    quota = replace(CPU, **changes)  # type: ignore[arg-type]
    return replace(sample_status(), projects=(), app_quotas=(quota,), enforcement=("blog.service: pending restart",))


def test_what_is_held_is_told_with_its_evidence() -> None:
    said = "\n".join(QuotaGlance(status(), "en").quotas())
    for words in (
        "velo/blog",
        "1.5 of 1",
        "bounded the CPU time of coloc-velo.slice: systemctl set-property …",
        "/cpu.max: 100000 100000",
        "blog.service: pending restart",
    ):
        assert words in said
    assert "Simulation" not in said
    assert "does not hold" not in said


def test_what_does_not_hold_is_never_told_as_if_it_did() -> None:
    assert "does not hold" in "\n".join(QuotaGlance(status(held=replace(HELD, stands=False)), "en").quotas())
    pending = QuotaGlance(status(held=replace(HELD, pending="pending restart: nothing runs there")), "en").quotas()
    assert "pending restart: nothing runs there" in "\n".join(pending)


@pytest.mark.parametrize(
    "why",
    [
        "",
        "simulation",
        "simulated first",
        "gives way",
        "cannot enforce here",
        "released by hand",
        "not measured",
        "grace",
        "waits for a human",
        "refused",
    ],
)
def test_every_reason_has_words_in_both_languages(why: str) -> None:
    for language in ("en", "fr"):
        (line,) = QuotaGlance(status(why=why, detail="DETAIL"), language).plan()
        assert "why:" not in line
        assert ("DETAIL" in line) == (
            why in {"simulated first", "gives way", "cannot enforce here", "waits for a human", "refused"}
        )
    assert f"why: {why or 'due'}" in FRENCH
