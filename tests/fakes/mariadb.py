"""A real MariaDB of the tests' own: a private server on a socket in a temporary folder, ended by its pid."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coloc.databases import mysql
from coloc.databases.servers import Servers
from coloc.errors import ColocError


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"{name} is missing: apt install mariadb-server"
    return found


@contextmanager
def mariadb_server() -> Iterator[Servers]:
    """A fresh server, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="coloc-mariadb-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        user = ["--user=root"] if os.geteuid() == 0 else []
        data, socket = folder / "data", folder / "sock"
        common = ["--no-defaults", f"--datadir={data}", *user]
        install = [
            _program("mariadb-install-db"),
            *common,
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ]
        subprocess.run(install, check=True, capture_output=True, timeout=180)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    _program("mariadbd"),
                    *common,
                    f"--socket={socket}",
                    "--skip-networking",
                    "--innodb-flush-log-at-trx-commit=0",
                    "--innodb-buffer-pool-size=32M",
                    "--innodb-log-file-size=16M",
                    "--event-scheduler=ON",
                    f"--pid-file={folder / 'pid'}",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            empty = folder / "my.cnf"
            empty.write_text("[client]\n")
            servers = Servers(mysql_socket=str(socket), mysql_defaults_file=str(empty))
            _wait(lambda: bool(mysql.ask(servers, "SELECT 1")), process, folder / "log")
            yield servers
        finally:
            process.terminate()
            process.wait(timeout=120)


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
