"""Keeps an Alertmanager told of our incidents: at once when one changes, else every minute.

Nothing is written down: what is open is posted anew until it was taken; an end is repeated for a quarter of an hour.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client.metrics_core import Metric

from agent import incident_store
from agent.alertmanager_alerts import OVER_FOR, Alert, alerts_of, body_of
from agent.errand import Errand
from alerts.address import split_address
from collectors.agent_facts import alertmanager_families
from coloc.config.alertmanager import Alertmanager
from coloc.config.whole import Config
from coloc.secrets import Secret, read_secret

logger = logging.getLogger(__name__)


class Poster:
    """One Alertmanager. `offer` is called by the daemon's loop; the thread posts what was offered last."""

    def __init__(self, keys: Alertmanager, config: Config, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Raises ConfigError when the token cannot be read, or incidents would go in clear over the network."""
        self._keys, self._config, self._monotonic = keys, config, monotonic
        self._base, path = split_address(Secret(keys.url), "alertmanager.url")
        self._path = f"{path.rstrip('/')}/api/v2/alerts"
        self._token = read_secret(keys.token_file) if keys.token_file else None
        self._offered: tuple[tuple[Alert, ...], datetime] | None = None
        self._taken: tuple[Alert, ...] = ()
        self._taken_at = float("-inf")
        self._errand = Errand("alertmanager", self._post_offered, self._settle)
        self.trouble = ""  # why the last post was not taken
        self.taken, self.failed = 0, 0  # posts since the agent began

    def start(self) -> None:
        """See Errand."""
        self._errand.start()

    def stop(self) -> None:
        """See Errand."""
        self._errand.stop()

    def offer(self, connection: sqlite3.Connection, now: datetime) -> bool:
        """Take what is known of incidents now; True when it is posted: it changed, or is due again."""
        incidents = [
            *incident_store.open_incidents(connection).values(),
            *incident_store.over_since(connection, now - OVER_FOR),
        ]
        alerts = tuple(alerts_of(incidents, self._config, now, self._taken))
        repeats = bool(alerts) and self._monotonic() - self._taken_at >= self._keys.every
        is_due = repeats or bool(self.trouble) or alerts != self._taken
        if is_due:
            self._offered = alerts, now
            self._errand.run_soon()
        return is_due

    def check(self) -> str:
        """Why it would take nothing, or nothing: an empty list of alerts is posted, which changes nothing there."""
        return self._post([])

    def _post_offered(self) -> str:
        if self._offered is None:
            return ""
        alerts, now = self._offered
        why = self._post(body_of(alerts, self._taken, now, self._keys.every))
        if not why:
            self._taken, self._taken_at = alerts, self._monotonic()
        return why

    def _post(self, body: Sequence[Mapping[str, Any]]) -> str:
        from alerts.http import Http  # noqa: PLC0415 - requests costs memory: only who uses it pays

        headers = {"User-Agent": "coloc-agent"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        http = Http(self._base, headers)
        answer = http.ask("POST", self._path, body, at_most=10_000)
        http.close()
        return "" if 200 <= answer.status < 300 else answer.why or f"it answers {answer.status}"

    def _settle(self, why: str) -> None:
        if why and not self.trouble:
            logger.warning("Alertmanager does not take our incidents", extra={"why": why})
        elif self.trouble and not why:
            logger.info("Alertmanager takes our incidents again")
        self.failed, self.taken = self.failed + bool(why), self.taken + (not why)
        self.trouble = why


def poster_of(config: Config) -> Poster | None:
    """Who posts, if anybody. Raises ConfigError as Poster does."""
    if config.alertmanager is None or not config.reaches("alert"):
        return None
    return Poster(config.alertmanager, config)


def poster_families(poster: Poster | None) -> list[Metric]:
    """The figures, when there are any."""
    if poster is None:
        return []
    return alertmanager_families(success=not poster.trouble, taken=poster.taken, failed=poster.failed)
