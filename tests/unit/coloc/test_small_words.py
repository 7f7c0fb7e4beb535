"""Times, errors, the model and unit names: small words that everything else leans on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coloc.command import CommandFailed, Output
from coloc.errors import ColocError, ConfigError, StateError
from coloc.model import NO_PROJECT, SHARED, App, Colocation, Inventory
from coloc.services import Unit, full_name, parse_show, show
from coloc.services import stop as stop_units
from coloc.times import for_people, iso, now_utc, parse_iso

MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st wants naive bounds


@given(MOMENTS, MOMENTS)
def test_times_as_text_sort_like_times_and_come_back(one: datetime, other: datetime) -> None:
    assert (iso(one) < iso(other)) == (one < other)
    assert parse_iso(iso(one)) == one


def test_a_time_is_one_moment_in_every_zone() -> None:
    moment = datetime(2026, 11, 23, 2, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert iso(moment) == "2026-11-22T21:00:00.000000+00:00"
    assert for_people(moment, ZoneInfo("Asia/Kolkata")) == "2026-11-23 02:30 +05:30"
    assert for_people(moment, ZoneInfo("Europe/Paris")) == "2026-11-22 22:00 +01:00"


def test_a_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="has no offset"):
        parse_iso("2026-11-23T02:30:00")
    assert now_utc().tzinfo is UTC


def test_errors_are_sentences_with_their_exit_codes() -> None:
    assert ColocError("It broke", hint="mend it").sentence() == "It broke — mend it"
    assert ColocError("It broke").sentence() == "It broke"
    assert [kind.exit_code for kind in (ColocError, ConfigError, StateError)] == [1, 2, 3]


def test_a_failed_program_hints_with_the_end_of_what_it_said() -> None:
    error = CommandFailed("borg", Output(2, "", "\n".join(f"line {number}" for number in range(200))))
    assert error.sentence().startswith("borg exited with 2 — ")
    assert error.hint.endswith("line 198 line 199")
    assert len(error.hint) <= 300


def test_an_app_belongs_to_one_project_to_several_or_to_none() -> None:
    apps = {name: App(name, name, name) for name in ("a", "b", "c")}
    colocation = Colocation(Inventory(apps), ("x", "y"), {"a": {"x": 1.0}, "b": {"x": 0.5, "y": 0.5}})
    assert [colocation.project_of(app) for app in ("a", "b", "c", "gone")] == ["x", SHARED, NO_PROJECT, NO_PROJECT]
    assert [app.id for app in colocation.apps_of("x")] == ["a", "b"]


def test_the_folders_of_an_app_are_each_once() -> None:
    assert App("a", "a", "a", install_dir="/x", data_dir="/x").folders == ("/x",)
    assert App("a", "a", "a", data_dir="/y").folders == ("/y",)


@pytest.mark.parametrize("name", ["", "-H", "--help", "a b", "a/b", "a\nb", "x" * 251, "é", "a;b"])
def test_what_cannot_be_a_unit_is_refused(name: str) -> None:
    with pytest.raises(ColocError, match="cannot be the name of a unit"):
        full_name(name)


def test_unit_names_keep_their_suffix() -> None:
    assert [full_name(name) for name in ("blog", "blog.timer", "php8.3-fpm", "a@b", r"a\x2db")] == [
        "blog.service",
        "blog.timer",
        "php8.3-fpm.service",
        "a@b.service",
        r"a\x2db.service",
    ]


@pytest.mark.parametrize(
    ("unit", "up"),
    [
        (Unit("a"), None),
        (Unit("a", active="active"), True),
        (Unit("a", active="failed"), False),
        (Unit("a", active="inactive"), False),
        (Unit("a", active="inactive", type="oneshot", result="success"), True),
        (Unit("a", active="inactive", type="oneshot", result="exit-code"), False),
        (Unit("a", active="failed", type="oneshot", result="exit-code"), False),
    ],
)
def test_when_a_unit_is_up(unit: Unit, up: bool | None) -> None:
    assert unit.up is up


@given(st.text(max_size=200))
def test_whatever_systemctl_says_is_parsed(text: str) -> None:
    for unit in parse_show(text + "\n\nId=x.service\nMainPID=" + text):
        assert unit.main_pid >= 0


def test_without_systemd_nothing_is_known_and_other_failures_are_told() -> None:
    def failing(code: int, stderr: str) -> object:
        def run(*_: object, **__: object) -> Output:
            raise CommandFailed("systemctl", Output(code, "", stderr))

        return run

    for code, stderr in ((127, ""), (1, "System has not been booted with systemd as init system")):
        assert show(["blog"], run=failing(code, stderr)) == {"blog": Unit("blog.service")}  # type: ignore[arg-type]
    with pytest.raises(CommandFailed):
        show(["blog"], run=failing(-9, ""))  # type: ignore[arg-type]


def test_units_are_asked_for_once_in_one_call_and_behind_two_dashes() -> None:
    calls: list[list[str]] = []

    def run(argv: list[str], **_: object) -> Output:
        calls.append(argv)
        return Output(0, "Id=blog.service\nActiveState=active\n", "")

    found = show(["blog", "blog.service", "gone"], run=run)  # type: ignore[arg-type]
    assert [found[name].up for name in ("blog", "blog.service", "gone")] == [True, True, None]
    assert [argv[argv.index("--") :] for argv in calls] == [["--", "blog.service", "gone.service"]]
    stop_units([], run=run)  # type: ignore[arg-type]
    assert len(calls) == 1
