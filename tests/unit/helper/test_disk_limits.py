"""A project with too many files gets a little room, then none; what others set is left alone, what is ours is found."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coloc.agreed import AgreedLimit, Target
from coloc.errors import ColocError
from helper.disk_limits import DiskActuator, DiskTraces
from helper.disk_setup import Mounted, mounted, plan_for
from helper.kernel_quota import BLOCK, LinuxKernel, Marks, devices, ours_from

LIMIT = AgreedLimit(8e9, 10e9, "hard")
DISK = "/dev/vda1"


class FakeKernel:
    """Users' quotas of one disk."""

    def __init__(self, *, on: bool = True) -> None:
        self.on = on
        self.used = {(1001, False): 9_000_000, (1002, False): 2_000_000, (1001, True): 500, (1002, True): 7}
        self.limits: dict[tuple[int, bool], tuple[int, int]] = {}

    def get(self, device: str, uid: int, *, files: bool) -> Marks:
        self._check(device)
        return Marks(*self.limits.get((uid, files), (0, 0)), self.used.get((uid, files), 0))

    def set(self, device: str, uid: int, soft: int, hard: int, *, files: bool) -> None:
        self._check(device)
        self.limits[uid, files] = soft, hard

    def users(self, device: str) -> Iterator[int]:
        self._check(device)
        yield from sorted({uid for uid, _ in (*self.used, *self.limits)})

    def held(self) -> dict[tuple[int, bool], tuple[int, int]]:
        return {key: marks for key, marks in self.limits.items() if any(marks)}

    def _check(self, device: str) -> None:
        if not self.on or device != DISK:
            raise OSError(errno.ESRCH, "No such process")


class Machine:
    """A disk in a folder, with a project's folder on it."""

    def __init__(self, folder: Path, *, on: bool = True) -> None:
        self.kernel, self.mounts = FakeKernel(on=on), folder / "mountinfo"
        number = folder.stat().st_dev
        self.mounts.write_text(f"22 1 {os.major(number)}:{os.minor(number)} / {folder} rw shared:1 - ext4 {DISK} rw\n")
        self.target = Target("velo", "", (), (1001, 1002), (str(folder),), (), (), {})

    def actuator(self, resource: str = "disk") -> DiskActuator:
        return DiskActuator(resource, kernel=self.kernel, mounts=self.mounts)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("resource", ["disk", "files"])
def test_a_little_room_then_none_then_all_of_it_back(machine: Machine, resource: str) -> None:
    actuator, files = machine.actuator(resource), resource == "files"
    assert actuator.cannot(machine.target) == ""
    assert not actuator.read_back(machine.target, "throttle", LIMIT).stands
    actuator.apply(machine.target, "throttle", LIMIT)
    assert actuator.read_back(machine.target, "throttle", LIMIT).stands
    soft, hard = machine.kernel.limits[1001, files]
    used = machine.kernel.used[1001, files]
    assert used <= soft < hard
    assert hard - used <= LIMIT.hard * 0.02 / (1 if files else BLOCK) + 2 * ours_from(1) + 4096
    actuator.apply(machine.target, "hard", LIMIT)
    found = actuator.read_back(machine.target, "hard", LIMIT)
    assert (found.stands, machine.kernel.limits[1001, files]) == (True, (soft, soft))
    actuator.undo(machine.target)
    assert machine.kernel.held() == {}
    assert not actuator.read_back(machine.target, "hard", LIMIT).stands


def test_asked_for_again_and_again_it_does_not_creep_upwards(machine: Machine) -> None:
    actuator = machine.actuator()
    actuator.apply(machine.target, "throttle", LIMIT)
    before = machine.kernel.held()
    machine.kernel.used[1001, False] += 100_000
    actuator.apply(machine.target, "throttle", LIMIT)
    assert machine.kernel.held() == before


def test_what_somebody_else_set_is_left_alone(machine: Machine) -> None:
    machine.kernel.limits[1002, False] = (5000, 6000)
    actuator = machine.actuator()
    assert "somebody else's" in actuator.cannot(machine.target)
    with pytest.raises(ColocError):
        actuator.apply(machine.target, "throttle", LIMIT)
    actuator.undo(machine.target)
    assert machine.kernel.held() == {(1002, False): (5000, 6000)}


