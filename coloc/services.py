"""systemd's units: how they are, and starting and stopping those of one app. One call of systemctl for all of them.

Where there is no systemd (a container, the demo without its own `systemctl`) everything answers "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coloc.command import CommandFailed, Run, run
from coloc.errors import ColocError

_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]{1,250}")
_PROPERTIES = "Id,LoadState,ActiveState,SubState,MainPID,ControlGroup,NRestarts,Result,Type,UnitFileState"
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit as systemd sees it. `control_group` is "" when it runs nothing."""

    name: str
    load: str = "unknown"  # loaded | not-found | masked | …
    active: str = "unknown"  # active | inactive | failed | activating | …
    sub: str = "unknown"
    main_pid: int = 0
    control_group: str = ""
    restarts: int = 0
    result: str = ""
    type: str = ""
    file_state: str = ""  # enabled | enabled-runtime | disabled | …

    @property
    def is_wanted(self) -> bool:
        """True when it is there and is to run: started at boot, or running anyway."""
        return self.load == "loaded" and (self.active != "inactive" or self.file_state.startswith("enabled"))

    @property
    def up(self) -> bool | None:
        """True when it runs or is a oneshot that did its work, False when it does not, None when unknown."""
        if self.active == "unknown":
            return None
        if self.active in {"active", "reloading"}:
            return True
        # A oneshot started by a timer or a path unit is at rest most of the day.
        return self.type == "oneshot" and self.active in {"inactive", "activating"} and self.result in {"", "success"}


def full_name(unit: str) -> str:
    """`blog` → `blog.service`; a name with a suffix stays. Raises ColocError for what cannot be a unit's name."""
    if not _UNIT.fullmatch(unit) or unit.startswith("-"):
        raise ColocError(f"{unit!r} cannot be the name of a unit", hint="mend `units:` in coloc.yml")
    known = (".service", ".socket", ".timer", ".path", ".mount", ".target", ".slice", ".scope")
    return unit if unit.endswith(known) else f"{unit}.service"


def show(units: Iterable[str], *, run: Run = run, timeout: float = 5) -> dict[str, Unit]:
    """How `units` are, by the names they were asked for. Raises CommandFailed when systemctl hangs or is broken."""
    asked = {unit: full_name(unit) for unit in dict.fromkeys(units)}
    found: dict[str, Unit] = {}
    names = sorted(set(asked.values()))
    for start in range(0, len(names), _BATCH):
        batch = names[start : start + _BATCH]
        try:
            output = run(["systemctl", "show", f"--property={_PROPERTIES}", "--", *batch], timeout=timeout)
        except CommandFailed as error:
            if _no_systemd(error):
                break
            raise
        found |= {unit.name: unit for unit in parse_show(output.stdout)}
    return {unit: found.get(name, Unit(name)) for unit, name in asked.items()}


def parse_show(text: str) -> list[Unit]:
    """Blocks of `Key=value` lines, one block a unit, a blank line between."""
    units = []
    for block in text.split("\n\n"):
        values: Mapping[str, str] = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" not in values:
            continue
        units.append(
            Unit(
                values["Id"],
                values.get("LoadState", "unknown"),
                values.get("ActiveState", "unknown"),
                values.get("SubState", "unknown"),
                _number(values.get("MainPID")),
                values.get("ControlGroup", ""),
                _number(values.get("NRestarts")),
                values.get("Result", ""),
                values.get("Type", ""),
                values.get("UnitFileState", ""),
            )
        )
    return units


def stop(units: Iterable[str], *, run: Run = run, timeout: float = 120) -> None:
    """Stop units and wait. Raises CommandFailed."""
    _order("stop", units, run, timeout)


def start(units: Iterable[str], *, run: Run = run, timeout: float = 120) -> None:
    """Start units and wait. Raises CommandFailed."""
    _order("start", units, run, timeout)


def reload_or_restart(units: Iterable[str], *, run: Run = run, timeout: float = 120) -> None:
    """Reload units, or restart those that cannot. Raises CommandFailed."""
    _order("reload-or-restart", units, run, timeout)


def _order(verb: str, units: Iterable[str], run: Run, timeout: float) -> None:
    names = [full_name(unit) for unit in units]
    if names:
        run(["systemctl", verb, "--", *names], timeout=timeout)


def _no_systemd(error: CommandFailed) -> bool:
    text = error.output.stderr
    return error.output.code == 127 or "not been booted with systemd" in text or "Failed to connect to bus" in text


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0
