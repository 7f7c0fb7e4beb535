"""How long a host's night lasts, how patiently it waits, in which order apps go, and when a host is nearly full."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backup.host_apps import in_order
from backup.host_time import HostTime, waits
from backup.night import HostResult, nearly_full
from backup.plan import AppPlan
from coloc.model import App

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def plan(app: str) -> AppPlan:
    return AppPlan(App(app, app, app), (), (), (), (), (), ())


@given(st.floats(0, 86_400))
def test_the_pauses_come_to_the_patience_and_grow(patience: float) -> None:
    pauses = list(waits(patience))
    assert sum(pauses) == pytest.approx(patience)
    assert all(pause <= 600 for pause in pauses)
    assert pauses[:-1] == sorted(pauses[:-1])


def test_a_first_upload_of_many_nights_stands_in_nobodys_way() -> None:
    proven = {"blog": NOW, "wiki": NOW - timedelta(days=3)}
    order = in_order([plan(name) for name in ("atlas", "blog", "photos", "wiki")], proven, ["photos"])
    assert [each.app.id for each in order] == ["wiki", "blog", "photos", "atlas"]


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.sets(st.sampled_from("abcdef")), st.data())
def test_every_app_has_its_turn(names: list[str], proven: set[str], data: st.DataObject) -> None:
    known = {name: NOW - timedelta(days=data.draw(st.integers(0, 9))) for name in sorted(proven)}
    order = [each.app.id for each in in_order([plan(name) for name in names], known, [])]
    assert sorted(order) == sorted(names)
    ages = [known[name] for name in order if name in known]
    assert ages == sorted(ages)


def test_the_window_ends_what_runs_and_says_so() -> None:
    open_ended = HostTime(threading.Event(), time.monotonic() + 60, "too long")
    assert (open_ended.is_set(), open_ended.why_over()) == (False, "")
    closed = HostTime(threading.Event(), time.monotonic() + 60, "too long", time.monotonic() - 1, "closed")
    assert (closed.is_set(), closed.why_over(), closed.wait(50)) == (True, "closed", False)
    late = HostTime(threading.Event(), time.monotonic() - 1, "too long")
    assert (late.is_set(), late.why_over()) == (False, "too long")  # a timeout ends what runs
    stop = threading.Event()
    stop.set()
    assert not HostTime(stop, time.monotonic() + 60, "too long").wait(50)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (HostResult("a", True, free_bytes=999_999_999), "less than 1 GB is free there"),
        (HostResult("a", True, free_bytes=2_000_000_000), ""),
        (HostResult("a", True, used_bytes=89, quota_bytes=100), ""),
        (HostResult("a", True, used_bytes=90, quota_bytes=100), "90 % of what we may use there is used"),
        (HostResult("a", True, used_bytes=90), ""),
    ],
)
def test_a_host_that_is_nearly_full_says_so(host: HostResult, words: str) -> None:
    assert nearly_full(host) == words
