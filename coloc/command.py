"""Starts programs, and is the only place that does: a list, a timeout, a small environment, the whole group ended.

It knows no program in particular; each caller parses what its program says.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from coloc.errors import ColocError

logger = logging.getLogger(__name__)

OK = frozenset({0})
TAIL = 2000  # characters of stderr kept for a hint
_MAX_STDOUT = 256 * 1024 * 1024
_KEPT_ENV = ("PATH", "LANG", "HOME", "LD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Output:
    """What a program left: its exit code (negative: the signal that ended it), stdout and the tail of stderr."""

    code: int
    stdout: str
    stderr: str


class CommandFailed(ColocError):
    """A program could not be started, ended with a code that was not accepted, or ran too long."""

    def __init__(self, program: str, output: Output, *, why: str = "", hint: str = "") -> None:
        tail = " ".join(output.stderr.split())[-300:]
        message = why or f"{program} exited with {output.code}"
        super().__init__(message, hint=hint or tail)
        self.program = program
        self.output = output


class Run(Protocol):
    """How the rest of the house asks for a program: `run` below, or a fake in a test."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        env: Mapping[str, str] | None = None,
        accept: frozenset[int] = OK,
        stdin: str | bytes | Path | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        on_stderr: Callable[[str], None] | None = None,
        stdout_to: Path | None = None,
        stop_with: Sequence[signal.Signals] = (),
        idle_timeout: float | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Output: ...


def run(  # each option is a fact of a program that we start; see `Run`
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    accept: frozenset[int] = OK,
    stdin: str | bytes | Path | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    on_stderr: Callable[[str], None] | None = None,
    stdout_to: Path | None = None,
    stop_with: Sequence[signal.Signals] = (),
    idle_timeout: float | None = None,
    pass_fds: Sequence[int] = (),
    cancel: threading.Event | None = None,
) -> Output:
    """Run `argv` to its end and return what it left.

    timeout, idle_timeout: seconds, of the whole run and without a line on stderr. stdin: text, or a file to read from.
    stdout_to: a file that receives stdout instead of memory (then `stdout` is ""). user: run as this account (root
    only). on_stderr: called with each line as it comes. stop_with: signals sent one after the other, ten seconds
    apart, before TERM and KILL (Borg saves its work on INT only). cancel: set by another thread, it ends the program
    in the same way. Raises CommandFailed.
    """
    program = Path(argv[0]).name
    errors: list[str] = []
    with _stdin(stdin) as source, _stdout(stdout_to) as sink:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=source,
                stdout=sink,
                stderr=subprocess.PIPE,
                env=small_environment(env),
                cwd=cwd,
                user=user,
                group=_group_of(user),
                extra_groups=[] if user else None,
                start_new_session=True,
                pass_fds=tuple(pass_fds),
            )
        except FileNotFoundError as error:
            raise CommandFailed(
                program, Output(127, "", ""), why=f"{program} is not installed", hint=f"install {program}, or fix PATH"
            ) from error
        except OSError as error:
            raise CommandFailed(program, Output(126, "", ""), why=f"{program} cannot start: {error}") from error
        watch = _Watch(process, timeout, idle_timeout, stop_with, cancel)
        with watch:
            stdout = _converse(process, stdin, errors, watch, on_stderr)
    output = Output(process.returncode, stdout, "\n".join(errors)[-TAIL:])
    if watch.reason:
        raise CommandFailed(program, output, why=f"{program} {watch.reason} and was ended")
    if process.returncode not in accept:
        raise CommandFailed(program, output)
    return output


