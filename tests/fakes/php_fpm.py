"""A real php-fpm of our own: a master as root, pools of other accounts, workers on demand as on YunoHost."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coloc.model import PhpPool
from tests.fakes.waiting import until

_BURN = """<?php
function spent() { $u = getrusage(); return $u['ru_utime.tv_sec'] + $u['ru_stime.tv_sec']
  + ($u['ru_utime.tv_usec'] + $u['ru_stime.tv_usec']) / 1e6; }
$before = spent();
while (spent() - $before < (float) $_GET['seconds']) { for ($i = 0; $i < 2000; $i++) { md5((string) $i); } getmypid(); }
echo spent() - $before;
"""
_WAIT = """<?php
for ($i = 0; $i < 12000 && !file_exists(__DIR__ . '/go'); $i++) { usleep(10000); clearstatcache(); }
echo 'done';
"""
_POOL = """
[{name}]
user = {uid}
group = {uid}
listen = {folder}/{name}.sock
listen.backlog = 64
pm = ondemand
pm.max_children = {most}
pm.process_idle_timeout = {idle}s
pm.max_requests = 500
"""


@dataclass(frozen=True)
class Fpm:
    """A running master; `burn` and `wait` are scripts, `go` is the file that `wait` waits for."""

    folder: Path
    pid: int
    pools: Mapping[str, PhpPool]

    @property
    def burn(self) -> Path:
        return self.folder / "burn.php"

    @property
    def wait(self) -> Path:
        return self.folder / "wait.php"

    @property
    def go(self) -> Path:
        return self.folder / "go"

    def socket(self, pool: str) -> Path:
        return self.folder / f"{pool}.sock"

    def workers(self) -> int:
        """How many live."""
        return len(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())

    def reaped_seconds(self) -> float:
        """What the workers that are gone used: the truth."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def php_fpm(uids: Mapping[str, int], *, most: int, idle_seconds: int) -> Iterator[Fpm]:
    """Start a master with a pool for each account, and end it."""
    program = next(iter(sorted(Path("/usr/sbin").glob("php-fpm[0-9]*"))), None)
    assert program is not None, "php-fpm is needed: ./deploy/prepare.sh test"
    folder = Path(tempfile.mkdtemp(prefix="coloc-fpm-"))
    try:
        folder.chmod(0o755)  # the workers' accounts read their scripts here
        for name, text in (("burn.php", _BURN), ("wait.php", _WAIT)):
            (folder / name).write_text(text)
            (folder / name).chmod(0o644)
        config = folder / "fpm.conf"
        pools = [
            _POOL.format(name=name, uid=uid, folder=folder, most=most, idle=idle_seconds) for name, uid in uids.items()
        ]
        config.write_text(f"[global]\ndaemonize = no\nerror_log = {folder}/error.log\n{''.join(pools)}")
        argv = [str(program), "--nodaemonize", "-n", "--fpm-config", str(config), "--pid", f"{folder}/pid"]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as master:
            try:
                until(lambda: all((folder / f"{name}.sock").exists() for name in uids), seconds=120, what="php-fpm")
                known = {name: PhpPool(str(config), name, name, f"{folder}/{name}.sock", most) for name in uids}
                yield Fpm(folder, master.pid, known)
            finally:
                master.terminate()
                try:
                    master.wait(60)
                except subprocess.TimeoutExpired:
                    master.kill()
    finally:
        shutil.rmtree(folder)
