"""A real sshd on a loopback port, as a friend's server: one key, one repository, no shell."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sshd:
    """The server; `key` and `known_hosts` are what a client needs."""

    def __init__(self, folder: Path, repository: Path, *, serve: str) -> None:
        program = shutil.which("sshd") or "/usr/sbin/sshd"
        assert Path(program).exists(), "sshd is missing: apt install openssh-server"
        self.folder, self.port = folder, free_port()
        folder.mkdir(parents=True)
        self.key, self.known_hosts = folder / "id_ed25519", folder / "known_hosts"
        for key in (self.key, folder / "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        public = (folder / "host_key.pub").read_text()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public}")
        self._command = f"{serve} --restrict-to-repository {repository}"
        self.let_in(self.key.with_suffix(".pub").read_text())
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host_key'}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {folder / 'authorized_keys'}\nStrictModes no\nPasswordAuthentication no\n"
            "PermitRootLogin yes\nKbdInteractiveAuthentication no\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._argv = [program, "-D", "-e", "-f", str(folder / "sshd_config")]
        self._process: subprocess.Popen[bytes] | None = None

    def let_in(self, public_key: str, *, options: str = "") -> None:
        """The owner adds a key; options: of `borg serve`, such as --append-only."""
        command = f"{self._command} {options}".strip()
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(f'command="{command}",restrict {public_key.strip()}\n')

    def let_in_none(self) -> None:
        """The owner takes every key out."""
        (self.folder / "authorized_keys").write_text("")

    def url(self, path: Path) -> str:
        """The repository as coloc.yml names it."""
        user = os.environ.get("USER") or "root"
        return f"ssh://{user if os.geteuid() else 'root'}@127.0.0.1:{self.port}{path}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("sshd does not answer")

    def stop(self) -> None:
        """End it; a second call does nothing."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None
