"""A real nginx with domains laid out as YunoHost does: a log each, and a folder of files that it includes."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
from pathlib import Path

from tests.fakes.waiting import until

_WORKERS = 2
_MAIN = """
user root;
worker_processes {workers};
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {root}/tmp; proxy_temp_path {root}/tmp; fastcgi_temp_path {root}/tmp;
    uwsgi_temp_path {root}/tmp; scgi_temp_path {root}/tmp;
    include {conf}/*.conf;
}}
"""
_SERVER = """
server {{
    listen 127.0.0.1:{port};
    server_name {domain};
    include {conf}/{domain}.d/*.conf;
    location /yunohost/ {{ return 200 "portal"; }}
    access_log {logs}/{domain}-access.log;
    error_log {logs}/{domain}-error.log;
}}
"""


class Nginx:
    """Below `root`: etc/nginx/conf.d and var/log/nginx, as on a server."""

    def __init__(self, root: Path, domains: dict[str, str]) -> None:
        self.root, self.conf, self.logs = root, root / "etc/nginx/conf.d", root / "var/log/nginx"
        self.conf.mkdir(parents=True)
        self.logs.mkdir(parents=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        for domain, locations in domains.items():
            (self.conf / f"{domain}.d").mkdir()
            (self.conf / f"{domain}.d/app.conf").write_text(locations)
            server = _SERVER.format(port=self.port, domain=domain, conf=self.conf, logs=self.logs)
            (self.conf / f"{domain}.conf").write_text(server)
        (root / "nginx.conf").write_text(_MAIN.format(root=root, conf=self.conf, workers=_WORKERS))
        self.command = f"nginx -p {root} -c {root}/nginx.conf"
        self.process = subprocess.Popen([*self.command.split(), "-g", "daemon off;"], stderr=subprocess.DEVNULL)
        # Both: `script` must know every worker of before, also the one that is born last.
        until(lambda: self._answers() and len(self._workers()) == _WORKERS, seconds=60, what="nginx")

    def _answers(self) -> bool:
        assert self.process.poll() is None, (self.root / "error.log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except OSError:
            return False
        return True

    def get(self, domain: str, path: str, times: int = 1) -> None:
        """Ask, each time with a connection of its own."""
        for _ in range(times):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.putrequest("GET", path, skip_host=True)
            connection.putheader("Host", domain)
            connection.putheader("User-Agent", 'quote " and secret')
            connection.endheaders()
            connection.getresponse().read()
            connection.close()

    def rename_logs(self) -> None:
        """What logrotate does before it tells nginx."""
        for log in list(self.logs.glob("*.log")):
            log.rename(log.with_name(f"{log.name}.1"))
            log.touch()

    def reopen(self) -> None:
        self.process.send_signal(signal.SIGUSR1)

    def script(self, text: str) -> subprocess.CompletedProcess[bytes]:
        """Run a script of ours against this nginx, and wait until only new workers answer."""
        before = self._workers()
        env = {
            **os.environ,
            "COLOC_NGINX": self.command,
            "COLOC_NGINX_CONF": str(self.conf),
            "COLOC_NGINX_LOGS": str(self.logs),
        }
        done = subprocess.run(["sh"], input=text.encode(), env=env, capture_output=True, check=False)
        if done.returncode == 0:
            until(lambda: (now := self._workers()) and not now & before, seconds=60, what="new workers")
        return done

    def _workers(self) -> set[str]:
        pid = self.process.pid
        return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)
