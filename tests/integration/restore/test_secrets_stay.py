"""While Borg works with a passphrase, nobody who looks at processes, environments or dumps can read it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.integration.restore.house import NAME, House

SECRET = b"secret-words"
_DIES = "import os, coloc.secrets as s; s.forbid_core_dumps(); os.execvp('sh', ['sh', '-c', 'kill -ABRT $$'])"


def test_no_argument_and_no_environment_ever_shows_the_passphrase(house: House) -> None:
    seen: list[str] = []
    programs: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for process in Path("/proc").iterdir():
                if not process.name.isdigit() or int(process.name) == os.getpid():
                    continue
                for what in ("cmdline", "environ"):
                    try:
                        text = (process / what).read_bytes()
                    except OSError:
                        continue
                    if str(house.folder).encode() in text:
                        programs.add(text.split(b"\0")[0].rpartition(b"/")[2].decode(errors="replace"))
                        if SECRET in text:
                            seen.append(f"{what} of {text[:200]!r}")

    thread = threading.Thread(target=look)
    thread.start()
    argv = [sys.executable, "-m", "agent", "--config", str(house.folder / "coloc.yml"), "restore", NAME, "--yes"]
    try:
        ended = subprocess.run([*argv, "--only", "files"], capture_output=True, timeout=300, check=False)
    finally:
        done.set()
        thread.join()
    assert ended.returncode == 0, ended.stderr
    assert seen == [] and len(programs) > 1
    assert SECRET not in ended.stdout + ended.stderr
    written = [path for path in house.folder.rglob("*.json") if SECRET in path.read_bytes()]
    assert written == []


def test_a_program_that_crashes_leaves_no_core(tmp_path: Path) -> None:
    before = time.time()
    done = subprocess.run(
        [sys.executable, "-c", _DIES],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == -signal.SIGABRT, done.stderr
    assert [path for path in tmp_path.iterdir() if path.stat().st_mtime >= before] == []
    limits = subprocess.run(
        [sys.executable, "-c", _DIES.replace("kill -ABRT $$", "ulimit -H -c; cat /proc/self/limits")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[3])},
    ).stdout
    (line,) = [line.split() for line in limits.splitlines() if line.startswith("Max core")]
    assert line[4:6] == ["1", "1"]
