"""The server that every tool saves: files, tiny files and two databases; and the friend's sshd it is saved to."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from coloc.databases import mysql, postgresql
from coloc.databases.servers import Servers
from tests.fakes.mariadb import mariadb_server
from tests.fakes.postgresql import postgresql_server
from tests.fakes.sshd import Sshd

BIN = Path(sys.executable).parent
NAME = "bench"  # of both databases
FILE_BYTES, ROW_BYTES = 50_000, 600
PLACES = ("local", "ssh")


@dataclass(frozen=True, slots=True)
class Amount:
    """How much there is: files of 50 kB, files of some hundred bytes, rows of 600 bytes in each database."""

    files: int
    tiny: int
    rows: int


FULL, SMALL = Amount(20_000, 200_000, 400_000), Amount(2_000, 20_000, 40_000)


@dataclass(frozen=True, slots=True)
class Server:
    """Where everything is. top: the folders of the apps."""

    folder: Path
    servers: Servers
    sshd: Sshd
    amount: Amount

    @property
    def top(self) -> Path:
        return self.folder / "root/var/www"

    def place(self, tool: str, where: str) -> str:
        """Where a tool keeps its repository; a folder, or a folder behind sshd."""
        path = self.folder / "hosts" / f"{tool}-{where}"
        return str(path) if where == "local" else self.sshd.url(path)

    def ssh_command(self, key: str = "id_ed25519") -> str:
        """How the friend is entered by hand."""
        known = f"-oUserKnownHostsFile={self.sshd.known_hosts}"
        return f"ssh -i {self.folder / 'sshd' / key} -oBatchMode=yes -oIdentitiesOnly=yes {known}"

    def fill(self) -> None:
        """Make the data."""
        for app, count in (("files", self.amount.files), ("tiny", self.amount.tiny)):
            for number in range(count):
                path = self.path_of(app, number)
                if number % 500 == 0:
                    path.parent.mkdir(parents=True)
                path.write_bytes(content(app, number, 0))
        (self.top / "data").mkdir()
        mysql.create(self.servers, NAME)
        fill = f"SELECT seq, repeat(md5(seq), 18) FROM seq_1_to_{self.amount.rows}"
        table = f"CREATE TABLE t (id INT PRIMARY KEY, b TEXT); INSERT INTO t {fill}"
        mysql.ask(self.servers, table, database=NAME, timeout=3600)
        postgresql.ask(self.servers, f"CREATE DATABASE {NAME} TEMPLATE template0")
        fill = f"SELECT n AS id, repeat(md5(n::text), 18) AS b FROM generate_series(1, {self.amount.rows}) n"
        table = f"CREATE TABLE t AS {fill}; ALTER TABLE t ADD PRIMARY KEY (id)"
        postgresql.ask(self.servers, table, database=NAME, timeout=3600)

    def path_of(self, app: str, number: int) -> Path:
        """Where a file lies: 500 in a folder."""
        return self.top / app / str(number // 500) / f"{number}"

    def change(self, generation: int) -> None:
        """One file and one row in a hundred are others than before."""
        for app, count in (("files", self.amount.files), ("tiny", self.amount.tiny)):
            for number in range(generation % 100, count, 100):
                self.path_of(app, number).write_bytes(content(app, number, generation))
        where = f"id % 100 = {generation % 100}"
        mysql.ask(self.servers, f"UPDATE t SET b = reverse(b) WHERE {where}", database=NAME, timeout=600)
        postgresql.ask(self.servers, f"UPDATE t SET b = reverse(b) WHERE {where}", database=NAME, timeout=600)


def content(app: str, number: int, generation: int) -> bytes:
    """Half of it compresses, half does not; a tiny file is a line."""
    if app == "tiny":
        return f"{number} of {generation}, ".encode() * 12
    return os.urandom(FILE_BYTES // 2) + b"text " * (FILE_BYTES // 10)


@contextmanager
def open_server(folder: Path, amount: Amount) -> Iterator[Server]:
    """Servers of its own, gone at the end."""
    folder.chmod(0o755)
    (folder / "hosts").mkdir()
    with mariadb_server() as maria, postgresql_server() as pg:
        servers = replace(pg, mysql_socket=maria.mysql_socket, mysql_defaults_file=maria.mysql_defaults_file)
        sshd = Sshd(folder / "sshd", folder / "hosts", serve="true")
        keys = folder / "sshd/authorized_keys"
        public = sshd.key.with_suffix(".pub").read_text().strip()
        keys.write_text(f'command="{BIN}/borg serve --restrict-to-path {folder}/hosts",restrict {public}\n')
        other = folder / "sshd/sftp"  # restic speaks sftp
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
        with keys.open("a") as file:
            file.write(other.with_suffix(".pub").read_text())
        with (folder / "sshd/sshd_config").open("a") as file:
            file.write("Subsystem sftp internal-sftp\n")
        sshd.start()
        try:
            yield Server(folder, servers, sshd, amount)
        finally:
            sshd.stop()
