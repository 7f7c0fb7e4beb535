"""The tools: raw Borg, borgmatic, restic and the agent; each saves the same data, and brings it back."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import yaml

from backup.borg import DUMP_CHUNKS, FILE_CHUNKS
from backup.dumps import mysql_argv, postgresql_argv
from coloc.databases import mysql, postgresql
from saving.server import BIN, NAME, Server

PASSPHRASE = "bench"
APPS = ("files", "tiny", "data")
ROOT = Path(__file__).resolve().parents[2]


class Tool(Protocol):
    """One tool at one place."""

    name: str

    def save(self) -> Mapping[str, float]:
        """One run; what it tells of itself (`readback`: seconds of its run, `memory`: bytes)."""

    def restore(self) -> None:
        """Everything, files and rows."""


@dataclass(slots=True)
class RawBorg:
    """`borg create` by hand for the same archives: files of each app, each dump by itself."""

    server: Server
    where: str
    name: str = "raw borg"
    _run: int = 0

    def save(self) -> Mapping[str, float]:
        self._run += 1
        if self._run == 1:
            self._borg("init", "--encryption=repokey")
        for app in APPS:
            suffix = {"BORG_FILES_CACHE_SUFFIX": app}
            options = ["--json", "--compression=zstd,3", f"--chunker-params={FILE_CHUNKS}"]
            self._borg("create", *options, f"::{app}.{self._run}", str(self.server.top / app), env=suffix)
        for kind, argv in self._dumps().items():
            options = ["--json", "--content-from-command", "--stdin-name=dump.sql", "--compression=zstd,3"]
            options.append(f"--chunker-params={DUMP_CHUNKS}")
            self._borg("create", *options, f"::{kind}.{self._run}", "--", *argv)
        return {}

    def restore(self) -> None:
        into = fresh(self.server.folder / "out")
        for app in APPS:
            self._borg("extract", "--sparse", f"::{app}.{self._run}", cwd=into)
        for kind, load in loads(self.server).items():
            argv = [str(BIN / "borg"), "extract", "--stdout", f"::{kind}.{self._run}"]
            with subprocess.Popen(argv, env=self._env(), stdout=subprocess.PIPE) as borg:
                subprocess.run(load, stdin=borg.stdout, stdout=subprocess.DEVNULL, check=True)
        drop(self.server)

    def _dumps(self) -> dict[str, list[str]]:
        servers = self.server.servers
        options = [f"{key}={value}" for key, value in servers.pg_env().items()]
        return {"mysql": mysql_argv(servers, NAME), "postgresql": ["env", *options, *postgresql_argv(NAME)]}

    def _env(self) -> dict[str, str]:
        return borg_env(self.server, f"raw-{self.where}") | {"BORG_REPO": self.server.place("raw", self.where)}

    def _borg(self, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
        call([str(BIN / "borg"), *arguments], env=self._env() | dict(env or {}), cwd=cwd)


@dataclass(slots=True)
class Borgmatic:
    """borgmatic with its database hooks: one archive of everything. `create` alone: no check, no prune."""

    server: Server
    where: str
    name: str = "borgmatic"
    _made: bool = False

    def save(self) -> Mapping[str, float]:
        if not self._made:
            self._configure()
            self._borgmatic("repo-create", "--encryption", "repokey")
            self._made = True
        self._borgmatic("create")
        return {}

    def restore(self) -> None:
        self._borgmatic("extract", "--archive", "latest", "--destination", str(fresh(self.server.folder / "out")))
        self._borgmatic("restore", "--archive", "latest")

    def _configure(self) -> None:
        servers = self.server.servers
        maria = {"name": NAME, "socket_path": servers.mysql_socket, "username": "root", "label": "maria"}
        pg = {"name": NAME, "hostname": servers.pg_host, "port": servers.pg_port or 5432, "username": servers.pg_user}
        pg["label"] = "pg"  # else it takes the folder of the socket for a part of its own file's name
        settings = {
            "source_directories": [str(self.server.top / app) for app in APPS],
            "repositories": [{"path": self.server.place("borgmatic", self.where), "label": "bench"}],
            "encryption_passphrase": PASSPHRASE,
            "compression": "zstd,3",
            "chunker_params": FILE_CHUNKS,
            "ssh_command": self.server.ssh_command(),
            "local_path": str(BIN / "borg"),
            "borg_base_directory": str(self.server.folder / f"borgmatic-{self.where}"),
            "mariadb_databases": [maria],
            "postgresql_databases": [pg],
        }
        self._file.write_text(yaml.safe_dump(settings))

    @property
    def _file(self) -> Path:
        return self.server.folder / f"borgmatic-{self.where}.yaml"

    def _borgmatic(self, *arguments: str) -> None:
        env = os.environ | {"HOME": str(self.server.folder), "XDG_RUNTIME_DIR": str(self.server.folder)}
        call([str(borgmatic_program()), "--config", str(self._file), *arguments], env=env)


@dataclass(slots=True)
class Restic:
    """restic, with dumps by its stdin."""

    server: Server
    where: str
    name: str = "restic"
    _made: bool = False

    def save(self) -> Mapping[str, float]:
        if not self._made:
            self._restic("init")
            self._made = True
        self._restic("backup", *(str(self.server.top / app) for app in APPS), "--tag", "files")
        for kind, argv in RawBorg(self.server, "")._dumps().items():
            with subprocess.Popen(argv, stdout=subprocess.PIPE) as dump:
                self._restic("backup", "--stdin", "--stdin-filename", f"{kind}.sql", "--tag", kind, stdin=dump.stdout)
        return {}

    def restore(self) -> None:
        self._restic("restore", "latest", "--tag", "files", "--target", str(fresh(self.server.folder / "out")))
        for kind, load in loads(self.server).items():
            argv = ["restic", *self._common(), "dump", "--tag", kind, "latest", f"/{kind}.sql"]
            with subprocess.Popen(argv, env=self._env(), stdout=subprocess.PIPE) as restic:
                subprocess.run(load, stdin=restic.stdout, stdout=subprocess.DEVNULL, check=True)
        drop(self.server)

    def _common(self) -> list[str]:
        if self.where == "local":
            return []
        port, command = self.server.sshd.port, self.server.ssh_command("sftp")
        return ["-o", f"sftp.command={command} -p {port} root@127.0.0.1 -s sftp"]

    def _env(self) -> dict[str, str]:
        path = self.server.folder / "hosts" / f"restic-{self.where}"
        place = str(path) if self.where == "local" else f"sftp:root@127.0.0.1:{path}"
        cache = str(self.server.folder / f"restic-cache-{self.where}")
        return os.environ | {"RESTIC_REPOSITORY": place, "RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": cache}

    def _restic(self, *arguments: str, stdin: object = None) -> None:
        call(["restic", *self._common(), "--quiet", *arguments], env=self._env(), stdin=stdin)


@dataclass(slots=True)
class Agent:
    """A whole run of the agent: dumps, files, the reading back, retention, its books."""

    server: Server
    where: str
    name: str = "agent"
    hosts: Mapping[str, object] = field(default_factory=dict)
    apps: Mapping[str, object] = field(default_factory=dict)

    def save(self) -> Mapping[str, float]:
        argv = [sys.executable, str(ROOT / "bench/saving/night.py"), str(self._configured())]
        return {key: float(value) for key, value in json.loads(call(argv)).items()}

    def restore(self) -> None:
        for app in APPS:
            call([str(BIN / "coloc-agent"), "--config", str(self._configured()), "restore", app, "--yes"])

    def tidy(self) -> None:
        """Remove what the restore replaced, outside of what is timed."""
        call([str(BIN / "coloc-agent"), "--config", str(self._configured()), "restore", "--tidy"])

    def _configured(self) -> Path:
        folder = self.server.folder
        path, words = folder / f"agent-{self.where}.yml", folder / "passphrase"
        if path.exists():
            return path
        words.write_text(PASSPHRASE)
        words.chmod(0o600)
        place = self.server.place("agent", self.where)
        at = {"path": place} if self.where == "local" else {"ssh": place, "key_file": str(self.server.sshd.key)}
        databases = [{"kind": "mysql", "name": NAME}, {"kind": "postgresql", "name": NAME}]
        apps: dict[str, object] = {app: {"folders": [f"/var/www/{app}"]} for app in APPS}
        apps["data"] = {"folders": ["/var/www/data"], "databases": databases}
        names = ("journal", "facts", "state", "requests")
        settings = {
            "coloc": {"name": "bench", "language": "en"},
            "root": str(folder / "root"),
            "paths": {name: str(folder / f"agent-{self.where}" / name) for name in names},
            "apps": dict(self.apps) or apps,
            "database_servers": self.server.servers.as_data(),
            "backup": {"passphrase_file": str(words), "hosts": dict(self.hosts) or {"a": at}, "keep_replaced": "1s"},
        }
        path.write_text(yaml.safe_dump(settings))
        return path


def borg_env(server: Server, base: str) -> dict[str, str]:
    """Borg's environment: a cache of its own."""
    own = {"BORG_BASE_DIR": str(server.folder / base), "BORG_PASSPHRASE": PASSPHRASE}
    return os.environ | own | {"BORG_RSH": server.ssh_command()}


