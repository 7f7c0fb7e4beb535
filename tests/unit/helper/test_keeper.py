"""The helper does what was agreed on and nothing else; it holds what the kernel says, and a kill loses nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coloc.agreed import Agreed, AgreedApp, AgreedLimit, AgreedProject, parse_agreed, slice_folder, slice_name, to_text
from coloc.errors import StateError
from coloc.verbs import RESOURCES, STEPS, VERBS, Answer, Ask, Held, Refused, parse_request, request_line
from coloc.yunohost_lock import yunohost_at_work
from helper.journal import CONFIRMED_FOR, confirm, read_confirmed, read_held, write_held
from helper.keeper import Keeper
from helper.means import means_of
from tests.fakes.slices import FakeSystemd

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LIMITS = {
    "cpu": AgreedLimit(0.5, 1, "hard"),
    "memory": AgreedLimit(50e6, 60e6, "hard"),
    "processes": AgreedLimit(20, 30, "throttle"),
    "io": AgreedLimit(1e6, 2e6, "throttle"),
}
AGREED = Agreed(
    slices=True,
    projects={
        "velo": AgreedProject(
            200, LIMITS, {"blog": AgreedApp(units=("blog.service",), limits={"cpu": AgreedLimit(1, 2, "throttle")})}
        ),
        "chorale": AgreedProject(100, {"cpu": AgreedLimit(1, 1, "warn")}),
    },
)
SLICE = "coloc-velo.slice"


class World:
    """A helper in a folder, its systemd and its kernel."""

    def __init__(self, folder: Path, **systemd: bool | str) -> None:
        self.folder = folder / "helper"
        self.systemd = FakeSystemd(folder / "cgroup", **systemd)  # type: ignore[arg-type]
        self.lock, self.proc = folder / "lock", folder / "proc"
        self.said: list[str] = []
        self.owners: dict[int, int] = {}
        self.agreed = AGREED

    def ask(self, verb: str, *arguments: str | float | None, now: datetime = NOW) -> Answer:
        ask = Ask(verb, **dict(zip(VERBS[verb], arguments, strict=True)))  # type: ignore[arg-type]
        means = means_of(
            self.said.append,
            run=self.systemd.run,
            cgroups=self.systemd.cgroups,
            lock=self.lock,
            proc=self.proc,
            owner=self.owners.get,
        )
        return Keeper(self.folder, self.agreed, means).obey(parse_request(request_line(ask)[:-1]), now)

    def hold(self, resource: str, step: str = "throttle", *, app: str = "", used: float | None = 2.0) -> Answer:
        return self.ask("hold", "velo", app, resource, step, used)

    def release(self, resource: str, app: str = "") -> Answer:
        return self.ask("release", "velo", app, resource)


@pytest.fixture
def world(tmp_path: Path) -> World:
    found = World(tmp_path)
    found.systemd.begin(SLICE)
    return found


@pytest.mark.parametrize(
    ("resource", "file", "throttled", "hard"),
    [
        ("cpu", "cpu.max", "100000 100000", "50000 100000"),
        ("memory", "memory.high", "60000000", "60000000"),
        ("memory", "memory.max", "max", "75000000"),
        ("processes", "pids.max", "30", ""),
        ("io", "io.max", "253:0 rbps=2000000 wbps=2000000 riops=max wiops=max", ""),
    ],
)
def test_a_step_is_held_read_back_and_given_back(
    world: World, resource: str, file: str, throttled: str, hard: str
) -> None:
    before = world.systemd.shown(SLICE, file)
    (held,) = world.hold(resource).held
    assert world.systemd.shown(SLICE, file) == throttled
    assert (held.step, held.since, held.used, held.stands) == ("throttle", NOW, 2.0, True)
    assert held.call.startswith("systemctl set-property --runtime -- coloc-velo.slice ")
    assert held.did
    assert file in held.file or file == "memory.max"
    if hard:
        confirm(world.folder, ("velo", "", resource, "hard"), NOW, "root")
        assert world.hold(resource, "hard").why == ""
        assert world.systemd.shown(SLICE, file) == hard
        assert world.hold(resource, "throttle").why == ""  # one step back
        assert world.systemd.shown(SLICE, file) == throttled
    answer = world.release(resource)
    assert (answer.why, answer.held, world.systemd.shown(SLICE, file)) == ("", (), before)


def test_a_hard_bound_of_memory_lies_above_what_is_used_and_comes_down_with_it(world: World) -> None:
    folder = world.systemd.begin(SLICE, **{"memory.current": "200000000"})
    confirm(world.folder, ("velo", "", "memory", "hard"), NOW, "root")
    world.hold("memory")
    world.hold("memory", "hard")
    assert world.systemd.shown(SLICE, "memory.max") == "250000000"
    (folder / "memory.current").write_text("10000000\n")
    (held,) = world.ask("read").held
    assert not held.stands  # the daemon asks for it again
    world.hold("memory", "hard")
    assert world.systemd.shown(SLICE, "memory.max") == "75000000"


def test_a_bound_of_tasks_is_never_below_what_runs(world: World) -> None:
    world.systemd.begin(SLICE, **{"pids.current": "100"})
    world.hold("processes")
    assert int(world.systemd.shown(SLICE, "pids.max")) == 111


def test_an_app_is_held_by_a_slice_of_its_own(world: World) -> None:
    world.systemd.begin("coloc-velo-blog.slice")
    assert world.hold("cpu", app="blog").why == ""
    assert world.systemd.shown("coloc-velo-blog.slice", "cpu.max") == "200000 100000"
    assert world.systemd.shown(SLICE, "cpu.max") == "max 100000"


def test_where_nothing_runs_in_the_slice_yet_it_says_so(tmp_path: Path) -> None:
    (held,) = World(tmp_path).hold("cpu").held
    assert held.stands
    assert held.pending.startswith("pending restart")


def test_units_that_run_elsewhere_are_pending(world: World) -> None:
    world.systemd.groups["blog.service"] = "/system.slice/blog.service"
    assert world.ask("read").pending == {"blog.service": "pending restart: not yet in coloc-velo-blog.slice"}
    world.systemd.groups["blog.service"] = "/coloc.slice/coloc-velo.slice/coloc-velo-blog.slice/blog.service"
    assert world.ask("read").pending == {}


@pytest.mark.parametrize("controllers", ["", "cpuset"])
def test_where_the_kernel_has_no_controllers_nothing_is_ordered(tmp_path: Path, controllers: str) -> None:
    world = World(tmp_path, controllers=controllers)
    answer = world.hold("cpu")
    assert "cannot be enforced here" in answer.why
    assert {"cpu", "memory", "processes", "io"} <= set(answer.cannot)
    assert (answer.held, [call for call in world.systemd.calls if "set-property" in call]) == ((), [])


def test_a_systemd_that_says_yes_and_does_nothing_is_not_believed(tmp_path: Path) -> None:
    world = World(tmp_path, deaf=True)
    world.systemd.begin(SLICE)
    answer = world.hold("cpu")
    assert "cannot be enforced here: after `systemctl set-property" in answer.why
    assert "says 'max 100000'" in answer.why
    assert answer.held == ()
    assert world.systemd.calls[-1] != ()


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (("hold", "nobody", "", "cpu", "throttle", 1), "nobody is not among what was agreed on"),
        (("hold", "velo", "wiki", "cpu", "throttle", 1), "velo/wiki is not among what was agreed on"),
        (("hold", "chorale", "blog", "cpu", "throttle", 1), "chorale/blog is not among what was agreed on"),
        (("hold", "velo", "", "disk", "throttle", 1), "disk of velo may not be acted on"),
        (("hold", "chorale", "", "cpu", "throttle", 1), "chorale agreed to go as far as warn for cpu"),
        (("hold", "velo", "", "io", "hard", 1), "velo agreed to go as far as throttle for io"),
        (("hold", "velo", "", "cpu", "hard", 1), "a human has not confirmed it: coloc-agent quota confirm velo cpu"),
        (("move", "nobody"), "nobody is not among what was agreed on"),
    ],
)
def test_what_was_not_agreed_on_is_refused_in_one_sentence(world: World, ask: tuple[str, ...], why: str) -> None:
    answer = world.ask(*ask)
    assert why in answer.why
    assert "\n" not in answer.why
    assert world.systemd.calls == [("systemctl", "show", "--property=Id,ControlGroup", "--", "blog.service")]
    assert any(line.startswith("refused: ") for line in world.said)


def test_a_confirmation_lasts_a_week_and_is_for_one_step_of_one_limit(tmp_path: Path) -> None:
    confirm(tmp_path, ("velo", "", "cpu", "hard"), NOW, "root")
    assert read_confirmed(tmp_path, NOW + CONFIRMED_FOR - timedelta(seconds=1)) == {("velo", "", "cpu", "hard")}
    assert read_confirmed(tmp_path, NOW + CONFIRMED_FOR) == frozenset()
    assert read_confirmed(tmp_path, NOW - timedelta(days=1)) == frozenset()  # from the future: a clock was wrong
    confirm(tmp_path, ("velo", "", "io", "hard"), NOW + CONFIRMED_FOR, "root")
    assert "cpu" not in (tmp_path / "confirmed.json").read_text()


def test_hard_comes_after_throttle(world: World) -> None:
    confirm(world.folder, ("velo", "", "cpu", "hard"), NOW, "root")
    assert world.hold("cpu", "hard").why == "one step at a time: hard comes after throttle"


def test_while_yunohost_works_nothing_is_held_but_may_be_given_back(world: World) -> None:
    world.hold("cpu")
    world.lock.write_text("77\n")
    assert world.hold("memory").why == ""  # a lock that nobody holds any more
    (world.proc / "77").mkdir(parents=True)
    answer = world.hold("io")
    assert (answer.why, answer.busy) == ("nothing is held now: YunoHost is at work", "YunoHost is at work")
    assert world.release("cpu").why == ""
    assert yunohost_at_work(world.lock.parent / "none", world.proc) == ""


def test_an_order_that_fails_is_taken_back(world: World) -> None:
    world.systemd.fails = lambda argv: any("CPUQuota=100%" in word for word in argv)
    answer = world.hold("cpu")
    assert "systemctl exited with 1" in answer.why
    assert answer.held == ()


def test_what_cannot_even_be_taken_back_stays_written_down(world: World) -> None:
    world.systemd.fails = lambda argv: "set-property" in argv
    (held,) = world.hold("cpu").held
    assert (held.stands, held.call) == (False, "")
    world.systemd.fails = lambda argv: False
    assert world.release("cpu").held == ()


def test_a_helper_killed_before_its_order_is_found_again(world: World) -> None:
    write_held(world.folder, [Held("velo", "", "cpu", "throttle", NOW, 2.0, 1, "", "")])
    (held,) = world.ask("read").held
    assert not held.stands
    assert world.hold("cpu").held[0].stands


def test_a_helper_killed_after_its_order_is_found_again(world: World) -> None:
    world.hold("cpu")
    killed = [replace(each, call="", did="", stands=False) for each in read_held(world.folder).values()]
    write_held(world.folder, killed)
    assert not world.ask("read").held[0].stands
    assert world.hold("cpu").held[0].stands
    assert world.release("cpu").held == ()
    assert world.systemd.shown(SLICE, "cpu.max") == "max 100000"


def test_after_a_reboot_the_kernel_says_that_it_does_not_stand(world: World) -> None:
    world.hold("cpu")
    world.systemd.begin(SLICE)
    assert not world.ask("read").held[0].stands


def test_what_is_agreed_no_longer_can_still_be_given_back(world: World) -> None:
    world.hold("cpu")
    world.agreed = Agreed(slices=True)
    (held,) = world.ask("read").held
    assert not held.stands
    assert world.release("cpu").held == ()
    assert world.systemd.shown(SLICE, "cpu.max") == "max 100000"


def test_giving_back_what_is_not_held_does_nothing(world: World) -> None:
    assert world.release("cpu").why == ""
    assert [call for call in world.systemd.calls if "set-property" in call] == []


@pytest.mark.parametrize("text", ["{", '{"a": 1}', '[{"project": "velo"}]', "[5]", '["\\ud800"]'])
def test_a_damaged_journal_is_told_and_not_written_over(world: World, text: str) -> None:
    world.folder.mkdir()
    (world.folder / "held.json").write_text(text)
    assert "quota undo --all" in world.hold("cpu").why
    assert (world.folder / "held.json").read_text() == text


def test_php_workers_of_the_project_that_run_outside_are_moved_and_nobody_else(world: World) -> None:
    world.agreed = Agreed(projects={"velo": AgreedProject(apps={"blog": AgreedApp(uids=(61_901,))})})
    assert world.ask("move", "velo").why == ""
    folder = world.systemd.cgroups / "system.slice/php8.2-fpm.service"
    folder.mkdir(parents=True)
    other = world.systemd.cgroups / "system.slice/php-other.service"
    other.mkdir()
    (other / "cgroup.procs").write_text("9\n")
    world.owners = {5: 0, 6: 61_901, 7: 61_902, 8: 61_901, 9: 61_901}
    (folder / "cgroup.procs").write_text("5\n6\n7\n8\n")
    assert world.ask("move", "velo").why == ""
    (call,) = (call for call in world.systemd.calls if call[0] == "busctl")
    assert call[5:] == (
        *("StartTransientUnit", "ssa(sv)a(sa(sv))", "coloc-velo-php6.scope", "fail", "3"),
        *("PIDs", "au", "2", "6", "8", "Slice", "s", SLICE, "CollectMode", "s", "inactive-or-failed", "0"),
    )


def test_every_level_of_a_slice_lies_in_the_one_before() -> None:
    assert slice_name("velo", "blog") == "coloc-velo-blog.slice"
    assert slice_folder("coloc-velo-blog.slice") == "coloc.slice/coloc-velo.slice/coloc-velo-blog.slice"
    # A dash in a name is no level: velo-club must not lie inside velo.
    assert slice_name("velo-club") == "coloc-velo\\x2dclub.slice"
    assert slice_folder(slice_name("velo-club")) == "coloc.slice/coloc-velo\\x2dclub.slice"


limits = st.dictionaries(
    st.sampled_from(RESOURCES), st.builds(AgreedLimit, st.floats(1, 9), st.floats(9, 99), st.sampled_from(STEPS))
)
apps = st.builds(
    AgreedApp,
    st.lists(st.just("a.service"), max_size=2).map(tuple),
    st.lists(st.integers(1, 70_000), max_size=2).map(tuple),
    limits=limits,
)


@given(
    st.dictionaries(
        st.text("abc-", min_size=1),
        st.builds(AgreedProject, st.integers(1, 9999), limits, st.dictionaries(st.text("xyz"), apps, max_size=2)),
        max_size=3,
    )
)
def test_what_root_writes_down_is_what_the_helper_reads(projects: dict[str, AgreedProject]) -> None:
    agreed = Agreed(slices=True, projects=projects, database_servers={"pg_port": 5})
    assert parse_agreed(to_text(agreed)) == agreed


@pytest.mark.parametrize("change", ["uids=(0,)", "uids=(-1,)", "units=('../x.service',)", "units=('a;b',)"])
def test_root_is_nobody_s_and_a_unit_is_a_unit(change: str) -> None:
    app = eval(f"AgreedApp({change})")
    with pytest.raises(ValueError, match=r"root is nobody's|is no unit"):
        parse_agreed(to_text(Agreed(projects={"x": AgreedProject(apps={"a": app})})))


def test_a_disk_that_is_full_holds_nothing(world: World) -> None:
    world.folder.parent.joinpath("helper").write_text("in the way")
    with pytest.raises(StateError):
        write_held(world.folder, [])
    assert world.hold("cpu").why
    assert [call for call in world.systemd.calls if "set-property" in call] == []
    with pytest.raises(Refused):
        parse_request(b"{}")
