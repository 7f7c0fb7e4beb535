"""Programs really started: every way in which one can hang, flood, lie or leave children behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coloc.command import CommandFailed, cancelled_by, run, start
from coloc.errors import ColocError


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(holds: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def pid_in(path: Path) -> int:
    assert until(lambda: path.exists() and path.read_text().strip() != ""), f"{path} was never written"
    return int(path.read_text())


def test_the_output_and_the_code_come_back() -> None:
    output = run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=10, accept=frozenset({3}))
    assert (output.code, output.stdout, output.stderr) == (3, "out\n", "err")


def test_a_code_that_is_not_accepted_fails_with_the_tail_of_stderr_as_hint() -> None:
    with pytest.raises(CommandFailed, match=r"^sh exited with 4$") as caught:
        run(["sh", "-c", "echo it is closed >&2; exit 4"], timeout=10, accept=frozenset({0, 3}))
    assert caught.value.hint == "it is closed"
    assert caught.value.output.code == 4


def test_a_program_ended_by_a_signal_has_a_negative_code() -> None:
    with pytest.raises(CommandFailed, match="exited with -9"):
        run(["sh", "-c", "kill -9 $$"], timeout=10)


def test_a_program_that_is_not_installed_is_one_sentence() -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["no-such-program-at-all"], timeout=10)
    assert caught.value.sentence() == (
        "no-such-program-at-all is not installed — install no-such-program-at-all, or fix PATH"
    )
    assert caught.value.output.code == 127


def test_a_folder_that_is_missing_is_not_called_a_program_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed) as caught:
        run(["true"], timeout=10, cwd=tmp_path / "gone")
    assert "not installed" not in str(caught.value)
    assert str(tmp_path / "gone") in str(caught.value)


def test_a_file_that_cannot_be_executed_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("nothing")
    with pytest.raises(CommandFailed, match="plain cannot start: Permission denied"):
        run([str(tmp_path / "plain")], timeout=10)


def test_an_input_file_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"cat cannot start: No such file.*dump.sql"):
        run(["cat"], timeout=10, stdin=tmp_path / "dump.sql")


def test_an_output_file_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="echo cannot start"):
        run(["echo"], timeout=10, stdout_to=tmp_path / "gone" / "out")


def test_a_nul_in_an_argument_is_a_sentence_that_does_not_repeat_it() -> None:
    with pytest.raises(CommandFailed, match="echo cannot start") as caught:
        run(["echo", "hunter2\0"], timeout=10)
    assert "hunter2" not in caught.value.sentence()


def test_a_timeout_ends_the_grandchildren_too(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match=r"sh ran longer than 0.5 s and was ended"):
        run(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"], timeout=0.5)
    assert time.monotonic() - began < 3
    assert until(lambda: not is_alive(pid_in(tmp_path / "pid")))


def test_a_program_and_a_grandchild_that_ignore_term_are_killed(tmp_path: Path) -> None:
    began = time.monotonic()
    deaf = f"trap '' TERM; (trap '' TERM; sleep 60) & echo $! > {tmp_path}/pid; while :; do sleep 1; done"
    with pytest.raises(CommandFailed, match="ran longer than") as caught:
        run(["sh", "-c", deaf], timeout=0.3)
    assert caught.value.output.code == -signal.SIGKILL
    assert time.monotonic() - began < 6
    assert until(lambda: not is_alive(pid_in(tmp_path / "pid")))


def test_a_polite_program_with_a_deaf_grandchild_does_not_hang(tmp_path: Path) -> None:
    began = time.monotonic()
    code = f"(trap '' TERM; while :; do sleep 1; done) & echo $! > {tmp_path}/pid; wait"
    with pytest.raises(CommandFailed, match="ran longer than"):
        run(["sh", "-c", code], timeout=0.3)
    assert time.monotonic() - began < 4
    assert until(lambda: not is_alive(pid_in(tmp_path / "pid")))


@pytest.mark.parametrize("redirect", ["", "2>/dev/null", ">/dev/null"])
def test_a_grandchild_that_keeps_a_pipe_does_not_hold_us(tmp_path: Path, redirect: str) -> None:
    began = time.monotonic()
    output = run(["sh", "-c", f"sleep 60 {redirect} & echo $! > {tmp_path}/pid; echo done"], timeout=30)
    assert output.stdout == "done\n"
    assert time.monotonic() - began < 6
    assert until(lambda: not is_alive(pid_in(tmp_path / "pid"))), "what it left in its group goes with it"


def test_a_grandchild_in_another_session_does_not_hold_us_beyond_the_timeout(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="ran longer than"):
        run(["sh", "-c", f"setsid sleep 30 & echo $! > {tmp_path}/pid; exec sleep 30"], timeout=0.5)
    assert time.monotonic() - began < 5
    os.kill(pid_in(tmp_path / "pid"), signal.SIGKILL)


def test_a_program_that_closes_its_pipes_and_stays_is_still_ended() -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="ran longer than"):
        run(["sh", "-c", "exec sleep 60 >&- 2>&-"], timeout=0.4)
    assert time.monotonic() - began < 3


def test_silence_on_stderr_ends_a_program() -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match=r"made no progress for 0.4 s"):
        run(["sh", "-c", "while :; do echo more; sleep 0.1; done"], timeout=60, idle_timeout=0.4)
    assert time.monotonic() - began < 4


def test_a_program_that_speaks_now_and_then_is_not_silent() -> None:
    run(["sh", "-c", "for i in 1 2 3 4 5; do echo . >&2; sleep 0.2; done"], timeout=30, idle_timeout=0.7)


def test_the_wished_signal_comes_first_and_alone_when_it_is_obeyed() -> None:
    lines: list[str] = []
    code = "trap 'echo int >&2; exit 7' INT; trap 'echo term >&2' TERM; echo ready >&2; while :; do sleep 0.05; done"
    with pytest.raises(CommandFailed) as caught:
        run(["bash", "-c", code], timeout=0.6, stop_with=[(signal.SIGINT, 10)], on_stderr=lines.append)
    assert lines == ["ready", "int"]
    assert caught.value.output.code == 7


def test_the_last_words_of_a_program_that_was_asked_to_end_are_heard() -> None:
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        time.sleep(0.5 if line == "saving" else 0)  # it has ended when we listen again

    code = (
        "import os, signal, time\n"
        "def save(*_): os.write(2, b'saving\\n'); time.sleep(0.1); os.write(2, b'saved\\n'); os._exit(7)\n"
        "signal.signal(signal.SIGTERM, save); os.write(2, b'ready\\n')\n"
        "while True: time.sleep(1)"
    )
    with pytest.raises(CommandFailed) as caught:
        run(python(code), timeout=0.6, on_stderr=hear)
    assert lines == ["ready", "saving", "saved"]
    assert caught.value.output.code == 7


def test_stdin_is_text_bytes_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"from a file")
    assert run(["cat"], timeout=10, stdin="été").stdout == "été"
    assert run(["cat"], timeout=10, stdin=b"raw").stdout == "raw"
    assert run(["cat"], timeout=10, stdin="").stdout == ""
    assert run(["cat"], timeout=10, stdin=tmp_path / "in").stdout == "from a file"
    assert run(["cat"], timeout=10).stdout == "", "without one it is /dev/null, never our terminal"


def test_ten_megabytes_of_stdin_that_come_back_as_stdout_do_not_deadlock() -> None:
    data = b"x" * 10_000_000
    assert run(["cat"], timeout=30, stdin=data).stdout == data.decode()


def test_a_program_that_does_not_read_its_stdin_is_no_error() -> None:
    assert run(["true"], timeout=10, stdin="x" * 1_000_000).code == 0


def test_ten_megabytes_on_stdout_and_on_stderr_do_not_deadlock() -> None:
    code = "import os\nfor i in range(1000):\n os.write(2, b'e' * 9999 + b'\\n'); os.write(1, b'o' * 10000)"
    output = run(python(code), timeout=60)
    assert len(output.stdout) == 10_000_000
    assert 0 < len(output.stderr) <= 2000


def test_a_line_without_an_end_is_cut_and_not_collected() -> None:
    lengths: list[int] = []
    code = "import os\nfor i in range(1000): os.write(2, b'e' * 10000)"
    run(python(code), timeout=60, on_stderr=lambda line: lengths.append(len(line)))
    assert sum(lengths) == 10_000_000
    assert max(lengths) <= 200_000


def test_stdout_goes_to_a_file_and_not_through_memory(tmp_path: Path) -> None:
    output = run(["sh", "-c", "echo kept; echo told >&2"], timeout=10, stdout_to=tmp_path / "out")
    assert output.stdout == ""
    assert output.stderr == "told"
    assert (tmp_path / "out").read_text() == "kept\n"


def test_hostile_bytes_come_back_as_they_were() -> None:
    output = run(["printf", r"\377\376\0name\n"], timeout=10)
    assert output.stdout.encode("utf-8", "surrogateescape") == b"\xff\xfe\0name\n"
    assert run(["sh", "-c", r"printf '\377bad\n' >&2"], timeout=10).stderr == "\ufffdbad"


def test_the_environment_is_small_and_neutral() -> None:
    os.environ["COLOC_TEST_SECRET"] = "hunter2"
    try:
        output = run(["env"], timeout=10, env={"MINE": "yes"})
    finally:
        del os.environ["COLOC_TEST_SECRET"]
    names = {line.split("=")[0] for line in output.stdout.splitlines()}
    assert names <= {"PATH", "LANG", "HOME", "LD_LIBRARY_PATH", "LC_ALL", "TZ", "MINE"}
    assert {"LC_ALL=C.UTF-8", "TZ=UTC", "MINE=yes"} <= set(output.stdout.splitlines())


def test_a_user_has_that_users_rights_and_no_group_of_ours() -> None:
    if os.geteuid() != 0:
        with pytest.raises(CommandFailed, match="cannot start: Operation not permitted"):
            run(["id"], timeout=10, user="nobody")
        return
    output = run(["sh", "-c", "id -un; id -Gn"], timeout=10, user="nobody")
    assert output.stdout.split() == ["nobody", "nogroup"]


def test_a_user_who_does_not_exist_is_a_sentence() -> None:
    with pytest.raises(ColocError, match="there is no user 'nobody-at-all' here"):
        run(["true"], timeout=10, user="nobody-at-all")


def test_a_failing_listener_ends_the_program_and_is_heard(tmp_path: Path) -> None:
    def broken(line: str) -> None:
        raise RuntimeError(line)

    began = time.monotonic()
    with pytest.raises(RuntimeError, match="one"):
        run(["sh", "-c", f"echo $$ > {tmp_path}/pid; echo one >&2; sleep 60"], timeout=60, on_stderr=broken)
    assert time.monotonic() - began < 4
    assert not is_alive(pid_in(tmp_path / "pid"))


def test_no_file_descriptor_is_left_open() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    run(["true"], timeout=10, stdin="x")
    before = count()
    for _ in range(5):
        run(["cat"], timeout=10, stdin="x")
        with pytest.raises(CommandFailed):
            run(["false"], timeout=10)
        with pytest.raises(CommandFailed):
            run(["no-such-program"], timeout=10, stdin="x")
    assert count() == before


def test_a_descriptor_can_be_passed_on() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"secret\n")
        assert run(["bash", "-c", f"head -1 <&{reading}"], timeout=10, pass_fds=[reading]).stdout == "secret\n"
    finally:
        os.close(reading)
        os.close(writing)


def test_another_thread_can_end_a_program() -> None:
    cancel = threading.Event()
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="sh was asked to stop and was ended"):
        cancelled_by(cancel)(["sh", "-c", "echo x >&2; exec sleep 60"], timeout=60, on_stderr=lambda _: cancel.set())
    assert time.monotonic() - began < 3


def test_a_child_goes_on_beside_us_and_is_stopped_with_its_group(tmp_path: Path) -> None:
    child = start(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; echo begun; wait"], log=tmp_path / "log")
    inner = pid_in(tmp_path / "pid")
    assert child.poll() is None
    assert child.stop() == -signal.SIGTERM
    assert until(lambda: not is_alive(inner))
    assert (tmp_path / "log").read_text() == "begun\n"
    child.signal(signal.SIGTERM)  # it is over: nobody is hit


def test_a_deaf_child_and_its_deaf_child_are_killed_after_the_grace(tmp_path: Path) -> None:
    code = (
        f"trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! > {tmp_path}/pid; while :; do sleep 1; done"
    )
    child = start(["sh", "-c", code], log=None)
    inner = pid_in(tmp_path / "pid")
    assert child.stop(grace_seconds=0.3) == -signal.SIGKILL
    assert until(lambda: not is_alive(inner))


def test_a_child_can_be_asked_with_another_signal_first(tmp_path: Path) -> None:
    code = f"trap 'exit 5' INT; trap 'exit 6' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.02; done"
    child = start(["bash", "-c", code], log=None)
    pid_in(tmp_path / "pid")
    assert child.stop(gently_with=signal.SIGINT) == 5


def test_a_child_that_cannot_start_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no-such-program cannot start"):
        start(["no-such-program"], log=None)
    with pytest.raises(CommandFailed, match="cannot start"):
        start(["true"], log=tmp_path / "gone" / "log")
