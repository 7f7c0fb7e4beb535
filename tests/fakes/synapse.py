"""A real Matrix homeserver (Synapse on SQLite) for tests and `make run FULL=1`: started here, ended by its pid.

    python tests/fakes/synapse.py --dir DIR [--users bot,lea] [--rc-message 0.2:10]   prints one JSON object
    python tests/fakes/synapse.py --stop DIR

Synapse lives in a venv of its own (`.cache/synapse`, or $COLOC_CACHE/synapse), made the first time.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

SYNAPSE = "matrix-synapse==1.163.0"
CACHE = Path(os.environ.get("COLOC_CACHE", Path(__file__).parents[2] / ".cache"))

_CONFIG = """\
server_name: lab.local
public_baseurl: http://127.0.0.1:{port}/
pid_file: {home}/homeserver.pid
listeners:
  - {{port: {port}, bind_addresses: ['127.0.0.1'], type: http, tls: false, x_forwarded: false,
      resources: [{{names: [client], compress: false}}]}}
database: {{name: sqlite3, args: {{database: {home}/homeserver.db}}}}
log_config: {home}/log.yaml
media_store_path: {home}/media
signing_key_path: {home}/signing.key
registration_shared_secret: {secret}
macaroon_secret_key: {secret}m
form_secret: {secret}f
report_stats: false
trusted_key_servers: []
suppress_key_server_warning: true
enable_registration: false
federation_domain_whitelist: []
enable_metrics: false
bcrypt_rounds: 4
refreshable_access_token_lifetime: 2s
presence: {{enabled: false}}
url_preview_enabled: false
rc_login:
  address: {{per_second: 1000, burst_count: 1000}}
  account: {{per_second: 1000, burst_count: 1000}}
  failed_attempts: {{per_second: 1000, burst_count: 1000}}
rc_registration: {{per_second: 1000, burst_count: 1000}}
rc_joins: {{local: {{per_second: 1000, burst_count: 1000}}}}
rc_invites: {{per_room: {{per_second: 1000, burst_count: 1000}}, per_user: {{per_second: 1000, burst_count: 1000}}}}
rc_room_creation: {{per_second: 1000, burst_count: 1000}}
rc_message: {{per_second: {rate}, burst_count: {burst}}}
"""
_LOG = """\
version: 1
formatters: {{p: {{format: '%(asctime)s %(levelname)s %(name)s %(message)s'}}}}
handlers: {{f: {{class: logging.FileHandler, filename: {home}/synapse.log, formatter: p}}}}
root: {{level: WARNING, handlers: [f]}}
disable_existing_loggers: false
"""


class Synapse:
    """One homeserver in a folder. The database outlives a stop, so that tests may kill it and start it again."""

    def __init__(self, home: Path, *, rate: str = "1000:1000") -> None:
        self.home, self.rate = home.absolute(), rate
        self._state = self.home / "state.json"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._remembered()['port']}"

    def start(self) -> None:
        """Start and wait until it answers; makes the venv and the configuration the first time."""
        python = _venv()
        self.home.mkdir(parents=True, exist_ok=True)
        self._configure(python)
        with (self.home / "stdout.log").open("ab") as sink:
            argv = [str(python), "-m", "synapse.app.homeserver", "-c", str(self.home / "homeserver.yaml")]
            self._process = subprocess.Popen(argv, cwd=self.home, stdout=sink, stderr=sink, start_new_session=True)
        (self.home / "pid").write_text(str(self._process.pid))
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"synapse ended with {self._process.returncode}; see {self.home}/stdout.log")
            with contextlib.suppress(OSError):
                if call("GET", f"{self.base_url}/_matrix/client/versions")[0] == 200:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"synapse does not answer; see {self.home}/synapse.log")

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it gently."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def user(self, name: str) -> dict[str, str]:
        """A user's id and access token; registered the first time, always the same device."""
        state = self._remembered()
        if name not in state["users"]:
            state["users"][name] = self._register(name, state["secret"])
            self._remember(state)
        found: dict[str, str] = state["users"][name]
        return found

    def _configure(self, python: Path) -> None:
        if self._state.exists():
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        secret, (rate, burst) = secrets.token_hex(16), self.rate.split(":")
        config = _CONFIG.format(port=port, home=self.home, secret=secret, rate=rate, burst=burst)
        (self.home / "homeserver.yaml").write_text(config)
        (self.home / "log.yaml").write_text(_LOG.format(home=self.home))
        argv = [
            str(python),
            "-m",
            "synapse.app.homeserver",
            "-c",
            str(self.home / "homeserver.yaml"),
            "--generate-keys",
        ]
        subprocess.run(argv, check=True, capture_output=True)
        self._remember({"port": port, "secret": secret, "users": {}})

    def _register(self, name: str, secret: str) -> dict[str, str]:
        url = f"{self.base_url}/_synapse/admin/v1/register"
        nonce, password = call("GET", url)[1]["nonce"], secrets.token_hex(8)
        words = b"\x00".join([nonce.encode(), name.encode(), password.encode(), b"notadmin"])
        mac = hmac.new(secret.encode(), words, hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": name, "password": password, "admin": False, "mac": mac}
        status, answer = call("POST", url, body)
        if status != 200:
            raise RuntimeError(f"registering {name}: {status} {answer}")
        return {"user_id": answer["user_id"], "access_token": answer["access_token"], "password": password}

    def login(self, name: str) -> dict[str, Any]:
        """A new device of a user, with tokens that expire after two seconds and can be renewed."""
        user = self.user(name)
        who = {"type": "m.id.user", "user": name}
        body = {
            "type": "m.login.password",
            "identifier": who,
            "password": user["password"],
            "refresh_token": True,
        }
        status, answer = call("POST", f"{self.base_url}/_matrix/client/v3/login", body)
        if status != 200:
            raise RuntimeError(f"login of {name}: {status} {answer}")
        found: dict[str, Any] = answer
        return found

    def _remembered(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self._state.read_text())
        return values

    def _remember(self, state: dict[str, Any]) -> None:
        self._state.write_text(json.dumps(state))
        self._state.chmod(0o600)


def call(method: str, url: str, body: Any = None, token: str = "") -> tuple[int, Any]:
    """One request; returns the status and the JSON answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, method=method, data=data, headers={"Content-Type": "application/json"})
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"{}")


def _venv() -> Path:
    home = CACHE / "synapse"
    python = home / "bin" / "python"
    if not (home / ".ready").exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, stdout=sys.stderr)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SYNAPSE]
        subprocess.run(install, check=True, stdout=sys.stderr)
        (home / ".ready").touch()
    return python


def _stop_by_pid(home: Path) -> None:
    pid = int((home / "pid").read_text())
    with contextlib.suppress(OSError):
        if b"synapse" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 15
            while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
                time.sleep(0.1)


def main() -> None:
    """The script's door."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path)
    parser.add_argument("--users", default="bot,lea")
    parser.add_argument("--rc-message", default="1000:1000")
    parser.add_argument("--stop", type=Path)
    words = parser.parse_args()
    if words.stop:
        _stop_by_pid(words.stop)
        return
    server = Synapse(words.dir, rate=words.rc_message)
    server.start()
    users = {name: server.user(name) for name in words.users.split(",")}
    print(json.dumps({"base_url": server.base_url, "users": users}))


if __name__ == "__main__":
    main()
