"""Where the database servers are and as whom we speak to them. Opens nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Servers:
    """MariaDB and PostgreSQL of this machine; every empty value means the program's own default.

    `pg_run_as` is the account that PostgreSQL knows as its administrator; it is used only when we are root.
    """

    mysql_socket: str = ""
    mysql_defaults_file: str = ""
    pg_host: str = ""  # a folder with the socket, or a host
    pg_port: int = 0
    pg_user: str = ""
    pg_run_as: str = "postgres"
    redis_socket: str = ""
    redis_port: int = 0

    def mysql_options(self) -> list[str]:
        """What every MariaDB program is given first (the defaults file must come before all else)."""
        options = [f"--defaults-file={self.mysql_defaults_file}"] if self.mysql_defaults_file else []
        return options + ([f"--socket={self.mysql_socket}"] if self.mysql_socket else [])

    def pg_env(self) -> dict[str, str]:
        """What PostgreSQL's programs read."""
        env = {"PGCONNECT_TIMEOUT": "10", "PGAPPNAME": "coloc-agent"}
        env |= {"PGHOST": self.pg_host} if self.pg_host else {}
        env |= {"PGPORT": str(self.pg_port)} if self.pg_port else {}
        return env | ({"PGUSER": self.pg_user} if self.pg_user else {})

    def pg_account(self) -> str | None:
        """The account to become, or None to stay who we are."""
        return self.pg_run_as if self.pg_run_as and os.geteuid() == 0 else None

    def as_data(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)


def servers_from(data: Mapping[str, Any]) -> Servers:
    """The reverse of `as_data`."""
    return Servers(
        str(data.get("mysql_socket", "")),
        str(data.get("mysql_defaults_file", "")),
        str(data.get("pg_host", "")),
        int(data.get("pg_port", 0)),
        str(data.get("pg_user", "")),
        str(data.get("pg_run_as", "")),
        str(data.get("redis_socket", "")),
        int(data.get("redis_port", 0)),
    )
