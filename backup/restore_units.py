"""The units of an app around an exchange: which ones run, and whether they stay up afterwards."""

from __future__ import annotations

import time
from collections.abc import Sequence

from coloc import services
from coloc.command import Run, run
from coloc.errors import ColocError

_PATIENCE = 60.0
_LOOK_EVERY = 0.2


def running(units: Sequence[str], *, run: Run = run) -> tuple[str, ...]:
    """Those that run now: only they are stopped, and started again."""
    if not units:
        return ()
    return tuple(
        name for name, unit in services.show(units, run=run).items() if unit.active in {"active", "activating"}
    )


def start_and_watch(units: Sequence[str], *, settle_seconds: float, run: Run = run) -> None:
    """Start them; they must come up, and stay up for a while without a restart. Raises ColocError."""
    if not units:
        return
    services.start(units, run=run)
    deadline = time.monotonic() + _PATIENCE + settle_seconds
    calm_since, before = time.monotonic(), dict[str, int]()
    while time.monotonic() < deadline:
        found = services.show(units, run=run)
        failed = [unit for unit in found.values() if unit.active == "failed"]
        restarted = [unit for name, unit in found.items() if unit.restarts > before.get(name, unit.restarts)]
        if failed or restarted:
            name = (failed or restarted)[0].name
            raise ColocError(f"{name} does not stay up with the restored data", hint=f"see: journalctl --unit {name}")
        before = {name: unit.restarts for name, unit in found.items()}
        if not all(unit.up is not False for unit in found.values()):
            calm_since = time.monotonic()
        elif time.monotonic() - calm_since >= settle_seconds:
            return
        time.sleep(_LOOK_EVERY)
    down = [unit.name for unit in services.show(units, run=run).values() if unit.up is False] or list(units)
    raise ColocError(f"{down[0]} does not come up with the restored data", hint=f"see: journalctl --unit {down[0]}")
