"""Who is charged what: every rule of the ledger, and that nothing is charged twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.cpu_ledger import CpuLedger, Look, Used


def used(pid: int, app: str | None, own: int = 0, kids: int = 0, parent: int = 1) -> Used:
    return Used(pid, parent, (own, 0), (kids, 0), app)


def look(
    machine: int,
    *,
    stayed: list[tuple[Used, Used]] | None = None,
    born: list[Used] | None = None,
    gone: list[Used] | None = None,
) -> Look:
    return Look(stayed or [], born or [], gone or [], (machine, 0), 500.0)


def charged(*looks: Look) -> dict[str, float]:
    ledger = CpuLedger()
    for each in looks:
        ledger.add(each)
    return {app: ticks[0] for app, ticks in ledger.apps.items()}


def test_what_happened_before_the_first_look_is_charged_to_nobody() -> None:
    assert charged(look(1000, born=[used(5, "blog", own=900)])) == {}


def test_a_process_is_charged_what_it_used_since() -> None:
    after = look(1100, stayed=[(used(5, "blog", own=900), used(5, "blog", own=960))])
    assert charged(look(1000), after) == {"blog": 60, "_system": 40}


def test_a_new_process_is_charged_all_it_used() -> None:
    assert charged(look(1000), look(1100, born=[used(9, "blog", own=30)])) == {"blog": 30, "_system": 70}


def test_children_that_came_and_went_are_their_parent_s() -> None:
    after = look(1100, stayed=[(used(5, "blog", kids=10), used(5, "blog", kids=55))])
    assert charged(look(1000), after) == {"blog": 45, "_system": 55}


def test_a_child_that_died_is_charged_its_end_once() -> None:
    child = used(6, "blog", own=40, parent=5)
    after = look(1100, stayed=[(used(5, "blog"), used(5, "blog", kids=47))], gone=[child])
    assert charged(look(1000, born=[child]), after) == {"blog": 7, "_system": 93}


def test_a_worker_s_end_is_its_app_s_though_its_master_is_root_s() -> None:
    worker = used(6, "blog", own=40, parent=5)
    after = look(1100, stayed=[(used(5, None), used(5, None, kids=47))], gone=[worker])
    assert charged(look(1000, born=[worker]), after) == {"blog": 7, "_system": 93}


def test_workers_of_two_apps_that_end_together_share_their_ends_by_what_they_used_lately() -> None:
    begun = [used(6, "blog", parent=5), used(7, "wiki", parent=5), used(8, "idle", own=50, parent=5)]
    busy = [used(6, "blog", own=30, parent=5), used(7, "wiki", own=10, parent=5)]
    working = look(1100, stayed=list(zip(begun, busy, strict=False)))
    after = look(1200, stayed=[(used(5, None), used(5, None, kids=130))], gone=[*busy, begun[2]])
    assert charged(look(1000, born=begun), working, after) == {"blog": 60, "wiki": 20, "_system": 120}


def test_workers_of_two_apps_that_end_together_after_idling_leave_their_ends_to_nobody() -> None:
    gone = [used(6, "blog", own=40, parent=5), used(7, "wiki", own=10, parent=5)]
    after = look(1100, stayed=[(used(5, None), used(5, None, kids=60))], gone=gone)
    assert charged(look(1000, born=gone), after) == {"_system": 100}


def test_a_worker_cannot_have_used_more_than_the_time_between_two_looks() -> None:
    worker = used(6, "blog", own=40, parent=5)
    after = look(9000, stayed=[(used(5, None), used(5, None, kids=2040))], gone=[worker])
    assert charged(look(1000, born=[worker]), after) == {"blog": 500, "_system": 7500}


def test_a_family_that_died_is_subtracted_where_its_ancestor_reaps_it() -> None:
    child, grandchild = used(6, "blog", own=10, parent=5), used(7, "blog", own=20, parent=6)
    after = look(1100, stayed=[(used(5, "blog"), used(5, "blog", kids=33))], gone=[child, grandchild])
    assert charged(look(1000, born=[child, grandchild]), after) == {"blog": 3, "_system": 97}


def test_a_worker_that_ended_while_we_looked_is_told_by_its_master_later_and_charged_once() -> None:
    blog, wiki = used(6, "blog", own=40, parent=5), used(7, "wiki", own=30, parent=5)
    ended = look(1100, gone=[blog])  # its master was looked at a moment before
    told = look(1200, stayed=[(used(5, None), used(5, None, kids=78))], gone=[wiki])
    assert charged(look(1000, born=[blog, wiki]), ended, told) == {"_system": 200}
    alone = look(1200, stayed=[(used(5, None), used(5, None, kids=44))])
    assert charged(look(1000, born=[blog]), ended, alone) == {"blog": 4, "_system": 196}


def test_a_child_that_ended_while_we_looked_is_charged_once_to_its_parent_s_app() -> None:
    child = used(6, "blog", own=40, parent=5)
    told = look(1200, stayed=[(used(5, "blog"), used(5, "blog", kids=47))])
    assert charged(look(1000, born=[child]), look(1100, gone=[child]), told) == {"blog": 7, "_system": 193}


def test_of_two_that_ended_the_one_that_was_told_is_settled_first() -> None:
    dead = [used(6, "blog", own=40, parent=5), used(7, "wiki", own=10, parent=5)]
    first = look(1100, stayed=[(used(5, None), used(5, None, kids=12))], gone=dead)
    second = look(1200, stayed=[(used(5, None, kids=12), used(5, None, kids=57))])
    assert charged(look(1000, born=dead), first, second) == {"wiki": 2, "blog": 5, "_system": 193}


def test_who_is_awaited_passes_to_the_ancestor_when_the_parent_ends_too() -> None:
    parent, child = used(6, "blog", own=10, parent=5), used(7, "blog", own=40, parent=6)
    ended = [look(1100, gone=[child]), look(1200, gone=[parent])]
    told = look(1300, stayed=[(used(5, "blog"), used(5, "blog", kids=53))])
    assert charged(look(1000, born=[parent, child]), *ended, told) == {"blog": 3, "_system": 297}


def test_a_parent_that_never_tells_does_not_weigh_on_for_ever() -> None:
    child = used(6, "blog", own=40, parent=5)
    silence = [look(1100 + 100 * number) for number in range(5)]
    told = look(1700, stayed=[(used(5, "blog"), used(5, "blog", kids=7))])
    assert charged(look(1000, born=[child]), look(1050, gone=[child]), *silence, told)["blog"] == 7


def test_orphans_reaped_by_the_first_process_are_nobody_s() -> None:
    orphan = used(6, "blog", own=10, parent=1)
    after = look(1100, stayed=[(used(1, None), used(1, None, kids=90))], gone=[orphan])
    assert charged(look(1000, born=[orphan]), after) == {"_system": 100}


def test_what_passes_through_a_parent_is_never_more_than_the_machine_used() -> None:
    # An orphan that was charged for long is reaped by another process of its app.
    after = look(1010, stayed=[(used(5, "blog"), used(5, "blog", kids=5000))])
    assert charged(look(1000), after) == {"blog": 20, "_system": 0}  # ten ticks are left to rounding


def test_what_was_charged_too_early_is_held_back_from_the_rest() -> None:
    first = look(1010, stayed=[(used(5, "blog"), used(5, "blog", own=13))])
    second = look(1020, stayed=[(used(5, "blog", own=13), used(5, "blog", own=15))])
    assert charged(look(1000), first, second) == {"blog": 15, "_system": 5}


TICKS = st.integers(0, 300)


@settings(deadline=None)
@given(
    st.lists(st.tuples(TICKS, TICKS, TICKS, TICKS, st.booleans(), st.sampled_from(["blog", "wiki", None])), max_size=25)
)
def test_sums_only_grow_and_never_exceed_what_was_used(
    steps: list[tuple[int, int, int, int, bool, str | None]],
) -> None:
    ledger, before, machine, spent = CpuLedger(), used(5, "blog"), 0, 0
    ledger.add(look(0))
    earlier: dict[str, float] = {}
    for number, (own, kids, others, born, dies, app) in enumerate(steps):
        now = used(5, "blog", own=before.own[0] + own, kids=before.kids[0] + kids)
        newcomer = used(100 + number, app, own=born, parent=5)
        machine += own + kids + others + born
        spent += own + kids + others + born
        gone = [used(50, app, own=kids // 2, parent=5)] if dies else []
        ledger.add(look(machine, stayed=[(before, now)], born=[newcomer], gone=gone))
        before = now
        sums = {name: ticks[0] for name, ticks in ledger.apps.items()}
        assert all(sums[name] >= value for name, value in earlier.items())
        assert sum(sums.values()) <= spent + 1e-6
        earlier = sums
