"""Findings of the rules that compare a figure with a threshold, also of those that coloc.yml adds. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.incidents import Finding, Severity
from agent.metric_rules import FIGURES
from agent.readings import AtLeast, Readings
from agent.rule_spec import RuleSpec
from agent.rule_table import SPECS
from coloc.config.custom_rules import CustomRule
from coloc.config.rules import RuleChange

if TYPE_CHECKING:
    from agent.rules import Situation

CUSTOM = "custom:"
_NOW = timedelta(0)


def measured(situation: Situation, name: str) -> Iterator[Finding]:
    """What a rule of `FIGURES` says of each of its subjects."""
    spec, change = SPECS[name], situation.config.rules.get(name, RuleChange())
    failed = {labels["unit"] for labels, on in situation.readings.now("coloc_service_state", state="failed") if on}
    for found, figure in FIGURES[name](situation.readings, situation.now):
        labels = tuple((label, found[spec.metric_labels.get(label, label)]) for label in spec.subject)
        finding = judged(
            situation, Finding(name, labels, None, spec.severity, spec.wait, spec.clear_after), spec, change, figure
        )
        if name == "service_down" and dict(labels)["unit"] in failed:
            finding = replace(finding, wait=_NOW)  # systemd has given it up: nothing to wait for
        yield finding


def judged(situation: Situation, finding: Finding, spec: RuleSpec, change: RuleChange, figure: float | None) -> Finding:
    """The finding with what its figure says, over only on the good side of the clearing threshold."""
    if figure is None:
        return finding
    downwards = spec.below is not None
    mark = _mark(spec, change)
    clear = change.clear if change.clear is not None else mark + spec.margin * (1 if downwards else -1)
    limit = clear if situation.is_open(finding) and clear != mark else mark
    is_open = situation.is_open(finding) and clear != mark
    if downwards:
        active = figure < limit if is_open else figure <= limit
        severe = spec.severe is not None and figure <= min(spec.severe, mark)
    else:
        active = figure > limit if is_open else figure >= limit
        severe = spec.severe is not None and figure >= max(spec.severe, mark)
    if isinstance(figure, AtLeast) and not active:
        return finding
    value = figure_words(spec.unit, figure) if active else {}
    return replace(finding, active=active, severity=Severity.CRITICAL if severe else finding.severity, value=value)


def figure_words(unit: str, figure: float) -> dict[str, str]:
    """The figure as messages show it, rounded so that what wavers is not news."""
    if unit == "ratio":
        return {"percent": f"{round(figure * 20) * 5:d}"}
    if unit == "seconds":
        return {"days": f"{figure / 86_400:.0f}", "hours": rough(figure / 3600)}
    return {"number": rough(figure)}


def rough(figure: float) -> str:
    """One digit that counts: 3, 10, 200."""
    return f"{float(f'{figure:.1g}'):.10g}"


def _mark(spec: RuleSpec, change: RuleChange) -> float:
    usual = spec.below if spec.below is not None else spec.above
    changed = change.below if spec.below is not None else change.above
    return changed if changed is not None else usual if usual is not None else 1.0


def custom(situation: Situation) -> Iterator[Finding]:
    """What the rules that coloc.yml adds say."""
    for name, rule in situation.config.custom_rules.items():
        spec = RuleSpec(name, (), (), above=rule.above, below=rule.below, unit="any")
        for labels, figure in custom_figures(rule, situation.readings, situation.now.timestamp()):
            finding = Finding(
                f"{CUSTOM}{name}",
                tuple(sorted(labels.items())),
                None,
                Severity(rule.severity),
                timedelta(seconds=rule.wait),
                timedelta(seconds=rule.clear_after),
            )
            after = judged(situation, finding, spec, RuleChange(clear=rule.clear), figure)
            words = {"text": custom_text(rule, labels, figure)} if after.active else {}
            yield replace(after, value=words)


def custom_figures(rule: CustomRule, readings: Readings, now: float) -> Iterator[tuple[dict[str, str], float | None]]:
    """The figure of each series: as it is, how much it grew within `over`, or how many seconds a time is ago."""
    if rule.over is not None:
        yield from readings.increase(rule.metric, rule.over, **rule.labels)
        return
    for labels, value in readings.now(rule.metric, **rule.labels):
        yield labels, now - value if rule.is_time else value


def custom_text(rule: CustomRule, labels: Mapping[str, str], figure: float | None) -> str:
    """The words of coloc.yml with the labels of the series and its figure in the place of {app}, {value} …"""
    text = rule.text or f"{rule.metric} {', '.join(f'{k}={v}' for k, v in sorted(labels.items()))}: {{value}}"
    shown = f"{float(f'{figure:.2g}'):.10g}" if figure is not None else ""
    for name, value in [*labels.items(), ("value", shown)]:
        text = text.replace(f"{{{name}}}", value)
    return text


def custom_spans(rules: Mapping[str, CustomRule]) -> dict[str, float]:
    """What must be remembered for them, and for how long."""
    spans: dict[str, float] = {}
    for rule in rules.values():
        if rule.over is not None:
            spans[rule.metric] = max(rule.over, spans.get(rule.metric, 0.0))
    return spans
