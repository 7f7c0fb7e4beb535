"""The faults: each sets its scene, strikes while a command is at work, and says how people would mend it.

A fault is a generator of three parts: before the command starts | while it runs | when what it claims was judged.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.clock import clock_of
from tests.faults.house import BIN, PASSPHRASE, House, copy_tree, wait_for, write_passphrase

EVERY = ("backup", "drill", "prune", "restore")
ENTERS = ("backup", "drill", "prune")  # restore by itself takes another host when one is closed


@dataclass(slots=True)
class Scene:
    """One round. typical: seconds that such a command takes. tells: does the fault itself end the command unheard?"""

    house: House
    chance: random.Random
    operation: str
    typical: float
    long: bool = False
    process: subprocess.Popen[bytes] | None = None
    env: dict[str, str] = field(default_factory=dict)
    struck: bool = False
    silent: bool = False  # the agent itself was killed: nobody is left to say anything

    def moment(self) -> bool:
        """Wait for a moment at random of the command; False when it was over before."""
        assert self.process is not None
        process = self.process
        return not wait_for(lambda: process.poll() is not None, self.chance.uniform(0.0, 0.9 * self.typical))

    def kill(self, kind: str) -> None:
        """From a moment on, kill the first process of a kind that is seen."""
        assert self.process is not None
        process = self.process
        if self.moment():
            wait_for(lambda: process.poll() is not None or self._killed(kind), 60)

    def _killed(self, kind: str) -> bool:
        self.struck = self.house.processes.kill(kind) or self.struck
        return self.struck


Fault = Callable[[Scene], Iterator[None]]


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault, the commands that it can strike, and the host that it is about ("": any)."""

    fault: Fault
    operations: tuple[str, ...]
    host: str


FAULTS: dict[str, Strike] = {}


def strikes(*operations: str, host: str = "") -> Callable[[Fault], Fault]:
    """Put a fault in the table, under its name in words."""

    def keep(fault: Fault) -> Fault:
        FAULTS[fault.__name__.replace("_", " ")] = Strike(fault, operations, host)
        return fault

    return keep


@strikes(*EVERY)
def agent_killed(scene: Scene) -> Iterator[None]:
    yield
    assert scene.process is not None
    if scene.moment():
        scene.process.kill()
        scene.struck = scene.silent = True
    yield


@strikes(*EVERY)
def whole_unit_killed(scene: Scene) -> Iterator[None]:
    yield
    if scene.moment():
        scene.house.processes.end_all()
        scene.struck = scene.silent = True
    yield


@strikes(*EVERY)
def agent_stopped(scene: Scene) -> Iterator[None]:
    yield
    assert scene.process is not None
    if scene.moment():
        scene.process.send_signal(scene.chance.choice([signal.SIGTERM, signal.SIGINT]))
        scene.struck = True
    yield


@strikes(*EVERY)
def borg_killed(scene: Scene) -> Iterator[None]:
    yield
    scene.kill("borg")
    yield


@strikes(*EVERY, host="alouette")
def ssh_killed(scene: Scene) -> Iterator[None]:
    yield
    scene.kill("ssh")
    yield


@strikes(*EVERY, host="alouette")
def serve_killed(scene: Scene) -> Iterator[None]:
    yield
    scene.kill("serve")
    yield


@strikes("backup", "drill", "restore")
def dump_or_load_killed(scene: Scene) -> Iterator[None]:
    yield
    scene.kill("dump")
    yield


@strikes("backup", "drill", "restore")
def database_server_killed(scene: Scene) -> Iterator[None]:
    yield
    if scene.moment():
        scene.house.maria.kill()
        scene.struck = True
    yield
    if scene.struck:
        scene.house.maria.start()


@strikes(*EVERY, host="alouette")
def link_cut(scene: Scene) -> Iterator[None]:
    yield
    if scene.moment():
        scene.house.link.cut()
        scene.struck = True
    yield
    scene.house.link.mend()


@strikes(*EVERY, host="alouette")
def link_silent_for_a_while(scene: Scene) -> Iterator[None]:
    yield
    assert scene.process is not None
    if scene.moment():
        scene.house.link.freeze()
        scene.struck = True
        process = scene.process
        # ssh gives a dead line up after 90 seconds: only the long campaign has that time.
        wait_for(lambda: process.poll() is not None, 200 if scene.long and scene.chance.random() < 0.2 else 3)
    scene.house.link.mend()
    yield


@strikes(*EVERY, host="alouette")
def server_frozen_for_a_while(scene: Scene) -> Iterator[None]:
    yield
    if scene.moment():
        stopped = scene.house.processes.of("serve")
        for pid in stopped:
            _signal(pid, signal.SIGSTOP)
        scene.struck = bool(stopped)
        time.sleep(scene.chance.uniform(0.5, 3))
        for pid in stopped:
            _signal(pid, signal.SIGCONT)
    yield


@strikes("backup", "prune", host="merle")
def host_full(scene: Scene) -> Iterator[None]:
    yield
    if scene.moment():
        _fill_up(scene.house.folder / "disk")
        scene.struck = True
    yield
    (scene.house.folder / "disk/filler").unlink(missing_ok=True)


@strikes(*EVERY)
def own_disk_full(scene: Scene) -> Iterator[None]:
    yield
    if scene.moment():
        _fill_up(scene.house.journal)
        scene.struck = True
    yield
    (scene.house.journal / "filler").unlink(missing_ok=True)


