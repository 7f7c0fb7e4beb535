"""The keys of coloc.yml about the agent itself: address, rhythm, folders, database servers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from coloc.config.marks import Within
from coloc.config.values import Described, Place, Seconds


class Listen(Described):
    """Where the page and /metrics answer."""

    host: str = "127.0.0.1"
    port: Annotated[int, Within(ge=0, le=65535)] = 9942
    web_config: Place | None = None  # certificate and users, as Prometheus' exporters read them

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(value: object) -> object:
    """`127.0.0.1:9942`, `[::1]:9942`, `9942`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"port": value}
    if isinstance(value, str):
        match = re.fullmatch(r"(?:\[([0-9A-Za-z:.%]+)\]|([^:\s/]+)):([0-9]{1,5})", value)
        if not match:
            raise ValueError("write an address such as 127.0.0.1:9942 or [::1]:9942")
        return {"host": match[1] or match[2], "port": int(match[3])}
    return value


class Sampling(Described):
    """How often the agent looks. The defaults suit a server of sixty apps."""

    every: Annotated[Seconds, Within(ge=0.05)] = 15.0
    disk_every: Seconds = 3600.0
    databases_every: Seconds = 60.0


class Paths(Described):
    """Where the agent keeps its things; the demo and tests move them."""

    state: Place = Path("/var/lib/coloc-agent")
    facts: Place = Path("/var/lib/coloc-agent-facts")
    journal: Place = Path("/var/lib/coloc-agent-root")
    requests: Place = Path("/run/coloc-agent/requests")
    wake: Place = Path("/run/coloc-agent/wake")
    helper: Place = Path("/var/lib/coloc-agent-helper")
    helper_socket: Place = Path("/run/coloc-agent-helper/socket")


class DatabaseServers(Described):
    """Where the database servers are, when they are not where their own programs look. Root enters by their sockets."""

    mysql_socket: str = ""
    mysql_defaults_file: str = ""
    pg_host: str = ""
    pg_port: Annotated[int, Within(ge=0, le=65535)] = 0
    pg_user: str = ""
    pg_run_as: str = "postgres"
    redis_socket: str = ""
    redis_port: Annotated[int, Within(ge=0, le=65535)] = 0
