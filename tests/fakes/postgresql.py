"""A real PostgreSQL of the tests' own: a private cluster on a socket in a temporary folder, ended by its pid."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coloc.databases.servers import Servers


def _program(name: str) -> str:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=":".join([*map(str, folders), os.environ["PATH"]]))
    assert found, f"{name} is missing: apt install postgresql"
    return found


@contextmanager
def postgresql_server() -> Iterator[Servers]:
    """A fresh cluster, gone at the end. It refuses to run as root: then it runs as postgres."""
    account = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="coloc-pg-") as name:
        folder = Path(name)
        if account:
            shutil.chown(folder, account)
        data = folder / "data"
        superuser = account or getpass.getuser()
        init = [
            _program("initdb"),
            "-D",
            str(data),
            "--auth=trust",
            f"--username={superuser}",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        init += ["--locale=C.UTF-8"]
        subprocess.run(init, check=True, capture_output=True, timeout=180, user=account, cwd="/")
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off -c shared_buffers=16MB"
        control = [_program("pg_ctl"), "-D", str(data), "-w", "-t", "150"]
        begin = [*control, "-l", str(folder / "log"), "-o", options, "start"]
        try:
            subprocess.run(begin, check=True, stdout=subprocess.DEVNULL, timeout=180, user=account, cwd="/")
            yield Servers(pg_host=str(folder), pg_port=5432, pg_user=superuser, pg_run_as=account or "")
        finally:
            subprocess.run(
                [*control, "-m", "immediate", "stop"], stdout=subprocess.DEVNULL, timeout=180, user=account, cwd="/"
            )
