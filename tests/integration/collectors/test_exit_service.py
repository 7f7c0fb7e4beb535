"""The service that hears the kernel, over a real socket: what it tells, what it calls lost, when it stops hearing."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from collectors.exit_client import ExitClient, Exits
from collectors.exits.__main__ import main
from collectors.exits.storm import Limits
from tests.fakes.exit_service import FakeKernel, datagram, program, serving, stats
from tests.fakes.waiting import until

LONG = 60.0  # seconds that a slow machine may take


class Kernels:
    """Opens fake kernels, or refuses; the last one that was opened."""

    def __init__(self, *, refusals: int = 0) -> None:
        self.opened: list[FakeKernel] = []
        self._refusals = refusals

    def __call__(self) -> FakeKernel:
        if self._refusals:
            self._refusals -= 1
            raise PermissionError(1, "Operation not permitted")
        self.opened.append(FakeKernel())
        return self.opened[-1]


def client_of(path: Path) -> ExitClient:
    return ExitClient(path, seconds=LONG)


def asked(client: ExitClient) -> Exits:
    answer = client()
    assert answer is not None
    return answer


def hearing(client: ExitClient) -> Exits:
    """The first answer of a service that hears."""
    return until_it(client, lambda answer: answer.active)


def until_it(client: ExitClient, is_so: Callable[[Exits], object]) -> Exits:
    """Ask until the answer is so, and return that one."""
    answers: list[Exits] = []

    def ask() -> bool:
        answers.append(asked(client))
        return bool(is_so(answers[-1]))

    until(ask, seconds=LONG, what="the answer")
    return answers[-1]


def test_what_the_kernel_told_before_the_question_is_in_the_answer(tmp_path: Path) -> None:
    kernels = Kernels()
    with serving(tmp_path / "s", kernels, []):
        client = client_of(tmp_path / "s")
        hearing(client)
        kernels.opened[0].tell(datagram(stats(pid=70, parent=5, uid=901, user=3, system=1, virtual_ns=40_000_000)))
        kernels.opened[0].tell(datagram(stats(last=False)))
        answer = asked(client)
    assert [(each.pid, each.parent, each.uid, each.user, each.system) for each in answer.exits] == [
        (70, 5, 901, 30_000, 10_000)
    ]
    assert answer.complete


def test_what_came_while_it_rested_is_in_the_answer_too(tmp_path: Path) -> None:
    kernels = Kernels()
    with serving(tmp_path / "s", kernels, [], rest_seconds=3600.0):
        client = client_of(tmp_path / "s")
        hearing(client)
        kernels.opened[0].tell(datagram(stats(pid=70)))
        until_it(client, lambda answer: answer.cursor == 1)
        kernels.opened[0].tell(datagram(stats(pid=71)))
        until_it(client, lambda answer: answer.cursor == 2)
        kernels.opened[0].tell(datagram(stats(pid=72)))
        answer = asked(client)
    assert [each.pid for each in answer.exits] == [72]


def test_no_name_of_a_command_leaves_the_service(tmp_path: Path) -> None:
    kernels = Kernels()
    with serving(tmp_path / "s", kernels, []):
        hearing(client_of(tmp_path / "s"))
        kernels.opened[0].tell(datagram(stats()))
        raw = conversation(tmp_path / "s", b"{}\n")
        generation = raw.split(b'"')[3]
        raw = conversation(tmp_path / "s", b'{"generation": "' + generation + b'", "cursor": 0}\n')
    assert b"[[7,5,901," in raw
    assert b"secret" not in raw


def conversation(path: Path, question: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(LONG)
        connection.connect(str(path))
        with suppress(BrokenPipeError):
            connection.sendall(question)
        answer = b""
        with suppress(ConnectionResetError):
            while received := connection.recv(65_536):
                answer += received
    return answer


def test_what_the_kernel_lost_is_counted_and_said_until_all_is_whole_again(tmp_path: Path) -> None:
    kernels = Kernels()
    with serving(tmp_path / "s", kernels, []):
        client = client_of(tmp_path / "s")
        hearing(client)
        kernels.opened[0].overrun(7)
        lossy = until_it(client, lambda answer: answer.lost)
        whole = asked(client)
    assert (lossy.lost, lossy.complete) == (7, False)
    assert (whole.lost, whole.complete) == (7, True)


def test_a_message_that_cannot_be_read_is_a_loss(tmp_path: Path) -> None:
    kernels = Kernels()
    with serving(tmp_path / "s", kernels, []):
        client = client_of(tmp_path / "s")
        hearing(client)
        kernels.opened[0].tell(datagram(stats(version=15)))
        answer = asked(client)
    assert (answer.lost, answer.complete, answer.exits) == (1, False, ())


def test_in_a_storm_it_stops_hearing_says_so_and_hears_again_later(tmp_path: Path) -> None:
    kernels, said = Kernels(), list[str]()
    # More than none in a second is a storm here, however slow the machine.
    with serving(tmp_path / "s", kernels, said, limits=Limits(per_second=0.0, seconds=0.0, pause=0.5)):
        client = client_of(tmp_path / "s")
        hearing(client)
        kernels.opened[0].tell(datagram(stats()))
        storm = until_it(client, lambda answer: answer.storms)
        again = until_it(client, lambda answer: answer.active)
    assert not storm.complete
    assert not again.complete
    assert again.storms == 1
    assert len(kernels.opened) == 2
    assert sum("exit storm" in line for line in said) == 1


def test_a_kernel_that_refuses_is_told_of_and_asked_again(tmp_path: Path) -> None:
    kernels, said = Kernels(refusals=1), list[str]()
    with serving(tmp_path / "s", kernels, said, limits=Limits(refused=0.5)):
        client = client_of(tmp_path / "s")
        assert hearing(client).storms == 0
    assert "the kernel does not tell of exits" in said[0]
    assert "hears" in said[-1]


@pytest.mark.parametrize("question", [b"nonsense\n", b"\n", b"x" * 5000, b"[" * 257])
def test_a_question_that_is_none_gets_no_answer_and_does_no_harm(tmp_path: Path, question: bytes) -> None:
    with serving(tmp_path / "s", Kernels(), []):
        assert conversation(tmp_path / "s", question) == b""
        assert asked(client_of(tmp_path / "s"))


def test_those_who_connect_and_say_nothing_do_not_keep_others_out_for_long(tmp_path: Path) -> None:
    with serving(tmp_path / "s", Kernels(), [], client_seconds=0.5):
        silent = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(4)]
        try:
            for each in silent:
                each.connect(str(tmp_path / "s"))
            until(lambda: ExitClient(tmp_path / "s", seconds=LONG)(), seconds=LONG, what="room for another")
        finally:
            for each in silent:
                each.close()


def test_an_answer_of_ten_thousand_exits_arrives_whole(tmp_path: Path) -> None:
    kernels = Kernels()
    with serving(tmp_path / "s", kernels, []):
        client = client_of(tmp_path / "s")
        hearing(client)
        for _ in range(100):
            kernels.opened[0].tell(b"".join(datagram(stats(size=384)) for _ in range(100)))
        answer = asked(client)
    assert (len(answer.exits), answer.complete) == (10_000, True)


def test_it_ends_when_nobody_asks_for_long(tmp_path: Path) -> None:
    kernels = Kernels()
    with serving(tmp_path / "s", kernels, [], idle_seconds=0.5) as thread:
        thread.join(LONG)
        assert not thread.is_alive()


def test_the_program_opens_its_socket_to_its_owner_only_and_ends_when_told(tmp_path: Path) -> None:
    with program(tmp_path / "s") as process:
        until((tmp_path / "s").exists, seconds=LONG)
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
        until(client_of(tmp_path / "s"), seconds=LONG, what="an answer")
        process.terminate()
        assert process.wait(LONG) == 0


def test_the_program_takes_the_socket_that_systemd_passes(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen(4)
        with program(listener) as process:
            assert asked(client_of(tmp_path / "s"))
            process.terminate()
            assert process.wait(LONG) == 0


def test_the_program_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert (main([]), main(["--help"])) == (2, 2)
    assert "usage" in capsys.readouterr().err


def test_it_is_small(tmp_path: Path) -> None:
    with program(tmp_path / "s") as process:
        until(client_of(tmp_path / "s"), seconds=LONG, what="an answer")
        kib = next(
            int(line.split()[1])
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
            if line.startswith("VmRSS:")
        )
    assert kib < 24 * 1024
