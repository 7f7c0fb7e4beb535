"""The kernel's log: parsed as hostile text, followed over rotation and truncation, nothing counted twice."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collectors.kernel_log import KernelLog, Kill, KillReader, parse_chosen, parse_killed

CAPTURED = Path(__file__).parents[2] / "captured/kernel/linux-6.18.44-kern.log"
HEAD = b"2026-11-23T12:00:00.1+01:00 house kernel: [ 77.1] "


def chosen(pid: int, uid: int, *, memcg: str, name: str = "php-fpm8.2", limited: str = "") -> bytes:
    where = f"oom_memcg={limited},task_memcg={memcg}" if limited else f"global_oom,task_memcg={memcg}"
    line = f"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,{where},task={name}"
    return HEAD + f"{line},pid={pid},uid={uid}".encode()


def killed(pid: int, uid: int, name: str = "php-fpm8.2") -> bytes:
    rest = f"total-vm:9kB, anon-rss:9kB, file-rss:0kB, shmem-rss:0kB, UID:{uid} pgtables:9kB oom_score_adj:0"
    return HEAD + f"Out of memory: Killed process {pid} ({name}) {rest}".encode()


def test_a_real_kill_is_one_with_its_group() -> None:
    lines = CAPTURED.read_bytes().splitlines()
    assert KillReader().read(lines) == [Kill(15159, 33, "/units-oom")]


def test_a_kill_whose_first_line_the_kernel_left_out_is_told_by_its_account() -> None:
    lines = [chosen(5, 901, memcg="/system.slice/nuage.service"), killed(5, 901), killed(6, 902)]
    assert KillReader().read(lines) == [Kill(5, 901, "/system.slice/nuage.service"), Kill(6, 902)]


def test_the_two_lines_of_a_kill_may_come_in_two_looks() -> None:
    reader = KillReader()
    assert reader.read([chosen(5, 901, memcg="/system.slice/nuage.service")]) == []
    assert reader.read([killed(5, 901)]) == [Kill(5, 901, "/system.slice/nuage.service")]


def test_the_name_of_a_process_cannot_lie() -> None:
    assert parse_chosen(chosen(5, 901, memcg="/a.service", name=",pid=1,uid=0")) == Kill(5, 901, "/a.service")
    assert parse_killed(killed(5, 901, name="), UID:0 pgtab")) == Kill(5, 901)
    assert parse_chosen(chosen(5, 901, memcg="/a.service", name="Killed process ")) == Kill(5, 901, "/a.service")


def test_the_name_of_a_group_that_a_user_made_cannot_lie() -> None:
    limited = "/user.slice/x,task_memcg=/system.slice/nuage.service"
    found = parse_chosen(chosen(5, 901, memcg="/user.slice/x/y", limited=limited))
    assert found is not None
    assert "nuage" not in found.cgroup


def test_lines_that_are_not_the_kernel_s_are_none() -> None:
    line = killed(5, 901).replace(b" kernel: ", b" blog[12]: ")
    assert parse_killed(line) is None
    assert parse_chosen(chosen(5, 901, memcg="/a").replace(b" kernel: ", b" blog[12]: ")) is None


@given(st.lists(st.binary(max_size=300) | st.text(max_size=300).map(str.encode), max_size=5), st.booleans())
def test_no_line_makes_it_raise(parts: list[bytes], first: bool) -> None:
    start = b"oom-kill:constraint=" if first else b"Killed process "
    for kill in KillReader().read([HEAD + start + part for part in parts] + parts):
        assert 0 <= kill.pid < 10**10


def log_in(tmp_path: Path, text: bytes = b"") -> tuple[Path, KernelLog]:
    path = tmp_path / "kern.log"
    path.write_bytes(text)
    log = KernelLog(path)
    log.lines()
    return path, log


def append(path: Path, *lines: bytes) -> None:
    with path.open("ab") as file:
        file.writelines(line + b"\n" for line in lines)


def test_what_was_written_before_the_first_look_is_not_news(tmp_path: Path) -> None:
    path, log = log_in(tmp_path, killed(1, 1) + b"\n")
    append(path, killed(2, 2), b"something else")
    assert log.lines() == [killed(2, 2)]
    assert log.lines() == []
    log.close()


def test_a_line_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    path, log = log_in(tmp_path)
    path.write_bytes(killed(2, 2)[:60])
    assert log.lines() == []
    path.write_bytes(killed(2, 2) + b"\n")
    assert log.lines() == [killed(2, 2)]
    log.close()


def test_rotation_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    path, log = log_in(tmp_path)
    append(path, killed(1, 1))
    old = path.rename(tmp_path / "kern.log.1")
    append(old, killed(2, 2))
    assert log.lines() == [killed(1, 1), killed(2, 2)]
    append(old, killed(3, 3))  # rsyslog has not been told yet
    append(path, killed(4, 4))
    assert log.lines() == [killed(3, 3), killed(4, 4)]
    append(path, killed(5, 5))
    assert log.lines() == [killed(5, 5)]
    log.close()


def test_a_log_that_was_emptied_is_read_from_its_beginning(tmp_path: Path) -> None:
    path, log = log_in(tmp_path, b"x" * 500 + b"\n")
    path.write_bytes(killed(1, 1) + b"\n")
    assert log.lines() == [killed(1, 1)]
    log.close()


def test_the_first_line_after_a_rotation_makes_the_log_and_is_news(tmp_path: Path) -> None:
    (tmp_path / "kern.log.1").touch()
    log = KernelLog(tmp_path / "kern.log")
    assert (log.lines(), log.is_there) == ([], False)
    append(tmp_path / "kern.log", killed(1, 1))
    assert (log.lines(), log.is_there) == ([killed(1, 1)], True)
    log.close()


def test_an_endless_line_keeps_memory_bounded(tmp_path: Path) -> None:
    path, log = log_in(tmp_path)
    append(path, b"x" * 3_000_000 + killed(1, 1), killed(2, 2))
    assert log.lines()[-1] == killed(2, 2)
    log.close()
