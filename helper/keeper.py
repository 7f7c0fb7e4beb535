"""Does what the daemon asks, as far as root wrote down that it may: where every verb is checked, and logged.

Each order is written down before it is given and after it was read back: whoever is killed in between finds it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from coloc.agreed import Agreed, AgreedLimit, Target, target_of
from coloc.errors import ColocError
from coloc.verbs import STEPS, Answer, Ask, Held, Refused, needs_human
from helper.actuator import Actuator, CannotEnforce
from helper.journal import read_confirmed, read_held, write_held


@dataclass(frozen=True, slots=True)
class Means:
    """What the keeper works with. `move`: brings a project's php workers in; `outside`: units not in their slice."""

    actuators: Mapping[str, Actuator]
    busy: Callable[[], str]  # why nothing may be held now: YunoHost is at work
    outside: Callable[[Agreed], Mapping[str, str]]
    move: Callable[[Target], str]
    log: Callable[[str], None]


class Keeper:
    """One request at a time."""

    def __init__(self, folder: Path, agreed: Agreed | None, means: Means) -> None:
        self._folder, self._agreed, self._means = folder, agreed or Agreed(), means

    def obey(self, ask: Ask, now: datetime) -> Answer:
        """Check, do, and say what stands then. Never raises for what a request can bring about."""
        try:
            if ask.verb != "read":
                if ask.verb != "move":  # which is asked for every few seconds; what it does is logged
                    self._means.log(f"asked: {_words(ask)}")
                self._do(ask, now)
            answer = self._read(now)
        except (Refused, ColocError) as error:
            why = error.sentence() if isinstance(error, ColocError) else str(error)
            self._means.log(f"refused: {_words(ask)}: {why}")
            return replace(self._read_if_possible(now), why=why[:1000])
        return answer

    def _do(self, ask: Ask, now: datetime) -> None:
        if ask.verb == "release":
            self._release((ask.project, ask.app, ask.resource))
        elif ask.verb == "hold":
            self._hold(ask, now)
        elif ask.verb == "move":
            done = self._means.move(self._target(ask.project, ""))
            if done:
                self._means.log(f"done: {done}")

    def _hold(self, ask: Ask, now: datetime) -> None:
        target, limit, actuator = self._allowed(ask, now)
        held = read_held(self._folder)
        key = (ask.project, ask.app, ask.resource)
        before = held.get(key)
        if ask.step == "hard" and before is None:
            raise Refused("one step at a time: hard comes after throttle")
        since = before.since if before is not None and before.step == ask.step else now
        entry = Held(*key, ask.step, since, ask.used, limit.hard, "", "")
        write_held(self._folder, (held | {key: entry}).values())
        self._order(entry, target, actuator, limit)

    def _order(self, entry: Held, target: Target, actuator: Actuator, limit: AgreedLimit) -> None:
        """Do it and look whether it holds; what does not is taken back, and nobody is told that it stands."""
        try:
            done = actuator.apply(target, entry.step, limit)
            found = actuator.read_back(target, entry.step, limit)
        except ColocError:
            self._take_back(entry.key, target, actuator)
            raise
        if not found.stands:
            self._take_back(entry.key, target, actuator)
            raise CannotEnforce(
                f"{entry.resource} cannot be enforced here: after `{done.call}` {found.file} says {found.says[:200]!r}",
                hint="it was taken back; systemd says yes also where the kernel cannot",
            )
        entry = replace(
            entry, did=done.did, call=done.call, file=found.file, says=found.says, stands=True, pending=found.pending
        )
        write_held(self._folder, (read_held(self._folder) | {entry.key: entry}).values())
        self._means.log(f"done: {done.did}, by `{done.call}`; {found.file} says {found.says[:200]!r}")

    def _allowed(self, ask: Ask, now: datetime) -> tuple[Target, AgreedLimit, Actuator]:
        """Whether this may be held at all. Raises Refused or ColocError with the first reason why not."""
        target = self._target(ask.project, ask.app)
        limit = target.limits.get(ask.resource)
        if limit is None:
            raise Refused(
                f"{ask.resource} of {_name(ask.project, ask.app)} may not be acted on: see enforce: in coloc.yml"
            )
        if limit.allow not in STEPS or STEPS.index(ask.step) > STEPS.index(limit.allow):
            raise Refused(f"{_name(ask.project, ask.app)} agreed to go as far as {limit.allow} for {ask.resource}")
        consent = (ask.project, ask.app, ask.resource, ask.step)
        if needs_human(ask.resource, ask.step) and consent not in read_confirmed(self._folder, now):
            raise Refused(
                f"a human has not confirmed it: coloc-agent quota confirm {_name(ask.project, ask.app)} {ask.resource}"
            )
        busy = self._means.busy()
        if busy:
            raise Refused(f"nothing is held now: {busy}")
        actuator = self._actuator(ask.resource)
        cannot = actuator.cannot(target)
        if cannot:
            raise CannotEnforce(f"{ask.resource} cannot be enforced here: {cannot}")
        return target, limit, actuator

    def _target(self, project: str, app: str) -> Target:
        target = target_of(self._agreed, project, app)
        if target is None:
            raise Refused(f"{_name(project, app)} is not among what was agreed on: coloc-agent quota agree")
        return target

    def _release(self, key: tuple[str, str, str]) -> None:
        """Also of what is agreed no longer, as long as it is held: a project may have been renamed."""
        held = read_held(self._folder)
        target = target_of(self._agreed, key[0], key[1]) or Target(key[0], key[1], (), (), (), (), (), {})
        if key not in held:
            return
        self._actuator(key[2]).undo(target)
        self._forget(key)
        self._means.log(f"done: gave back {key[2]} of {_name(key[0], key[1])}")

    def _forget(self, key: tuple[str, str, str]) -> None:
        held = read_held(self._folder)
        held.pop(key, None)
        write_held(self._folder, held.values())

    def _take_back(self, key: tuple[str, str, str], target: Target, actuator: Actuator) -> None:
        """When not even that can be done, the entry stays: `quota` shows it, and the next order tries again."""
        try:
            actuator.undo(target)
        except ColocError as error:
            self._means.log(f"could not be taken back: {error.sentence()}")
        else:
            self._forget(key)

    def _actuator(self, resource: str) -> Actuator:
        found = self._means.actuators.get(resource)
        if found is None:
            raise Refused(f"nothing here can hold {resource}")
        return found

    def _read(self, now: datetime) -> Answer:
        held = tuple(self._seen(each) for each in read_held(self._folder).values())
        acted_on = self._agreed.resources()
        actuators = {name: each for name, each in self._means.actuators.items() if name in acted_on}
        cannot = {name: why for name, each in actuators.items() if (why := each.cannot())}
        confirmed = tuple(sorted(read_confirmed(self._folder, now)))
        pending = self._means.outside(self._agreed) if self._agreed.slices else {}
        return Answer("", held, cannot, pending, confirmed, self._means.busy())

    def _read_if_possible(self, now: datetime) -> Answer:
        try:
            return self._read(now)
        except ColocError:
            return Answer()

    def _seen(self, held: Held) -> Held:
        """An entry as the kernel sees it now; one that was being written when we were killed does not stand."""
        target = target_of(self._agreed, held.project, held.app)
        limit = target.limits.get(held.resource) if target else None
        if target is None or limit is None:
            return replace(held, stands=False)
        try:
            found = self._actuator(held.resource).read_back(target, held.step, limit)
        except (Refused, ColocError) as error:
            return replace(held, says=str(error)[:500], stands=False)
        stands = found.stands and bool(held.call)
        return replace(held, file=found.file, says=found.says, stands=stands, pending=found.pending)


def _name(project: str, app: str) -> str:
    return f"{project}/{app}" if app else project


def _words(ask: Ask) -> str:
    words = (ask.verb, ask.project, ask.app, ask.resource, ask.step, "" if ask.used is None else f"{ask.used:g}")
    return " ".join(word for word in words if word)
