"""`coloc-agent rules`: the rules with what coloc.yml changes of them, for people or as alert rules for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from agent.cli import Context
    from coloc.config.whole import Config


@click.command("rules")
@click.option("--prometheus", is_flag=True, help="Print them as a file of alert rules for Prometheus.")
@click.option("--here", is_flag=True, help="With --prometheus: rules that look at this colocation alone.")
@click.pass_obj
def command(context: Context, prometheus: bool, here: bool) -> None:
    """Every rule with its severity, wait and runbook, as coloc.yml has it; the defaults where there is none yet."""
    from agent.prometheus_rules import prometheus_rules  # noqa: PLC0415 - `--help` must be quick
    from agent.terminal import columns, say  # noqa: PLC0415

    config = _config(context, here)
    if prometheus:
        click.echo(prometheus_rules(config, only_here=here), nl=False)
    else:
        say(columns(list(_rows(config))))


def _config(context: Context, here: bool) -> Config:
    from coloc.config.whole import Coloc, Config  # noqa: PLC0415

    source = click.get_current_context().find_root().get_parameter_source("config_path")
    if here or source is not ParameterSource.DEFAULT or context.config_path.exists():
        return context.config()
    click.echo(f"coloc-agent: no {context.config_path}: these are the rules with their defaults", err=True)
    return Config(coloc=Coloc(name="unnamed"))


def _rows(config: Config) -> Iterator[tuple[str, str, str, str]]:
    from agent.rule_table import SPECS  # noqa: PLC0415
    from coloc.config.rules import RuleChange  # noqa: PLC0415

    for name, spec in SPECS.items():
        change = config.rules.get(name, RuleChange())
        wait = spec.wait.total_seconds() if change.wait is None else change.wait
        usual = spec.above if spec.below is None else spec.below
        changed = change.above if spec.below is None else change.below
        above = None if not spec.unit else usual if changed is None else changed
        severity = "off" if change.off else change.severity or str(spec.severity)
        yield name, severity, f"{wait:g} s" + (f", {above:g}" if above is not None else ""), spec.runbook
    for name, rule in config.custom_rules.items():
        mark = rule.above if rule.above is not None else rule.below
        yield name, rule.severity, f"{rule.wait:g} s, {mark:g}", "docs/runbook/custom.md"