def test_where_the_filesystem_keeps_no_quotas_it_says_how_to_begin(tmp_path: Path) -> None:
    machine = Machine(tmp_path, on=False)
    for target in (None, machine.target):
        assert "quota setup-disk" in machine.actuator().cannot(target)
    machine.actuator().undo(machine.target)


def test_whose_users_they_were_is_not_guessed(machine: Machine) -> None:
    nobody = replace(machine.target, uids=())
    assert "no user" in machine.actuator().cannot(nobody)
    with pytest.raises(ColocError, match="nobody knows any more"):
        machine.actuator().undo(nobody)


def test_limits_of_ours_are_found_again_without_any_memory(machine: Machine) -> None:
    machine.kernel.limits[1003, False] = (5000, 6000)
    machine.actuator().apply(machine.target, "hard", LIMIT)
    machine.actuator("files").apply(machine.target, "throttle", LIMIT)
    traces = DiskTraces(kernel=machine.kernel, mounts=machine.mounts)
    assert [trace.undo.split()[2] for trace in traces.find()] == ["1001", "1002"]
    traces.undo_all()
    assert machine.kernel.held() == {(1003, False): (5000, 6000)}
    assert list(traces.find()) == []


@given(st.integers(0, 2**50))
def test_a_limit_of_ours_is_never_below_what_was_wanted_and_little_above(wanted: int) -> None:
    found = ours_from(wanted)
    assert wanted <= found < wanted + 4096 + 1734
    assert Marks(found, found, 0).is_ours


def test_this_machine_s_own_kernel_is_asked_without_harm() -> None:
    for device in {*devices(Path("/proc/self/mountinfo").read_text()).values(), "/dev/null"}:
        try:
            marks = LinuxKernel().get(device, 0, files=False)
        except OSError:
            continue
        assert marks.used >= 0
    assert list(DiskTraces().find()) == []


EXT4 = Mounted("/", "ext4", "/dev/vda1", frozenset({"rw", "relatime"}))


@pytest.mark.parametrize(
    ("disk", "facts", "words"),
    [
        (EXT4, {"keeps_quotas": True}, "already"),
        (replace(EXT4, kind="xfs"), {}, "takes quotas only while it is mounted"),
        (replace(EXT4, kind="btrfs"), {}, "keeps no quotas of users"),
        (replace(EXT4, options=frozenset({"ro"})), {}, "is read-only"),
        (EXT4, {"has_tools": False}, "apt install quota"),
    ],
)
def test_what_cannot_be_set_up_is_refused_in_one_sentence(disk: Mounted, facts: dict[str, bool], words: str) -> None:
    known = {"keeps_quotas": False, "has_tools": True, "has_feature": False} | facts
    plan = plan_for(disk, **known)
    assert words in plan.refused
    assert plan.steps == ()


@pytest.mark.parametrize("has_feature", [True, False])
def test_the_feature_of_ext4_is_never_switched_on(has_feature: bool) -> None:
    plan = plan_for(EXT4, keeps_quotas=False, has_tools=True, has_feature=has_feature)
    assert not plan.refused
    assert plan.steps[-1] == ("quotaon", "-vu", "/")
    assert not any("tune2fs" in step for step in plan.steps)
    assert len(plan.steps) == (1 if has_feature else 3)


def test_whole_disks_are_seen_where_they_are_mounted() -> None:
    lines = (
        "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"
        "23 1 254:2 / /srv/my\\040data rw - ext4 /dev/vdb rw\n"
        "24 1 254:1 /var /mnt/bind rw - ext4 /dev/vda1 rw\n"
        "25 1 0:5 / /proc rw - proc proc rw\nnonsense\n"
    )
    assert set(mounted(lines)) == {"/", "/srv/my data"}
    assert mounted(lines)["/"].options == {"rw", "relatime", "errors=remount-ro"}
