"""A daemon that only answers /api/v1/status, with a status full of what a bad night brings; a real HTTP server."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from agent.status import (
    AppStatus,
    BackupStatus,
    IncidentStatus,
    Past,
    ProjectStatus,
    QuotaStatus,
    SilenceStatus,
    Status,
    plain,
    to_json,
)

NOW = datetime(2026, 11, 23, 2, 45, tzinfo=UTC)
NIGHT = NOW - timedelta(minutes=10)
HOSTILE = "Blog\x1b[2Jd'été\n\u202eliame"


def sample_status() -> Status:
    """Two projects, three apps (one down, one hostile), two hosts (one that failed), incidents open and over."""
    quota = QuotaStatus(
        "disk", 11e9, 8e9, 10e9, "throttle", NIGHT, "let its files grow no more", 2, project="rosalinde"
    )
    fine = QuotaStatus("cpu", None, 1.6, 2.0, "fine", NIGHT, "nothing", 0, project="rosalinde")
    sums = (0.5, 2e8, 1.1e10, 3e6)
    return Status(
        coloc="hautepierre",
        kind="cloud",
        stage="alert",
        version="0.1.0",
        timezone="Europe/Paris",
        at=NOW,
        started_at=NOW - timedelta(days=1),
        projects=(
            ProjectStatus("rosalinde", "Rosalinde", "association", ("blog",), ("lea",), *sums, (quota, fine)),
            ProjectStatus("chorale", "Chorale", "informal", ("wiki",), (), *sums),
        ),
        apps=(
            AppStatus("blog", HOSTILE, "rosalinde", "ok", "https://blog.test/", "1.0", False, *sums, ("unit failed",)),
            AppStatus("wiki", "Wiki", "chorale", "ok", "https://wiki.test/", "2.0", True, *sums),
            AppStatus("chat", "Tchat", "_shared", "ok", "", "3.0", None, None, None, None, None),
        ),
        hosts=("alouette", "merle"),
        backups=(
            BackupStatus("blog", "alouette", NIGHT, True, "", NIGHT, NIGHT, "blog-1", 1000),
            BackupStatus("wiki", "merle", NIGHT, False, "the ssh door is\x07 shut", None, None, "", None),
        ),
        incidents=(
            IncidentStatus(7, "critical", "firing", HOSTILE, NIGHT, None, "Léa", NOW + timedelta(hours=1)),
            IncidentStatus(3, "warning", "resolved", "Disque presque plein", NIGHT, NOW, "", None),
        ),
        collectors={"disk": "", "databases": "mariadb is away"},
        outbox={"matrix": 2, "console": 0},
        silences=(SilenceStatus(4, NIGHT, NOW + timedelta(hours=2), "Zoé", f"app={HOSTILE}", "upgrade"),),
        blind_spots=("processes of others",),
    )


@contextmanager
def serving(
    body: bytes | None = None,
    *,
    status: int = 200,
    host: str = "127.0.0.1",
    past: Past | None = None,
    now: Status | None = None,
) -> Iterator[int]:
    """The port of a server that answers with the sample, or with `body`."""
    text = body if body is not None else json.dumps(to_json(now or sample_status())).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, said = (status, text) if self.path == "/api/v1/status" else (404, b"not found")
            if past is not None and self.path in {"/api/v1/incidents", f"/api/v1/incidents?id={past.incidents[0].id}"}:
                code, said = 200, json.dumps({key: plain(value) for key, value in asdict(past).items()}).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    with Server((host, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(5)


def free_port() -> int:
    """A port where nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
