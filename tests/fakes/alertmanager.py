"""A real Alertmanager on loopback, and a small receiver that keeps what its webhook brings."""

from __future__ import annotations

import json
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.fakes.prometheus import free_port, needed

CONFIG = """\
route: {{receiver: test, group_by: [coloc, alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: test
    webhook_configs: [{{url: "{url}", http_config: {access}}}]
"""


class Receiver:
    """Takes webhooks and keeps their alerts."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        kept = self.alerts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                kept.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["alerts"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where webhooks go."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"


class Alertmanager:
    """Started by `with`, ended by its process id; its data goes with the folder."""

    def __init__(self, folder: Path, receiver_url: str, *, token: str = "") -> None:
        """`token`: what it shows to the receiver."""
        self._folder, self._port = folder, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        access = json.dumps({"authorization": {"credentials": token}} if token else {})
        (folder / "alertmanager.yml").write_text(CONFIG.format(url=receiver_url, access=access))

    def __enter__(self) -> Alertmanager:
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                needed("prometheus-alertmanager"),
                f"--config.file={self._folder / 'alertmanager.yml'}",
                f"--storage.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--cluster.listen-address=",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def address(self) -> str:
        """Where it takes alerts."""
        return f"127.0.0.1:{self._port}"
