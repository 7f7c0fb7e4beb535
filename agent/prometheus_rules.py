"""The agent's rules as alert rules for Prometheus, with what coloc.yml changes of them. Pure: a text out of values.

Prometheus sees one thing more than the agent does: that the agent is silent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import yaml

from agent.incidents import Severity
from agent.rule_spec import RuleSpec
from agent.rule_table import SPECS
from alerts.messages import RULES as WORDS
from coloc.config.custom_rules import CustomRule
from coloc.config.rules import RuleChange
from coloc.config.whole import Config
from coloc.language import LANGUAGES, translator

_HEAD = """\
# Alert rules for Prometheus. Made by: coloc-agent rules --prometheus
# To change one: `rules:` in coloc.yml, then make this file again.
"""
SILENT = "agent_silent"
_SILENT_WORDS: Mapping[str, tuple[str, str]] = {
    "fr": ("L'agent ne répond plus", "Vois si le serveur répond, puis : systemctl status coloc-agent"),
    "en": ("The agent does not answer", "See whether the server answers, then: systemctl status coloc-agent"),
}


def prometheus_rules(config: Config, *, only_here: bool) -> str:
    """A rules file. `only_here`: its rules look at the series of this colocation alone."""
    rules: list[dict[str, Any]] = []
    for spec in SPECS.values():
        change = config.rules.get(spec.name, RuleChange())
        if not change.off:
            rules += _alerts(spec, change, config, only_here)
    rules += [_custom(name, rule, config, only_here) for name, rule in config.custom_rules.items()]
    rules.append(_silent(config, only_here))
    groups = {"groups": [{"name": f"coloc-{config.coloc.name}" if only_here else "coloc", "rules": rules}]}
    return _HEAD + yaml.safe_dump(groups, sort_keys=False, allow_unicode=True, width=10_000)


def alert_name(rule: str) -> str:
    """`app_down` as people in front of an Alertmanager read it: ColocAppDown."""
    return "Coloc" + "".join(word.title() for word in rule.split("_"))


def _alerts(spec: RuleSpec, change: RuleChange, config: Config, only_here: bool) -> Iterator[dict[str, Any]]:
    levels = spec.levels
    if change.severity is not None:  # people said how much it matters: then it has one severity
        levels = ((Severity(change.severity), " or ".join(expression for _, expression in levels)),)
    for severity, expression in levels:
        alert: dict[str, Any] = {
            "alert": alert_name(spec.name),
            "expr": _filled(expression.replace("SEVERITY", severity), spec, change, config, only_here),
        }
        wait = spec.wait if change.wait is None else timedelta(seconds=change.wait)
        clear_after = spec.clear_after if change.clear_after is None else timedelta(seconds=change.clear_after)
        if wait:
            alert["for"] = _span(wait)
        if clear_after:
            alert["keep_firing_for"] = _span(clear_after)
        yield alert | {
            "labels": {"rule": spec.name, "severity": str(severity)},
            "annotations": _annotations(spec, config.coloc.language),
        }


def _silent(config: Config, only_here: bool) -> dict[str, Any]:
    here = f'{{job="coloc",coloc="{config.coloc.name}"}}' if only_here else '{job="coloc"}'
    other = _other(config.coloc.language)
    (summary, to_do), (summary_other, to_do_other) = _SILENT_WORDS[config.coloc.language], _SILENT_WORDS[other]
    return {
        "alert": alert_name(SILENT),
        "expr": f"up{here} == 0",
        "for": "5m",
        "labels": {"rule": SILENT, "severity": "critical"},
        "annotations": {
            "summary": f"{_WHERE}{summary}",
            "description": to_do,
            f"summary_{other}": f"{_WHERE}{summary_other}",
            f"description_{other}": to_do_other,
            "runbook_url": f"docs/runbook/{SILENT}.md",
        },
    }


def _filled(expression: str, spec: RuleSpec, change: RuleChange, config: Config, only_here: bool) -> str:
    usual = spec.above if spec.below is None else spec.below
    changed = change.above if spec.below is None else change.below
    mark = usual if changed is None else changed
    if mark is not None:
        clear = mark - spec.margin if change.clear is None else change.clear
        worse = max if spec.below is None else min
        expression = expression.replace("ABOVE", _number(mark)).replace("BELOW", _number(mark))
        expression = expression.replace("CLEAR", _number(clear))
        expression = expression.replace("SEVERE", _number(mark if spec.severe is None else worse(mark, spec.severe)))
    expression = expression.replace("LATE", f"{config.backup.late_after:g}")
    expression = expression.replace("OVERDUE", f"{config.backup.drill.overdue_after:g}")
    here = f'coloc="{config.coloc.name}"' if only_here else ""
    return expression.replace("HERE", here).replace("{}", "").replace(",}", "}")


def _number(figure: float) -> str:
    return f"{figure:.12g}"


def _custom(name: str, rule: CustomRule, config: Config, only_here: bool) -> dict[str, Any]:
    """A rule that coloc.yml adds; its text has one language, that of who wrote it."""
    chosen = [f"{label}={json.dumps(value)}" for label, value in sorted(rule.labels.items())]
    chosen += [f'coloc="{config.coloc.name}"'] if only_here else []
    series = rule.metric + (f"{{{','.join(chosen)}}}" if chosen else "")
    if rule.over is not None:
        series = f"increase({series}[{_span(timedelta(seconds=rule.over))}])"
    elif rule.is_time:
        series = f"time() - {series}"
    sign, mark = (">=", rule.above) if rule.above is not None else ("<=", rule.below or 0.0)
    text = rule.text or f"{rule.metric}: {{value}}"
    text = re.sub(r"\{(\w+)\}", lambda m: "{{ $value }}" if m[1] == "value" else f"{{{{ $labels.{m[1]} }}}}", text)
    alert: dict[str, Any] = {"alert": alert_name(name.replace("-", "_")), "expr": f"{series} {sign} {_number(mark)}"}
    if rule.wait:
        alert["for"] = _span(timedelta(seconds=rule.wait))
    if rule.clear_after:
        alert["keep_firing_for"] = _span(timedelta(seconds=rule.clear_after))
    return alert | {
        "labels": {"rule": name, "severity": rule.severity},
        "annotations": {"summary": _WHERE + text, "runbook_url": "docs/runbook/custom.md"},
    }


_WHERE = "{{ $labels.coloc }}: "


def _annotations(spec: RuleSpec, language: str) -> dict[str, str]:
    other = _other(language)
    words = WORDS[spec.name]
    return {
        "summary": _WHERE + _template(translator(language)(words.title), spec),
        "description": _template(translator(language)(words.to_do), spec),
        f"summary_{other}": _WHERE + _template(translator(other)(words.title), spec),
        f"description_{other}": _template(translator(other)(words.to_do), spec),
        "runbook_url": spec.runbook,
    }


def _template(text: str, spec: RuleSpec) -> str:
    """The words of a message with Prometheus' own placeholders in the place of ours."""
    text = text.replace("{label} ({app})", "{app}")
    text = re.sub(r"\{(days|hours)\} \w+", "{{ $value | humanizeDuration }}", text)
    text = text.replace("{number}", '{{ $value | printf "%.0f" }}')
    text = re.sub(r"\{percent\}\s*%", "{{ $value | humanizePercentage }}", text)
    for label in spec.subject:
        name = spec.metric_labels.get(label, label)
        text = text.replace(f"{{{label}}}", f"{{{{ $labels.{name} }}}}")
    return text


def _other(language: str) -> str:
    return next(each for each in LANGUAGES if each != language)


def _span(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds % size == 0 and seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
