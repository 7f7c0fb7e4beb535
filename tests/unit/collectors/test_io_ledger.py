"""Bytes charged to apps: workers that die, masters that pass on, orphans, and sums that only grow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collectors.io_ledger import IoLedger, Key, Moved
from coloc.model import SYSTEM

MASTER, WORKER = 50, 51


def looks(*found: list[Moved]) -> dict[str, list[float]]:
    ledger = IoLedger()
    for processes in found:
        ledger.add({(process.pid, 1): process for process in processes})
    return ledger.apps


def master(moved: int, *, passes_on: bool = True) -> Moved:
    return Moved(MASTER, 1, None, (moved, 0), passes_on=passes_on)


def worker(moved: int, app: str | None = "blog", pid: int = WORKER) -> Moved:
    return Moved(pid, MASTER, app, (moved, 0))


def test_what_was_before_the_first_look_is_not_charged() -> None:
    assert looks([worker(900)], [worker(1000)]) == {"blog": [100, 0]}


def test_a_process_that_was_born_since_is_charged_all_of_it() -> None:
    assert looks([], [worker(40)]) == {"blog": [40, 0]}


def test_what_a_worker_did_is_not_charged_again_to_who_reaps_it() -> None:
    assert looks([master(0)], [master(0), worker(70)], [master(70)]) == {"blog": [70, 0]}


def test_a_pool_s_master_passes_the_last_bytes_of_its_worker_on() -> None:
    assert looks([master(0)], [master(0), worker(70)], [master(100)]) == {"blog": [100, 0]}


def test_of_workers_of_two_apps_nobody_knows_whose_the_last_bytes_were() -> None:
    both = [master(0), worker(70), worker(10, "wiki", pid=52)]
    assert looks([master(0)], both, [master(100)]) == {"blog": [70, 0], "wiki": [10, 0], SYSTEM: [20, 0]}


def test_another_parent_of_no_app_keeps_what_it_wrote_itself() -> None:
    script = [master(0, passes_on=False), worker(70)]
    assert looks(script, script, [master(5000, passes_on=False)]) == {SYSTEM: [4930, 0]}


def test_a_parent_that_did_not_reap_keeps_its_own() -> None:
    app = Moved(MASTER, 1, "blog", (10, 0))
    later = Moved(MASTER, 1, "blog", (40, 0))
    assert looks([app, worker(500)], [later]) == {"blog": [30, 0]}


def test_what_the_first_process_reaps_is_nobody_s() -> None:
    assert looks([Moved(1, 0, None, (0, 0))], [Moved(1, 0, None, (999, 0))]) == {}


def test_a_pause_charges_nothing_and_keeps_the_sums() -> None:
    ledger = IoLedger()
    for moved in (0, 10):
        ledger.add({(WORKER, 1): worker(moved)})
    ledger.pause()
    ledger.add({(WORKER, 1): worker(500)})
    assert ledger.apps == {"blog": [10, 0]}


PROCESSES = st.dictionaries(
    st.tuples(st.integers(1, 6), st.integers(0, 1)),
    st.tuples(st.integers(0, 6), st.sampled_from([None, "a", "b"]), st.integers(0, 2**64), st.booleans()),
    max_size=6,
)


@given(st.lists(PROCESSES, max_size=6))
def test_sums_never_shrink_whatever_proc_says(story: list[dict[Key, tuple[int, str | None, int, bool]]]) -> None:
    ledger = IoLedger()
    before: dict[str, list[float]] = {}
    for look in story:
        ledger.add({key: Moved(key[0], w[0], w[1], (w[2], w[2] // 2), passes_on=w[3]) for key, w in look.items()})
        assert all(new >= old for app, sums in before.items() for old, new in zip(sums, ledger.apps[app], strict=True))
        before = {app: list(sums) for app, sums in ledger.apps.items()}
