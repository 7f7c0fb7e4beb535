"""The parsers of /proc: on real captures, on hostile names, on anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.machine import parse_cpu, parse_loadavg, parse_meminfo, parse_pressure
from collectors.ownership import parse_passwd, unit_of
from collectors.procfs import ProcFiles, Stat, is_kernel_thread, parse_cgroup, parse_stat, parse_statm, parse_swap

CAPTURED = Path(__file__).parents[2] / "captured/proc"


def captured(name: str) -> bytes:
    return (CAPTURED / name).read_bytes()


def test_a_name_with_spaces_parentheses_and_newlines_shifts_nothing() -> None:
    stat = parse_stat(captured("linux-6.18.44-hostile-name-stat"))
    assert stat == Stat(parent=7517, user=0, system=0, kids_user=0, kids_system=0, threads=1, start=420582)


def test_the_hostile_process_s_memory_and_place() -> None:
    assert parse_statm(captured("linux-6.18.44-hostile-name-statm")) == 441 - 413
    assert parse_swap(captured("linux-6.18.44-hostile-name-status")) == 0
    assert parse_cgroup(captured("linux-6.18.44-hostile-name-cgroup")) == "/"


def test_a_unit_is_found_in_the_hybrid_hierarchy() -> None:
    path = parse_cgroup(captured("yunohost-12.1-unit-cgroup"))
    assert unit_of(path) == "labdaemon.service"


def test_a_unit_below_a_user_s_manager_is_not_the_system_s() -> None:
    assert unit_of("/user.slice/user-1000.slice/user@1000.service/app.slice/nextcloud.service") == "user@1000.service"


def test_kernel_threads_are_known() -> None:
    stat = parse_stat(captured("linux-6.18.44-kthread-stat"))
    assert stat is not None
    assert is_kernel_thread(2, stat.parent)
    assert is_kernel_thread(77, 2)
    assert not is_kernel_thread(77, 1)


def test_the_machine_s_files() -> None:
    cpu = parse_cpu(captured("linux-6.18.44-stat"))
    assert cpu.user_and_system == (17450 + 10527, 12216 + 0 + 250)
    assert (cpu.processors, cpu.booted_at, cpu.ticks["steal"]) == (2, 1795406580, 740)
    memory = parse_meminfo(captured("linux-6.18.44-meminfo"))
    assert (memory.size, memory.available) == (24684084 * 1024, 24235464 * 1024)
    assert not memory.swapped
    assert parse_loadavg(captured("linux-6.18.44-loadavg")) == (0.47, 0.49, 0.24)
    assert parse_pressure(captured("linux-6.18.44-pressure-io")) == {"some": 69912534, "full": 65449570}


@given(st.binary(max_size=400))
def test_no_input_makes_a_parser_raise(data: bytes) -> None:
    parse_stat(data)
    parse_statm(data)
    parse_swap(data)
    unit_of(parse_cgroup(data))
    assert parse_cpu(data).user_and_system >= (0, 0)
    parse_meminfo(data)
    parse_loadavg(data)
    parse_pressure(data)
    parse_passwd(data)


WORD = st.one_of(st.integers(-(2**70), 2**70).map(lambda number: str(number).encode()), st.binary(max_size=12))
KEYS = st.sampled_from(
    [b"1 (x) ", b"cpu ", b"cpu0 ", b"btime ", b"MemTotal: ", b"\nVmSwap: ", b"some ", b"0::", b"a:x:"]
)


@given(st.lists(st.tuples(KEYS, st.lists(WORD, max_size=25)), max_size=5))
def test_nearly_right_input_neither(lines: list[tuple[bytes, list[bytes]]]) -> None:
    data = b"\n".join(key + b" ".join(words) for key, words in lines)
    for parse in (parse_stat, parse_statm, parse_swap, parse_cpu, parse_meminfo, parse_loadavg, parse_pressure):
        parse(data)
    parse_cgroup(data)
    parse_passwd(data.replace(b" ", b":"))


@given(st.text(max_size=15), st.integers(0, 2**63), st.integers(0, 2**63))
def test_any_name_leaves_the_figures_alone(name: str, user: int, start: int) -> None:
    text = f"7 ({name}) S 3 0 0 0 0 0 0 0 0 0 {user} 2 3 4 20 0 5 0 {start} 0"
    assert parse_stat(text.encode()) == Stat(3, user, 2, 3, 4, 5, start)


def test_a_process_beyond_the_kept_descriptors_is_read_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    folder.mkdir()
    (folder / "stat").write_bytes(b"7 (x) S")
    (folder / "statm").write_bytes(b"1 2 3")
    files = ProcFiles(tmp_path, most_kept=2)
    kept, other = files.open(7), files.open(7)
    assert (kept.stat(), other.stat(), other.memory()) == (b"7 (x) S", b"7 (x) S", b"1 2 3")
    assert other.stat_descriptor == -1
    files.forget(other)
    files.forget(kept)
    files.forget(kept)
    with pytest.raises(FileNotFoundError):
        files.open(8)
