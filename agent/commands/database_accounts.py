"""`coloc-agent database-accounts`: makes and removes the daemon's accounts on the database servers, and says so."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from agent.cli import Context
    from coloc.databases.accounts import Change
    from coloc.databases.servers import Servers

_DRY = click.option("--dry-run", is_flag=True, help="Say what would be done, do nothing.")
_USERSTAT = """\
MariaDB tells time per app only with userstat = 1. To have it, then restart MariaDB when it suits:
  printf '[mariadb]\\nuserstat = 1\\n' > /etc/mysql/mariadb.conf.d/90-coloc-agent.cnf"""


@click.group("database-accounts")
def command() -> None:
    """The accounts with which the daemon reads figures of MariaDB and PostgreSQL."""


@command.command("create")
@_DRY
@click.pass_obj
def create(context: Context, dry_run: bool) -> int:
    """Make them where they are missing. They see names, sizes and times of everybody, and no content."""
    from coloc.databases import accounts  # noqa: PLC0415 - `--help` must be quick

    servers = _servers(context)
    code = _change([accounts.mysql_to_create, accounts.postgresql_to_create], servers, "make", dry_run=dry_run)
    if shutil.which("mariadb") and not code:
        click.echo(_USERSTAT)
    return code


@command.command("remove")
@_DRY
@click.pass_obj
def remove(context: Context, dry_run: bool) -> int:
    """Remove what `create` made, and nothing else."""
    from coloc.databases import accounts  # noqa: PLC0415 - `--help` must be quick

    steps = [accounts.mysql_to_remove, accounts.postgresql_to_remove]
    return _change(steps, _servers(context), "remove", dry_run=dry_run)


def offer() -> None:
    """Ask on a terminal whether to make the accounts now; tell the command otherwise."""
    import sys  # noqa: PLC0415 - only here

    asked = "Comptes de lecture des bases de données / database accounts"
    if os.geteuid() != 0 or not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(f"{asked}:\n  coloc-agent database-accounts create")
    elif click.confirm(f"{asked} : les créer maintenant / make them now?", default=False):
        click.get_current_context().invoke(create, dry_run=False)


def _change(find: Sequence[Callable[[Servers], list[Change]]], servers: Servers, verb: str, *, dry_run: bool) -> int:
    """Do what each server needs; one that fails does not stop the other. The exit code."""
    if os.geteuid() != 0:
        raise ColocError("only root has the servers' own accounts", hint="run it with sudo")
    done = failed = 0
    for server, program in zip(find, ("mariadb", "psql"), strict=True):
        if shutil.which(program) is None:
            click.echo(f"{program} is not installed: nothing to do there")
            continue
        try:
            for sentence in _carry_out(server(servers), dry_run=dry_run):
                click.echo(f"{f'would {verb}' if dry_run else f'{verb}s'} {sentence}")
                done += 1
        except ColocError as error:
            failed += 1
            click.echo(f"! {error.sentence()}", err=True)
    if not done and not failed:
        click.echo(f"nothing to {verb}")
    return int(failed > 0)


def _carry_out(changes: list[Change], *, dry_run: bool) -> Iterator[str]:
    for change in changes:
        if not dry_run:
            change.do()
        yield change.sentence


def _servers(context: Context) -> Servers:
    """Those of coloc.yml; the usual places while there is none that can be read."""
    from coloc.databases.servers import Servers, servers_from  # noqa: PLC0415 - `--help` must be quick

    try:
        return servers_from(context.config().database_servers.as_data())
    except ColocError:
        return Servers()
