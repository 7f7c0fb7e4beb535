"""A follower of logs that is killed at any moment loses nothing and counts nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.fakes.waiting import until

ROOT = Path(__file__).parents[3]
FOLLOWER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from collectors.web import WebCollector
from coloc.memory import KeptMemory
from coloc.state import open_state
from coloc.model import App
from tests.fakes.colocations import colocation

folder, looks = Path(sys.argv[1]), int(sys.argv[2])
state = open_state(folder / "state.db")
memory = KeptMemory(state)
web = WebCollector(folder, memory=memory)
apps = colocation(App("blog", "b", "Blog", domain="a.test", path="/"))
look = 0
while looks == 0 or look < looks:
    list(web.collect(apps, datetime.now(UTC)))
    look += 1
    if look % 3 == 1 or looks:  # rarer than it looks, as the daemon does
        memory.save(state)
    (folder / "seen.tmp").write_text(str(sum(web.counts().get("blog", [0] * 6)[1:6])))
    (folder / "seen.tmp").rename(folder / "seen")
state.close()
"""
LINE = b'192.0.2.1 - - [24/Nov/2026:03:00:%02d +0000] "GET /%d HTTP/2.0" 200 1 "-" "-"\n'


def follower(folder: Path, looks: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-c", FOLLOWER, str(folder), str(looks)]
    return subprocess.Popen(argv, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def seen(folder: Path) -> float:
    try:
        return float((folder / "seen").read_text())
    except FileNotFoundError:
        return -1.0


def has_seen(folder: Path, lines: int) -> bool:
    return seen(folder) >= lines


def test_killed_again_and_again_while_it_reads_it_counts_every_line_once(tmp_path: Path) -> None:
    logs = tmp_path / "var/log/nginx"
    logs.mkdir(parents=True)
    log = logs / "a.test-access.log"
    log.touch()
    assert follower(tmp_path, 1).wait(120) == 0  # from now on all counts
    written = 0
    for turn in range(4):
        child = follower(tmp_path, 0)
        try:
            until(partial(has_seen, tmp_path, 0), seconds=120)
            for part in range(40):
                with log.open("ab") as file:
                    file.write(b"".join(LINE % (turn, written + number) for number in range(50)))
                written += 50
                if part == 20 and turn % 2:
                    (logs / "a.test-access.log.1").unlink(missing_ok=True)
                    until(partial(has_seen, tmp_path, written), seconds=120)
                    log.rename(logs / "a.test-access.log.1")
                    log.touch()
            # Killed somewhere between the first of these lines and the last.
            until(partial(has_seen, tmp_path, written - 40 * 50 + 1), seconds=120)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait(60)
        (tmp_path / "seen").unlink()
    assert follower(tmp_path, 2).wait(120) == 0
    assert seen(tmp_path) == written