def borgmatic_program() -> Path:
    """borgmatic in a venv of its own, made once."""
    venv = ROOT / ".cache/borgmatic"
    if not (venv / "bin/borgmatic").exists():
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        subprocess.run([str(venv / "bin/pip"), "install", "--quiet", "borgmatic"], check=True)
    return venv / "bin/borgmatic"


def loads(server: Server) -> dict[str, list[str]]:
    """The clients that load a dump into a new database, which is made here."""
    drop(server)
    mysql.create(server.servers, "raw")
    postgresql.ask(server.servers, "CREATE DATABASE raw TEMPLATE template0")
    options = [f"{key}={value}" for key, value in server.servers.pg_env().items()]
    psql = ["env", *options, "psql", "--quiet", "--no-psqlrc", "--dbname=raw"]
    return {"mysql": ["mariadb", *server.servers.mysql_options(), "raw"], "postgresql": psql}


def drop(server: Server) -> None:
    """The databases of `loads`."""
    if mysql.exists(server.servers, "raw"):
        mysql.drop(server.servers, "raw")
    if postgresql.exists(server.servers, "raw"):
        postgresql.drop(server.servers, "raw")


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def call(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, stdin: object = None
) -> str:
    """A program to its end; its stdout. Raises SystemExit with its last words."""
    given = stdin if stdin is not None else subprocess.DEVNULL
    done = subprocess.run(argv, env=env, cwd=cwd, stdin=given, capture_output=True, text=True)  # type: ignore[call-overload]
    if done.returncode:
        raise SystemExit(
            f"{shlex.join(argv[:3])} exited with {done.returncode}: {(done.stderr or done.stdout)[-2000:]}"
        )
    return str(done.stdout)
