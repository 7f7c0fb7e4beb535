"""Whether a tick found something that people should see at once. Mere figures can wait for page and API."""

from __future__ import annotations

from typing import Any

from agent.observation import Observation

_EVERY = 3  # ticks: figures that moved a little are shown this late at most


class News:
    """Compares each tick with the last one that was shown."""

    def __init__(self) -> None:
        self._shown: tuple[Any, ...] | None = None
        self._colocation: object = None
        self._ticks = 0

    def worth_showing(self, observation: Observation, written: int) -> bool:
        """True for the first tick, for any change that is not a mere figure, and every third tick.

        `written` counts what was changed in state.db: facts, incidents, quota steps.
        """
        usage = observation.usage
        now = (
            written,
            observation.collectors,
            observation.blind_spots,
            tuple((app, figures.up) for app, figures in usage.apps.items()),
            tuple((found.mount, found.read_only) for found in usage.filesystems),
        )
        self._ticks += 1
        if now == self._shown and observation.colocation is self._colocation and self._ticks < _EVERY:
            return False
        self._shown, self._colocation, self._ticks = now, observation.colocation, 0
        return True
