"""`coloc-agent upgrade-check`: is this a good moment to upgrade an app?"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from agent.cli import Context
    from agent.status import AppStatus, Status
    from agent.upgrade_check import Around
    from coloc.config.whole import Config

_MOST_BYTES = 20_000


@click.command("upgrade-check")
@click.argument("app")
@click.pass_obj
def command(context: Context, app: str) -> None:
    """A fresh proven backup, room, a maintenance declared, what the package says: look before you upgrade.

    Exits with 1 when something should be done first.
    """
    from agent.client import ask_own_status  # noqa: PLC0415 - `--help` must be quick
    from agent.terminal import bad, good, harmless  # noqa: PLC0415
    from agent.upgrade_check import upgrade_points  # noqa: PLC0415
    from coloc.language import translator  # noqa: PLC0415
    from coloc.times import for_people  # noqa: PLC0415

    config = context.config()
    status, say = ask_own_status(config), translator(config.coloc.language, "commands")
    found = _app(status, app)
    points = list(
        upgrade_points(status, found, _around(config, app), say, lambda moment: for_people(moment, config.zone))
    )
    for point in points:
        sign = {True: good("✓"), False: bad("✗"), None: "•"}[point.good]
        to_do = f" — {point.to_do}" if point.to_do and not point.good else ""
        click.echo(f"{sign} {harmless(point.text, at_most=500)}{to_do}")
    for name, text in _notes(config, app):
        click.echo(f"\n{say('The installed package says')} ({name}):")
        click.echo("\n".join(f"  {harmless(line, at_most=500)}" for line in text.splitlines()))
    if any(point.good is False for point in points):
        raise ColocError(say("not yet: see ✗ above"), hint=say("then ask again"))


def _app(status: Status, name: str) -> AppStatus:
    from coloc.config.mistakes import nearest  # noqa: PLC0415 - `--help` must be quick

    for each in status.apps:
        if each.id == name:
            return each
    known = [each.id for each in status.apps]
    raise ColocError(f"no app is called {name!r}{nearest(name, known)}", hint="all of them: coloc-agent apps")


def _around(config: Config, name: str) -> Around:
    """What the disk and the package tell; what cannot be read is not known."""
    from agent.upgrade_check import Around  # noqa: PLC0415 - `--help` must be quick
    from coloc.inventory.declared import with_declared  # noqa: PLC0415
    from coloc.inventory.yunohost import read_inventory  # noqa: PLC0415

    app = with_declared(read_inventory(config.root), config.apps, config.root).apps.get(name)
    if app is None:
        return Around()
    folder = config.root / (app.install_dir or "/").lstrip("/")
    try:
        return Around(app.modified_files, shutil.disk_usage(folder).free)
    except OSError:
        return Around(app.modified_files)


def _notes(config: Config, name: str) -> list[tuple[str, str]]:
    """What the package tells before an upgrade (YunoHost: doc/PRE_UPGRADE.md, in French where there is that)."""
    folder = config.root / "etc/yunohost/apps" / name / "doc"
    found = []
    for path in (folder / f"PRE_UPGRADE_{config.coloc.language}.md", folder / "PRE_UPGRADE.md"):
        try:
            with path.open("rb") as file:
                found.append((path.name, file.read(_MOST_BYTES).decode("utf-8", "replace")))
            break
        except OSError:
            continue
    return found