class Child:
    """A program that goes on beside us (a demo service, a nightly run without systemd)."""

    def __init__(
        self, argv: Sequence[str], *, log: Path | None, env: Mapping[str, str] | None, user: str | int | None
    ) -> None:
        self.argv = tuple(argv)
        with log.open("ab") if log else nullcontext() as sink:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=small_environment(env),
                user=user,
                group=_group_of(user),
                extra_groups=[] if user else None,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; nothing if it ended."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def stop(self, *, grace_seconds: float = 5) -> int:
        """TERM, then KILL after the grace; returns the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=grace_seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            return self._process.wait(timeout=5)


def start(
    argv: Sequence[str], *, log: Path | None, env: Mapping[str, str] | None = None, user: str | int | None = None
) -> Child:
    """Start a program that outlives this call; it writes to the end of `log`, or where we do. Raises CommandFailed."""
    try:
        return Child(argv, log=log, env=env, user=user)
    except OSError as error:
        program = Path(argv[0]).name
        raise CommandFailed(program, Output(126, "", ""), why=f"{program} cannot start: {error}") from error


def cancelled_by(cancel: threading.Event) -> Run:
    """`run` whose programs end when another thread sets `cancel`."""
    return partial(run, cancel=cancel)


def small_environment(extra: Mapping[str, str] | None) -> dict[str, str]:
    """What a program inherits: PATH, HOME and a neutral language and zone, then what its caller adds."""
    env = {name: os.environ[name] for name in _KEPT_ENV if name in os.environ}
    env |= {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
    return env | dict(extra or {})


def _group_of(user: str | int | None) -> int | None:
    import pwd  # noqa: PLC0415 - only needed when a user is named

    if user is None or isinstance(user, int):
        return user
    try:
        return pwd.getpwnam(user).pw_gid
    except KeyError as error:
        raise ColocError(f"there is no user {user!r} here", hint="the app or its database server is gone?") from error


@contextmanager
def _stdin(what: str | bytes | Path | None) -> Iterator[IO[bytes] | int]:
    """The file that a program reads: nothing, a file, or a pipe that we feed."""
    if isinstance(what, Path):
        with what.open("rb") as file:
            yield file
    else:
        yield subprocess.DEVNULL if what is None else subprocess.PIPE


@contextmanager
def _stdout(path: Path | None) -> Iterator[IO[bytes] | int]:
    """Where a program writes: a pipe that we read, or a file."""
    if path is None:
        yield subprocess.PIPE
    else:
        with path.open("wb") as file:
            yield file


class _Watch:
    """Ends a program that runs too long or stays silent, from a thread of its own."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        timeout: float,
        idle_timeout: float | None,
        stop_with: Sequence[signal.Signals],
        cancel: threading.Event | None,
    ) -> None:
        self._process, self._idle, self._stop_with = process, idle_timeout, stop_with
        self._cancel = cancel
        self._end = time.monotonic() + timeout
        self._timeout = timeout
        self._moved = time.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"watch-{process.pid}", daemon=True)
        self.reason = ""

    def moved(self) -> None:
        self._moved = time.monotonic()

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._end_group()
        self._done.set()
        self._thread.join()
        # What the program left behind in its group (a hook's child, say) goes with it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _watch(self) -> None:
        while not self._done.wait(0.1 if self._idle or self._cancel or self._timeout < 30 else 0.5):
            now = time.monotonic()
            if self._cancel and self._cancel.is_set():
                self.reason = "was asked to stop"
            elif now > self._end:
                self.reason = f"ran longer than {self._timeout:g} s"
            elif self._idle and now - self._moved > self._idle:
                self.reason = f"made no progress for {self._idle:g} s"
            else:
                continue
            self._end_group()
            return

    def _end_group(self) -> None:
        for number in (*self._stop_with, signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            deadline = time.monotonic() + (10 if number in self._stop_with else 3)
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    return
                time.sleep(0.05)


def _converse(
    process: subprocess.Popen[bytes],
    stdin: str | bytes | Path | None,
    errors: list[str],
    watch: _Watch,
    on_stderr: Callable[[str], None] | None,
) -> str:
    def read_errors(stream: Iterable[bytes]) -> None:
        for raw in stream:
            line = raw.decode("utf-8", "replace").rstrip("\n")
            watch.moved()
            errors.append(line)
            del errors[:-200]
            if on_stderr:
                on_stderr(line)

    def feed(pipe: IO[bytes], data: bytes) -> None:
        with suppress(BrokenPipeError, OSError):
            pipe.write(data)
        with suppress(BrokenPipeError, OSError):
            pipe.close()

    threads = [threading.Thread(target=read_errors, args=(process.stderr,), daemon=True)]
    if process.stdin and isinstance(stdin, str | bytes):
        data = stdin.encode() if isinstance(stdin, str) else stdin
        threads.append(threading.Thread(target=feed, args=(process.stdin, data), daemon=True))
    for thread in threads:
        thread.start()
    text = process.stdout.read(_MAX_STDOUT).decode("utf-8", "surrogateescape") if process.stdout else ""
    process.wait()
    for thread in threads:
        thread.join(timeout=5)  # a grandchild may still hold the pipe: the group is ended just after
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
    return text
