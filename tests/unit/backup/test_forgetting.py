"""Which archives a forgetting takes: those begun before it was asked for, never those of an app that comes after."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from backup.forgetting import archives_to_forget

ASKED = datetime(2026, 11, 26, 2, 30, 10, 300_000, tzinfo=UTC)


@given(st.integers(-3_000, 3_000))
def test_only_what_was_begun_before_it_was_asked_for_goes(milliseconds: int) -> None:
    begun = ASKED + timedelta(milliseconds=milliseconds)
    name = f"ruche.wiki.{begun:%Y%m%dT%H%M%SZ}-abcdef.files"
    gone = archives_to_forget("ruche", "wiki", [name], ASKED)
    if begun <= ASKED:
        assert gone == [name]
    if begun >= ASKED.replace(microsecond=0) + timedelta(seconds=1):
        assert gone == []


def test_apps_and_colocations_of_other_names_stay() -> None:
    run = f"{ASKED - timedelta(days=1):%Y%m%dT%H%M%SZ}-abcdef"
    others = [f"ruche.wiki2.{run}.files", f"rosa.wiki.{run}.files", "wiki", "ruche.wiki"]
    assert archives_to_forget("ruche", "wiki", others, ASKED) == []
