"""Turns of checks: in order, on where they stopped, and what was found bad stays bad until it was found good."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backup.check_slices import ARCHIVES, REPOSITORY, CheckTurn, after_repository, sets_after

RUNS = [f"202611{day:02d}T023000Z-abcdef" for day in range(10, 15)]


@given(st.lists(st.tuples(st.sampled_from(["blog", "wiki"]), st.sampled_from(RUNS)), max_size=12), st.integers(1, 4))
def test_every_set_is_checked_once_in_a_turn_however_it_is_cut(sets: list[tuple[str, str]], size: int) -> None:
    names = [f"ruche.{app}.{run}.files" for app, run in sets] + ["stranger", "other.blog.20261110T023000Z-abcdef.files"]
    after, seen = "", list[str]()
    while piece := sets_after(names, "ruche", after)[:size]:
        seen += piece
        after = piece[-1]
    assert sorted(seen) == seen
    assert set(seen) == {f"ruche.{app}.{run}" for app, run in sets}
    assert len(seen) == len(set(seen))


def test_a_damaged_repository_needs_a_whole_clean_turn() -> None:
    bad = after_repository(CheckTurn(), finished=False, failure="segment 3 is broken")
    assert (bad.phase, bad.failure, bad.clean) == (REPOSITORY, "segment 3 is broken", False)
    rest = after_repository(bad, finished=True, failure="")
    assert (rest.phase, rest.failure, rest.clean) == (REPOSITORY, "segment 3 is broken", True)
    half = after_repository(rest, finished=False, failure="")
    assert half.failure
    assert after_repository(half, finished=True, failure="") == CheckTurn(ARCHIVES)
