"""`POST /alertmanager`: where a team's Alertmanager tells us its alerts. Nothing is answered 200 that is not kept."""

from __future__ import annotations

import hmac
import logging
import sqlite3
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from prometheus_client.metrics_core import Metric

from agent import foreign_alerts
from agent.web import Response, Taker
from collectors.agent_facts import foreign_alert_families
from coloc.config.whole import Config
from coloc.errors import StateError
from coloc.secrets import Secret, read_secret
from coloc.state import connect_again
from coloc.times import now_utc

logger = logging.getLogger(__name__)
PATH = "/alertmanager"
_SOON = {"Retry-After": "10"}


class ForeignDoor:
    """Who shows the token may tell; `taken`, `ours` and `refused` count since the agent began."""

    def __init__(self, token: Secret, coloc: str, state: Path, wake: Callable[[], None]) -> None:
        self._token, self._coloc, self._path, self._wake = token.reveal().encode(), coloc, state, wake
        self._lock = threading.Lock()
        self.taken, self.ours, self.refused = 0, 0, 0

    def refusal(self, authorization: str) -> Response | None:
        """401 for who does not show the token."""
        scheme, _, shown = authorization.partition(" ")
        given = shown.strip().encode("utf-8", "surrogateescape")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._token):
            self._count(refused=1)
            headers = {"WWW-Authenticate": "Bearer"}
            return _say(HTTPStatus.UNAUTHORIZED, "show the token of from_alertmanager.token_file", headers)
        return None

    def take(self, body: bytes) -> Response:
        """Keep what one call tells. Trouble of ours is 503, never 4xx: then Alertmanager tells it again."""
        try:
            alerts, ours = foreign_alerts.read_webhook(body, self._coloc)
        except ValueError as error:
            self._count(refused=1)
            logger.warning("Alertmanager said what cannot be read", extra={"why": str(error)})
            return _say(HTTPStatus.BAD_REQUEST, str(error))
        try:
            lost = self._keep(alerts)
        except (StateError, sqlite3.Error) as error:
            logger.warning("what Alertmanager said cannot be kept now", extra={"why": str(error)})
            return _say(HTTPStatus.SERVICE_UNAVAILABLE, "it cannot be kept now, say it again", _SOON)
        if lost:
            most = foreign_alerts.MOST
            logger.error("alerts of Alertmanager were left out", extra={"left_out": lost, "most": most})
        self._count(taken=len(alerts) - lost, ours=ours, refused=lost)
        self._wake()
        return _say(HTTPStatus.OK, "kept")

    def _keep(self, alerts: list[foreign_alerts.ForeignAlert]) -> int:
        with self._lock:  # one writer of ours at a time: calls come rarely
            state = connect_again(self._path)
            try:
                with state.transaction() as connection:
                    return foreign_alerts.keep(connection, alerts, now_utc())
            finally:
                state.close()

    def _count(self, *, taken: int = 0, ours: int = 0, refused: int = 0) -> None:
        with self._lock:
            self.taken, self.ours, self.refused = self.taken + taken, self.ours + ours, self.refused + refused


def door_of(config: Config, state: Path, wake: Callable[[], None]) -> ForeignDoor | None:
    """The door that coloc.yml opens, if it does. Raises ConfigError when the token cannot be read."""
    if config.from_alertmanager is None:
        return None
    return ForeignDoor(read_secret(config.from_alertmanager.token_file), config.coloc.name, state, wake)


def takers_of(door: ForeignDoor | None) -> dict[str, Taker]:
    """What the web server takes."""
    return {} if door is None else {PATH: door}


def foreign_families(door: ForeignDoor | None) -> list[Metric]:
    """The figures, when there are any."""
    if door is None:
        return []
    return foreign_alert_families({"taken": door.taken, "ours": door.ours, "refused": door.refused})


def _say(status: HTTPStatus, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return Response(f"{sentence}\n".encode(), status=status, headers=headers or {})
