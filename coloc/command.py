"""Starts programs, and is the only place that does: a list, a timeout, a small environment, the whole group ended.

It knows no program in particular; each caller parses what its program says.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol

from coloc.errors import ColocError

OK = frozenset({0})
Order = tuple[signal.Signals, float]  # a signal, and the seconds it is given to be obeyed
TAIL = 2000  # characters of stderr kept for a hint
_MAX_STDOUT = 256 * 1024 * 1024
_TERM = signal.SIGTERM  # inside Child the word `signal` is a method
_CHUNK = 64 * 1024
_MAX_LINE = 64 * 1024  # of stderr; a longer one is cut in lines of about this
_MAX_LINES = 200  # of stderr, the last ones
_LINGER = 2.0  # seconds without a word from whoever still holds the pipes of a program that is over
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


class Cancel(Protocol):
    """Says when a program should end: an Event that another thread sets, or a moment that comes."""

    def is_set(self) -> bool: ...


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
        stop_with: Sequence[Order] = (),
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
    stop_with: Sequence[Order] = (),
    idle_timeout: float | None = None,
    pass_fds: Sequence[int] = (),
    cancel: Cancel | None = None,
) -> Output:
    """Run `argv` to its end and return what it left.

    timeout, idle_timeout: seconds, of the whole run and without a line on stderr. stdin: text, or a file to read from.
    stdout_to: a file that receives stdout instead of memory (then `stdout` is ""). user: run as this account (root
    only). on_stderr: called with each line as it comes. stop_with: signals sent one after the other before TERM and
    KILL, each with the seconds that it is given (Borg saves its work on INT only). cancel: set by another thread, it
    ends the program in the same way. Raises CommandFailed.
    """
    program = Path(argv[0]).name
    try:
        with _stdin(stdin) as source, _stdout(stdout_to) as sink:
            process = subprocess.Popen(
                list(argv),
                bufsize=0,
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
    except (OSError, ValueError) as error:
        raise _cannot_start(program, error, cwd) from error
    talk = _Talk(process, stdin, on_stderr, _Patience(timeout, idle_timeout, tuple(stop_with), cancel))
    talk.to_the_end()
    output = Output(process.returncode, talk.stdout(), "\n".join(talk.errors)[-TAIL:])
    if talk.reason:
        raise CommandFailed(program, output, why=f"{program} {talk.reason} and was ended")
    if process.returncode not in accept:
        raise CommandFailed(program, output)
    return output


def _cannot_start(program: str, error: OSError | ValueError, cwd: Path | None) -> CommandFailed:
    if isinstance(error, ValueError):  # a NUL in a name; the words of the error are ours, not the arguments
        return CommandFailed(program, Output(126, "", ""), why=f"{program} cannot start: {error}")
    missing = isinstance(error, FileNotFoundError)
    if missing and (cwd is None or error.filename != str(cwd)) and error.filename in {None, program}:
        hint = f"install {program}, or fix PATH"
        return CommandFailed(program, Output(127, "", ""), why=f"{program} is not installed", hint=hint)
    where = f": {error.filename}" if error.filename else ""
    return CommandFailed(program, Output(126, "", ""), why=f"{program} cannot start: {error.strerror}{where}")


_CHILDREN: list[Child] = []  # those that run: also a caller who lets go of one leaves nobody unburied for long


class Child:
    """A program that goes on beside us (a demo service, a nightly run without systemd)."""

    def __init__(
        self, argv: Sequence[str], *, log: Path | None, env: Mapping[str, str] | None, user: str | int | None
    ) -> None:
        self.argv = tuple(argv)
        with log.open("ab") if log else nullcontext() as sink:
            _CHILDREN[:] = [child for child in _CHILDREN if child.poll() is None]
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
            _CHILDREN.append(self)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send a signal to the whole group; nothing if it was seen to end."""
        if self._process.returncode is None:
            _signal_group(self._process, number)

    def stop(self, *, grace_seconds: float = 5, gently_with: int = _TERM) -> int:
        """`gently_with`, then KILL after the grace, also to what the program left in its group; the exit code."""
        self.signal(gently_with)
        deadline = time.monotonic() + grace_seconds
        while not _has_ended(self._process) and time.monotonic() < deadline:
            time.sleep(0.02)
        self.signal(signal.SIGKILL)
        return self._process.wait()


def start(
    argv: Sequence[str], *, log: Path | None, env: Mapping[str, str] | None = None, user: str | int | None = None
) -> Child:
    """Start a program that outlives this call; it writes to the end of `log`, or where we do. Raises CommandFailed."""
    try:
        return Child(argv, log=log, env=env, user=user)
    except OSError as error:
        program = Path(argv[0]).name
        raise CommandFailed(program, Output(126, "", ""), why=f"{program} cannot start: {error}") from error


def cancelled_by(cancel: Cancel) -> Run:
    """`run` whose programs end when `cancel` is set."""
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


@dataclass(frozen=True, slots=True)
class _Patience:
    """How long a program may run or stay silent, and how it is asked to end."""

    timeout: float
    idle_timeout: float | None
    stop_with: tuple[Order, ...]
    cancel: Cancel | None

    def orders(self) -> Iterator[Order]:
        """The signals that end it, each with the seconds it is given to obey."""
        yield from self.stop_with
        yield from ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0))


