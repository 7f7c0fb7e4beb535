"""A real MariaDB of the tests' own: a private server on a socket in a temporary folder, ended by its pid."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from coloc.databases import mysql
from coloc.databases.servers import Servers
from coloc.errors import ColocError


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"{name} is missing: apt install mariadb-server"
    return found


class MariaDb:
    """A server whose data outlives it: it may be killed and started again. durable: every commit is on the disk."""

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        self._folder, self._flush = folder, int(durable)
        self._process: subprocess.Popen[bytes] | None = None
        folder.chmod(0o755)
        user = ["--user=root"] if os.geteuid() == 0 else []
        self._common = ["--no-defaults", f"--datadir={folder / 'data'}", *user]
        install = [_program("mariadb-install-db"), *self._common, "--auth-root-authentication-method=normal"]
        subprocess.run([*install, "--skip-test-db"], check=True, capture_output=True, timeout=180)
        (folder / "my.cnf").write_text("[client]\n")
        self.servers = Servers(mysql_socket=str(folder / "sock"), mysql_defaults_file=str(folder / "my.cnf"))

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = self._folder / "log"
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [
                    _program("mariadbd"),
                    *self._common,
                    f"--socket={self._folder / 'sock'}",
                    "--skip-networking",
                    f"--innodb-flush-log-at-trx-commit={self._flush}",
                    "--innodb-buffer-pool-size=32M",
                    "--innodb-log-file-size=16M",
                    "--event-scheduler=ON",
                    f"--pid-file={self._folder / 'pid'}",
                ],
                stdout=file,
                stderr=file,
            )
        _wait(lambda: bool(mysql.ask(self.servers, "SELECT 1")), self._process, log)

    def stop(self) -> None:
        """End it; a second call does nothing."""
        self._end(lambda process: process.terminate())

    def kill(self) -> None:
        """It dies without a word; what it had committed is there again when it starts."""
        self._end(lambda process: process.kill())

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        if self._process is not None:
            how(self._process)
            self._process.wait(timeout=120)
            self._process = None


@contextmanager
def mariadb_server() -> Iterator[Servers]:
    """A fresh server, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="coloc-mariadb-") as name:
        server = MariaDb(Path(name))
        try:
            server.start()
            yield server.servers
        finally:
            server.stop()


def _wait(ready: object, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 150
    while True:
        try:
            assert callable(ready)
            ready()
            return
        except ColocError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
            time.sleep(0.1)
