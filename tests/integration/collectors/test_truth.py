"""Real processes of other users that spend CPU in children that die, compared with what getrusage says they spent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.machine import MachineFiles, parse_cpu
from collectors.process_details import ProcessDetailsCollector
from collectors.process_table import Known
from collectors.processes import ProcessesCollector
from coloc.model import App, Colocation
from tests.fakes.colocations import colocation, figures

SPENDER = Path(__file__).parents[2] / "fakes/spender.py"
_FIRST_UID = 20_000 + os.getpid() % 10_000 * 4  # nobody else's, also when these tests run twice at once
UIDS = {"blog": _FIRST_UID, "wiki": _FIRST_UID + 1}
APPS = colocation(*(App(name, name, name, user=name) for name in UIDS), shares={"blog": {"velo": 1.0}})
ROUNDING = 0.04  # /proc cuts each of a process's four times to hundredths of a second
PROJECTS = {"blog": "velo", "wiki": "_none", "_system": "_system"}


class Spender:
    """The program beside us; `as_user`: whom it runs as, `children_as`: whom its children become."""

    def __init__(self, children: int, seconds: float, *, as_user: int, children_as: int | None = None) -> None:
        uids = str(as_user), str(as_user if children_as is None else children_as)
        self._process = subprocess.Popen(
            [sys.executable, "-I", SPENDER, str(children), str(seconds), *uids],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        assert self._process.stdin
        self._stdout, self._stdin = self._process.stdout, self._process.stdin
        assert self._stdout.readline() == "ready\n"

    @property
    def pid(self) -> int:
        return self._process.pid

    def spend(self) -> None:
        self._stdin.write("go\n")
        self._stdin.flush()

    def children_spent(self) -> float:
        return float(self._stdout.readline().split()[0])

    def end(self) -> None:
        self._stdin.close()
        self._process.wait(10)
        self._stdout.close()


class RememberingMachine(MachineFiles):
    """The real files, and what they said of the machine's processor time at each look."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def read(self, name: str) -> bytes:
        data = super().read(name)
        if name == "stat":
            self.seconds.append(sum(parse_cpu(data).user_and_system) / os.sysconf("SC_CLK_TCK"))
        return data


class Looks:
    """Looks in the background and keeps every figure that was seen."""

    def __init__(self, every: float, apps: Colocation = APPS) -> None:
        self.machine, self._apps = RememberingMachine(), apps
        self._collector = ProcessesCollector(lambda names: {name: UIDS[name] for name in names}, machine=self.machine)
        self._every, self._stop = every, threading.Event()
        self.seen: list[dict[str, float]] = [self.look()]
        self._thread = threading.Thread(target=self._repeat)
        self._thread.start()

    def look(self) -> dict[str, float]:
        return figures(self._collector.collect(self._apps, datetime.now(UTC)))

    def end(self) -> None:
        self._stop.set()
        self._thread.join()
        self.seen.append(self.look())
        self._collector.close()

    def cpu(self, app: str, at: int = -1) -> float:
        name = f'coloc_app_cpu_seconds_total{{app="{app}",mode="%s",project="{PROJECTS[app]}"}}'
        return sum(self.seen[at][name % mode] for mode in ("user", "system"))

    def _repeat(self) -> None:
        while not self._stop.wait(self._every):
            self.seen.append(self.look())


@pytest.fixture(autouse=True)
def _root() -> Iterator[None]:
    assert os.geteuid() == 0, "these tests start processes of other users: run them as root"
    yield


def assert_monotone(looks: Looks) -> None:
    for name in looks.seen[-1]:
        if "_total" in name:
            values = [seen[name] for seen in looks.seen]
            assert values == sorted(values), name


def test_short_children_that_no_look_sees_are_their_parent_s() -> None:
    spender = Spender(15, 0.06, as_user=UIDS["blog"])
    looks = Looks(every=0.4)
    spender.spend()
    truth = spender.children_spent()
    looks.end()
    spender.end()
    assert looks.cpu("blog") == pytest.approx(truth, rel=0.02, abs=ROUNDING)
    assert_monotone(looks)


def test_workers_of_a_root_master_are_charged_to_their_user_to_their_end() -> None:
    master = Spender(3, 0.55, as_user=0, children_as=UIDS["wiki"])
    looks = Looks(every=0.2)
    master.spend()
    truth = master.children_spent()
    looks.end()
    master.end()
    assert looks.cpu("wiki") == pytest.approx(truth, rel=0.02, abs=ROUNDING)
    assert_monotone(looks)


def test_two_apps_and_the_rest_are_the_machine() -> None:
    spenders = [Spender(4, 0.2, as_user=UIDS["blog"]), Spender(2, 0.3, as_user=UIDS["wiki"])]
    looks = Looks(every=0.25)
    for spender in spenders:
        spender.spend()
    truth = [spender.children_spent() for spender in spenders]
    looks.end()
    for spender in spenders:
        spender.end()
    assert [looks.cpu("blog"), looks.cpu("wiki")] == pytest.approx(truth, rel=0.02, abs=ROUNDING)
    # The machine's account as the first and the last look read it, so that what others do in between counts in both.
    machine = looks.machine.seconds[-1] - looks.machine.seconds[0]
    everybody = sum(looks.cpu(app) for app in PROJECTS)
    assert everybody == pytest.approx(machine, rel=0.02, abs=0.1)
    assert_monotone(looks)


def test_a_restarted_agent_does_not_charge_the_past_again() -> None:
    spender = Spender(2, 0.2, as_user=UIDS["blog"])
    spender.spend()
    spender.children_spent()
    time.sleep(0.02)
    looks = Looks(every=1.0)
    looks.end()
    spender.end()
    assert looks.cpu("blog") <= 0.02


def test_descriptors_and_memory_of_a_real_process_are_what_the_kernel_says() -> None:
    program = "files = [open('/dev/null') for _ in range(40)]; print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-I", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        whole = [Known(1, 1, 0, None, 1), Known(process.pid, 1, 1, "blog", 1)]
        seen = figures(ProcessDetailsCollector(lambda: whole, pss_seconds=10.0).collect(APPS, datetime.now(UTC)))
        resident = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        held = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        process.communicate("\n")
    assert seen['coloc_app_descriptors{app="blog",project="velo"}'] == held >= 43
    assert 0 < seen['coloc_app_pss_bytes{app="blog",project="velo"}'] <= resident