@strikes("backup", "restore")
def disk_of_apps_full(scene: Scene) -> Iterator[None]:
    yield
    if scene.moment():
        _fill_up(scene.house.root)
        scene.struck = True
    yield
    (scene.house.root / "filler").unlink(missing_ok=True)


@strikes(*EVERY, host="merle")
def lock_held_for_a_while(scene: Scene) -> Iterator[None]:
    place = str(scene.house.repositories["merle"])
    env = borg_env(scene.house)
    holder = subprocess.Popen(
        [str(BIN / "borg"), "with-lock", place, "sleep", "2"],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    lock = scene.house.repositories["merle"] / "lock.exclusive"
    scene.struck = wait_for(lambda: lock.exists() or holder.poll() is not None, 20)
    yield
    yield
    holder.wait(timeout=60)


@strikes("backup", "drill", "prune", host="merle")
def repository_rolled_back(scene: Scene) -> Iterator[None]:
    with _PutBackLater(scene) as place:
        copy_tree(scene.house.folder / "earlier", place)
        yield
        yield


@strikes("backup", "drill", "prune", "restore", host="merle")
def repository_truncated(scene: Scene) -> Iterator[None]:
    with _PutBackLater(scene) as place:
        segment = max((place / "data").rglob("*"), key=lambda path: (path.is_file(), _number(path)))
        os.truncate(segment, scene.chance.randrange(max(1, segment.stat().st_size)))
        yield
        yield


@strikes("backup", "drill", "prune", "restore", host="merle")
def bit_flipped(scene: Scene) -> Iterator[None]:
    with _PutBackLater(scene) as place:
        segments = [path for path in (place / "data").rglob("*") if path.is_file() and path.stat().st_size > 100]
        segment = scene.chance.choice(sorted(segments))
        with segment.open("r+b") as file:
            position = scene.chance.randrange(9, segment.stat().st_size)
            file.seek(position)
            byte = file.read(1)[0]
            file.seek(position)
            file.write(bytes([byte ^ (1 << scene.chance.randrange(8))]))
        yield
        yield


@strikes(*ENTERS)
def wrong_passphrase(scene: Scene) -> Iterator[None]:
    write_passphrase(scene.house, "another one")
    scene.struck = True
    yield
    yield
    write_passphrase(scene.house, PASSPHRASE)


@strikes(*ENTERS, host="alouette")
def login_refused(scene: Scene) -> Iterator[None]:
    keys = scene.house.folder / "sshd/authorized_keys"
    before = keys.read_text()
    scene.house.sshd.let_in_none()
    scene.struck = True
    yield
    yield
    keys.write_text(before)


@strikes(*ENTERS, host="merle")
def host_gone(scene: Scene) -> Iterator[None]:
    place = scene.house.repositories["merle"]
    place.rename(place.with_name("away"))
    scene.struck = True
    yield
    yield
    if place.exists():
        raise AssertionError("a repository was made a second time where one was known")
    place.with_name("away").rename(place)


@strikes(*EVERY)
def clock_back_a_day(scene: Scene) -> Iterator[None]:
    scene.env |= clock_of(scene.house.folder, "-1d")
    scene.struck = True
    yield
    yield


@strikes(*EVERY)
def clock_ahead_an_hour(scene: Scene) -> Iterator[None]:
    scene.env |= clock_of(scene.house.folder, "+1h")
    scene.struck = True
    yield
    yield


@strikes("backup", "drill", "prune")
def app_removed_meanwhile(scene: Scene) -> Iterator[None]:
    home = scene.house.root / "var/www/wiki"
    yield
    if scene.moment():
        home.rename(scene.house.folder / "root/wiki-away")
        scene.struck = True
    yield
    if scene.struck:
        (scene.house.folder / "root/wiki-away").rename(home)


class _PutBackLater:
    """Keep the repositories and what we know of them, and put all back when it was judged."""

    def __init__(self, scene: Scene) -> None:
        self._scene, self._house = scene, scene.house

    def __enter__(self) -> Path:
        self._kept = self._house.folder / "kept"
        for name, place in self._places():
            (self._kept / name).mkdir(parents=True)
            copy_tree(place, self._kept / name)
        self._scene.struck = True
        return self._house.repositories["merle"]

    def __exit__(self, *error: object) -> None:
        for name, place in self._places():
            copy_tree(self._kept / name, place, but="restores")
        shutil.rmtree(self._kept)

    def _places(self) -> list[tuple[str, Path]]:
        return [*self._house.repositories.items(), ("journal", self._house.journal)]


def borg_env(house: House) -> dict[str, str]:
    """Borg by itself, beside the agent, with nothing of the agent's."""
    return {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": "/nonexistent",
        "BORG_PASSPHRASE": PASSPHRASE,
        "BORG_BASE_DIR": str(house.folder / "borg-alone"),
        "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    }


def _number(path: Path) -> int:
    return int(path.name) if path.name.isdigit() else -1


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _fill_up(folder: Path) -> None:
    free = os.statvfs(folder)
    with (folder / "filler").open("wb", buffering=0) as file:
        for size in (free.f_bavail * free.f_frsize, 65_536, 4096):
            with suppress(OSError):
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)