class _Talk:
    """One conversation with a program: feeds it, hears it, and ends it when patience does. No thread of its own.

    The program is buried (`wait`) last of all: until then its number, and its group's, belong to nobody else.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stdin: str | bytes | Path | None,
        on_stderr: Callable[[str], None] | None,
        patience: _Patience,
    ) -> None:
        self._process, self._on_stderr, self._patience = process, on_stderr, patience
        self._feed = memoryview(
            stdin.encode() if isinstance(stdin, str) else stdin if isinstance(stdin, bytes) else b""
        )
        self._heard, self._size, self._line = list[bytes](), 0, bytearray()
        self._pipes = selectors.DefaultSelector()
        self._moved = time.monotonic()
        self.errors: list[str] = []
        self.reason = ""

    def stdout(self) -> str:
        """What the program said; bytes that are not UTF-8 come back as they were when they are written out again."""
        return b"".join(self._heard).decode("utf-8", "surrogateescape")

    def to_the_end(self) -> None:
        """Talk until the program has ended, by itself or because it was made to."""
        process = self._process
        try:
            self._open()
            if not self._listen(time.monotonic() + self._patience.timeout):
                self._end()
        except BaseException:
            self._end()
            raise
        finally:
            _signal_group(process, signal.SIGKILL)  # what the program left behind goes with it
            process.wait()
            self._pipes.close()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        self._take_line()

    def _open(self) -> None:
        process = self._process
        for pipe, take in ((process.stdout, self._take_stdout), (process.stderr, self._take_stderr)):
            if pipe:
                os.set_blocking(pipe.fileno(), False)
                self._pipes.register(pipe, selectors.EVENT_READ, take)
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            self._pipes.register(process.stdin, selectors.EVENT_WRITE, self._give)

    def _listen(self, end: float) -> bool:
        """Until the program has ended and its pipes are empty; False, with a reason, when patience came first."""
        ended_at: float | None = None
        while not self.reason:
            now = time.monotonic()
            if ended_at is None and _has_ended(self._process):
                ended_at = now
            if ended_at is None:
                self.reason = self._out_of_patience(now, end)
            elif not self._pipes.get_map() or now > min(end, max(ended_at, self._moved) + _LINGER):
                return True  # something that it started may hold a pipe for hours: that is not waited for
            self._hear(0.1 if self._pipes.get_map() else 0.005)
        return False

    def _out_of_patience(self, now: float, end: float) -> str:
        idle, cancel = self._patience.idle_timeout, self._patience.cancel
        if cancel and cancel.is_set():
            return "was asked to stop"
        if now > end:
            return f"ran longer than {self._patience.timeout:g} s"
        return f"made no progress for {idle:g} s" if idle and now - self._moved > idle else ""

    def _hear(self, seconds: float) -> None:
        if not self._pipes.get_map():
            time.sleep(seconds)
        for key, _ in self._pipes.select(seconds):
            key.data(key.fileobj)

    def _end(self) -> None:
        """Ask, then force: a program that is saving its work goes on talking to us meanwhile."""
        for number, seconds in self._patience.orders():
            _signal_group(self._process, number)
            deadline = time.monotonic() + seconds
            while not _has_ended(self._process) and time.monotonic() < deadline:
                self._hear(0.02)
            if _has_ended(self._process):
                self._hear_last_words()
                return

    def _hear_last_words(self) -> None:
        """What an ended program left in its pipes, unless somebody else goes on writing there."""
        end = time.monotonic() + _LINGER
        while time.monotonic() < end and self._pipes.get_map() and (ready := self._pipes.select(0)):
            for key, _ in ready:
                key.data(key.fileobj)

    def _take_stdout(self, pipe: IO[bytes]) -> None:
        data = os.read(pipe.fileno(), _CHUNK)
        if not data:
            self._pipes.unregister(pipe)
        self._size += len(data)
        if self._size <= _MAX_STDOUT:
            self._heard.append(data)
        else:
            self.reason = f"said more than {_MAX_STDOUT} bytes"

    def _take_stderr(self, pipe: IO[bytes]) -> None:
        data = os.read(pipe.fileno(), _CHUNK)
        if not data:
            self._pipes.unregister(pipe)
            return
        self._moved = time.monotonic()
        *lines, rest = (bytes(self._line) + data).split(b"\n")
        for line in lines:
            self._take_line(line)
        self._line = bytearray(rest)
        if len(self._line) > _MAX_LINE:
            self._take_line()

    def _take_line(self, raw: bytes | None = None) -> None:
        if raw is None:
            raw, self._line = bytes(self._line), bytearray()
            if not raw:
                return
        line = raw.decode("utf-8", "replace")
        self.errors.append(line)
        del self.errors[:-_MAX_LINES]
        if self._on_stderr:
            self._on_stderr(line)

    def _give(self, pipe: IO[bytes]) -> None:
        try:
            self._feed = self._feed[os.write(pipe.fileno(), self._feed[:_CHUNK]) :]
        except BrokenPipeError:
            self._feed = memoryview(b"")  # it does not want the rest; its exit code says whether that is a failure
        if not self._feed:
            self._pipes.unregister(pipe)
            pipe.close()


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """True when the program itself is over; it is not buried, so that its number stays its own."""
    if process.returncode is not None:
        return True
    try:
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
