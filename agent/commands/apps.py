"""`coloc-agent apps`: what was found on this server, or below another root."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agent.cli import Context
    from coloc.model import Colocation


@click.command("apps")
@click.option("--json", "as_json", is_flag=True, help="The inventory as JSON.")
@click.option("--root", type=click.Path(path_type=Path), help="Read another tree, and nothing of this server.")
@click.pass_obj
def command(context: Context, as_json: bool, root: Path | None) -> None:
    """Show the apps: state, project, place, version and what is wrong with them."""
    from coloc.inventory.as_json import inventory_as_json  # noqa: PLC0415 - `--help` must be quick

    found = _colocation(context, root)
    if as_json:
        click.echo(json.dumps(inventory_as_json(found.inventory), indent=1, ensure_ascii=False))
    else:
        click.echo(_table(found))


def _colocation(context: Context, root: Path | None) -> Colocation:
    from agent.colocation import read_colocation  # noqa: PLC0415 - `--help` must be quick
    from coloc.errors import ColocError  # noqa: PLC0415
    from coloc.inventory.root import Root  # noqa: PLC0415
    from coloc.inventory.yunohost import is_yunohost, read_inventory  # noqa: PLC0415
    from coloc.model import Colocation  # noqa: PLC0415

    if root is None and context.config_path.exists():
        config = context.config()
        found, place = read_colocation(config), config.root
    else:
        if root is None:
            click.echo(
                f"no {context.config_path} yet: showing what YunoHost has; write one with coloc-agent init", err=True
            )
        place = root or Path("/")
        found = Colocation(read_inventory(Root(place)), (), {})
    if not found.inventory.apps and not is_yunohost(Root(place)):
        raise ColocError(
            f"there is no YunoHost below {place}, and no app is declared", hint="declare apps: in coloc.yml"
        )
    return found


def _table(found: Colocation) -> str:
    heads = ("APP", "LABEL", "STATE", "PROJECT", "PLACE", "VERSION")
    rows = [heads]
    for app_id, app in sorted(found.inventory.apps.items()):
        place = f"{app.domain}{app.path or ''}" if app.domain else "-"
        project = found.project_of(app_id) if found.projects else "-"
        rows.append((app_id, app.label, str(app.state), project, place, app.version or "-"))
    lines = _aligned(rows)
    for app_id, app in sorted(found.inventory.apps.items()):
        lines += [f"! {app_id}: {problem}" for problem in app.problems]
    lines += [f"! {name}: not an app; YunoHost stumbles over it, move it away" for name in found.inventory.not_apps]
    return "\n".join(lines)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    harmless = [["".join(char if char.isprintable() else "?" for char in cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in harmless) for column in range(len(harmless[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in harmless]
