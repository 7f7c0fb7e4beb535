"""What the ladder may really do, as a decision only: from where a limit stands in simulation to what shall be held.

The rules, in plain sentences:
* nothing is held for a limit that was not opted in, was not simulated for long enough, or cannot be held here;
* while YunoHost works, a backup runs or a maintenance lasts, what concerns it is given back, and decided afresh after;
* never further than `allow`, and one step at a time: after the first, `grace` passes before the next;
* a database step, and every hard one, is done only after a human has confirmed it; until then the step below stays;
* without a measure what is held stays held;
* what the ladder has released is given back at once, whatever the step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agent.quota_agreements import Agreement
from agent.quotas import Key, QuotaStep, Standing
from coloc.verbs import Held, needs_human

_ORDER = tuple(QuotaStep)
EVERYTHING = "everything"


@dataclass(frozen=True, slots=True)
class Around:
    """What else counts.

    `yields`: "everything", "project x" or "app x" → why it gives way; `cannot`: resource → why not here.
    """

    simulate_for: timedelta = timedelta(days=14)
    yields: Mapping[str, str] = field(default_factory=dict)
    cannot: Mapping[str, str] = field(default_factory=dict)
    confirmed: frozenset[tuple[str, str, str, str]] = frozenset()  # a key and the step that it is given for
    released: Mapping[Key, datetime] = field(default_factory=dict)  # by a person, until then


@dataclass(frozen=True, slots=True)
class Verdict:
    """What shall be held for a limit, FINE for nothing, and why it is not more: a word that `quota` shows."""

    agreement: Agreement
    step: QuotaStep
    why: str
    detail: str = ""


def verdict(agreement: Agreement, standing: Standing, held: Held | None, around: Around, now: datetime) -> Verdict:
    """What shall be held now; `held` is what is."""
    before = QuotaStep(held.step) if held else QuotaStep.FINE
    why, detail = _in_the_way(agreement, standing, around, now)
    if why:
        return Verdict(agreement, QuotaStep.FINE, why, detail)
    if standing.used is None:
        return Verdict(agreement, before, "not measured")
    return _towards(agreement, _lower(standing.step, QuotaStep(agreement.allow)), held, around, now)


def _in_the_way(agreement: Agreement, standing: Standing, around: Around, now: datetime) -> tuple[str, str]:
    if not agreement.enforced:
        return "simulation", ""
    for whose in (EVERYTHING, f"project {agreement.project}", f"app {agreement.app}"):
        if whose in around.yields:
            return "gives way", around.yields[whose]
    if agreement.resource in around.cannot:
        return "cannot enforce here", around.cannot[agreement.resource]
    until = around.released.get(agreement.key)
    if until is not None and now < until:
        return "released by hand", ""
    since = standing.watched_since or now
    if now - since < around.simulate_for:
        return "simulated first", f"{max(1, -((now - since - around.simulate_for) // timedelta(days=1)))}"
    return "", ""


def _towards(agreement: Agreement, target: QuotaStep, held: Held | None, around: Around, now: datetime) -> Verdict:
    before = QuotaStep(held.step) if held else QuotaStep.FINE
    if _ORDER.index(target) < _ORDER.index(QuotaStep.THROTTLE):
        return Verdict(agreement, QuotaStep.FINE, "")
    if _ORDER.index(target) <= _ORDER.index(before):
        return Verdict(agreement, target, "")
    wanted = QuotaStep.THROTTLE if before is QuotaStep.FINE else target
    if held is not None and wanted is QuotaStep.HARD and now - min(held.since, now) < agreement.grace:
        return Verdict(agreement, before, "grace")
    if needs_human(agreement.resource, wanted) and (*agreement.key, str(wanted)) not in around.confirmed:
        return Verdict(agreement, before, "waits for a human", str(wanted))
    return Verdict(agreement, wanted, "")


def _lower(one: QuotaStep, other: QuotaStep) -> QuotaStep:
    return min(one, other, key=_ORDER.index)


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to ask of the helper: `hold` or `release`."""

    verb: str
    key: Key
    step: QuotaStep = QuotaStep.FINE
    used: float | None = None


def orders(verdicts: Iterable[Verdict], standings: Mapping[Key, Standing], held: Mapping[Key, Held]) -> list[Order]:
    """What brings what is held to what shall be: what must be given back comes first, also of limits that are gone."""
    wanted = {each.agreement.key: each.step for each in verdicts}
    back = [Order("release", key) for key in held if wanted.get(key, QuotaStep.FINE) is QuotaStep.FINE]
    hold = []
    for key, step in wanted.items():
        standing, now = standings.get(key), held.get(key)
        if step is QuotaStep.FINE or (now is not None and now.step == step and now.stands):
            continue
        hold.append(Order("hold", key, step, standing.used if standing else None))
    return back + hold
