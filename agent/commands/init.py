"""`coloc-agent init`: writes a commented coloc.yml for the server it runs on, with the apps that it found."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from agent.cli import Context
    from agent.suggestion import Server


@click.command("init")
@click.option(
    "--root", type=click.Path(path_type=Path), default=Path("/"), show_default=True, help="The tree of the server."
)
@click.option("--output", type=click.Path(path_type=Path), help="Where to write it; - prints it. Default: --config.")
@click.option("--force", is_flag=True, help="Replace a file that is there; it is kept beside it, as coloc.yml.before.")
@click.pass_obj
def command(context: Context, root: Path, output: Path | None, force: bool) -> None:
    """Write a commented coloc.yml for this server. It observes and changes nothing."""
    from agent.suggestion import suggest  # noqa: PLC0415 - `--help` must be quick
    from coloc.config.reading import parse_config  # noqa: PLC0415
    from coloc.inventory.yunohost import read_inventory  # noqa: PLC0415

    target = output or context.config_path
    text = suggest(read_inventory(root), _server(root.absolute()))
    parse_config(text.encode(), str(target))  # what we write is what we read
    if str(target) == "-":
        click.echo(text, nl=False)
        return
    _write(target, text, force=force)
    click.echo(_NEXT.format(file=target))
    if root == Path("/"):
        from agent.commands.database_accounts import offer  # noqa: PLC0415 - `--help` must be quick

        offer()


_NEXT = """\
{file} est écrit. Et maintenant / and now:
  1. le relire, enlever les # de ce qui convient / read it, remove the # where it suits
  2. coloc-agent check                         # essaie tout ce qu'il nomme / tries all that it names
  3. systemctl enable --now coloc-agent        # observe ; http://127.0.0.1:9942/
La phrase de passe des sauvegardes (à garder aussi ailleurs) / the backups' passphrase (keep a copy elsewhere):
  install -d -m 700 /etc/coloc-agent/secrets
  head -c 32 /dev/urandom | base64 | install -m 600 /dev/stdin /etc/coloc-agent/secrets/passphrase"""


def _write(target: Path, text: str, *, force: bool) -> None:
    from coloc.facts import write_whole  # noqa: PLC0415 - `--help` must be quick

    try:
        if target.is_symlink() or target.exists():
            if not force:
                raise ColocError(f"{target} is there already", hint="keep it, or replace it with --force")
            write_whole(target.with_name(f"{target.name}.before"), target.read_text("utf-8", "surrogateescape"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        write_whole(target, text)
        _let_daemon_read(target)
    except (OSError, UnicodeError) as error:
        raise ColocError(
            f"{target} cannot be written: {error}", hint="run it as root, or name another place with --output"
        ) from error


def _let_daemon_read(target: Path) -> None:
    """The file is ours alone, or the daemon's group reads it where that account exists."""
    import grp  # noqa: PLC0415 - only here

    if os.geteuid() != 0:
        return
    try:
        group = grp.getgrnam("coloc-agent").gr_gid
    except KeyError:
        return
    os.chown(target, 0, group)
    target.chmod(0o640)


def _server(root: Path) -> Server:
    from agent.suggestion import Server  # noqa: PLC0415 - `--help` must be quick

    name = _first_line(root / "etc/yunohost/current_host") or _first_line(root / "etc/hostname") or "coloc"
    return Server(name.split(".")[0], _timezone(root), str(root))


def _timezone(root: Path) -> str:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only here

    written = _first_line(root / "etc/timezone")
    try:
        linked = re.search(r"zoneinfo/(.+)$", str((root / "etc/localtime").readlink()))
    except OSError:
        linked = None
    for name in (linked[1] if linked else "", written):
        try:
            return ZoneInfo(name).key
        except (ValueError, OSError, KeyError):
            continue
    return "Europe/Paris"


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(256).decode("utf-8", "replace").split("\n", 1)[0].strip()
    except OSError:
        return ""
