"""The parts of `coloc-agent quota` that root alone does: agree on what may be done, confirm a step, undo all of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError, StateError

if TYPE_CHECKING:
    from agent.cli import Context
    from coloc.agreed import Agreed
    from coloc.config.whole import Config
    from helper.traces import Source

_UNITS = ("coloc-agent-helper.socket", "coloc-agent-agree.path")


@click.command("agree")
@click.option("--dry-run", is_flag=True, help="Say what would be written and laid out, do nothing.")
@click.pass_obj
def agree(context: Context, dry_run: bool) -> None:
    """Write down, for the helper, what coloc.yml lets be acted on, and lay out the slices. As root.

    Nobody's app is restarted. A path unit does the same whenever coloc.yml changes.
    """
    from agent.agreeing import agreed_from  # noqa: PLC0415 - `--help` must be quick
    from agent.colocation import read_colocation  # noqa: PLC0415
    from collectors.ownership import user_ids_below  # noqa: PLC0415
    from helper.journal import one_at_a_time  # noqa: PLC0415

    config = context.config()
    _as_root(config)
    agreed = agreed_from(config, read_colocation(config), user_ids_below(config.root))
    with one_at_a_time(config.paths.helper):
        said = list(_agree(config, agreed, dry_run=dry_run))
    for sentence in said or ["nothing to change"]:
        click.echo(f"would be: {sentence}" if dry_run and said else sentence)


def _agree(config: Config, agreed: Agreed, *, dry_run: bool) -> Iterator[str]:
    from coloc.agreed import NAME, to_text  # noqa: PLC0415
    from coloc.facts import write_whole  # noqa: PLC0415
    from helper.slice_files import lay_out, wanted_files  # noqa: PLC0415

    file = config.paths.helper / NAME
    anything = agreed.slices or bool(agreed.resources())
    text = to_text(agreed) if anything else ""
    if not dry_run:
        yield from _no_longer_agreed(config, agreed)
    if anything and (not file.is_file() or file.read_text() != text):
        yield f"{file}: written"
        if not dry_run:
            try:
                write_whole(file, text, mode=0o600)
            except OSError as error:
                raise StateError(f"{file} cannot be written: {error.strerror}", hint="free some space there") from error
    elif not anything and file.exists():
        yield f"{file}: removed, nothing is enforced any more"
        if not dry_run:
            file.unlink()
    changed = lay_out(
        config.root, wanted_files(agreed, config.enforce.weight if config.enforce else 0), dry_run=dry_run
    )
    yield from changed
    yield from _let_postfix_look(config, agreed, dry_run=dry_run)
    yield from _tell_systemd(config, changed, anything=anything, dry_run=dry_run)


def _let_postfix_look(config: Config, agreed: Agreed, *, dry_run: bool) -> Iterator[str]:
    """Only when somebody's mail may be held. The postfix of this machine knows nothing of another root."""
    from helper.mail_hold import set_up  # noqa: PLC0415

    if config.root == Path("/") and any(name.startswith("mail_") for name in agreed.resources()):
        yield from set_up(dry_run=dry_run)


def _no_longer_agreed(config: Config, agreed: Agreed) -> Iterator[str]:
    """What is held and may be no longer is given back now: nobody would ask for it again."""
    from coloc.agreed import Target, read_agreed, target_of  # noqa: PLC0415
    from helper.journal import read_held, write_held  # noqa: PLC0415
    from helper.means import means_of  # noqa: PLC0415

    held, before = read_held(config.paths.helper), read_agreed(config.paths.helper, writer=os.geteuid())
    actuators = means_of(lambda _: None, before).actuators
    for key in list(held):
        target = target_of(agreed, key[0], key[1])
        if target is not None and key[2] in target.limits:
            continue
        known = target or (target_of(before, key[0], key[1]) if before else None)
        actuators[key[2]].undo(known or Target(key[0], key[1], (), (), (), (), (), {}))
        held.pop(key)
        write_held(config.paths.helper, held.values())
        yield f"{key[2]} of {'/'.join(part for part in key[:2] if part)}: given back, it may be acted on no longer"


def _tell_systemd(config: Config, changed: Sequence[str], *, anything: bool, dry_run: bool) -> Iterator[str]:
    from coloc.command import CommandFailed, run  # noqa: PLC0415

    if config.root != Path("/") or not Path("/run/systemd/system").is_dir():
        return
    if changed and not dry_run:
        run(["systemctl", "daemon-reload"], timeout=60)
    for unit in _UNITS:
        is_on = run(["systemctl", "is-enabled", "--quiet", unit], timeout=30, accept=frozenset(range(8))).code == 0
        if is_on == anything:
            continue
        yield f"{unit}: switched {'on' if anything else 'off'}"
        if not dry_run:
            try:
                run(["systemctl", "enable" if anything else "disable", "--now", unit], timeout=60)
            except CommandFailed as error:
                raise ColocError(f"{unit} cannot be switched: {error}", hint="run deploy/install.sh again") from error


@click.command("confirm")
@click.argument("whose", metavar="PROJECT[/APP]")
@click.argument("resource")
@click.option("--step", type=click.Choice(["throttle", "hard"]), help="Which one; without it the next that waits.")
@click.pass_obj
def confirm(context: Context, whose: str, resource: str, step: str | None) -> None:
    """Agree, as a human, to a hard step or a database step. It holds for a week. As root."""
    from coloc.agreed import read_agreed, target_of  # noqa: PLC0415 - `--help` must be quick
    from coloc.times import now_utc  # noqa: PLC0415
    from coloc.verbs import needs_human  # noqa: PLC0415
    from helper.journal import confirm as write_down  # noqa: PLC0415
    from helper.journal import one_at_a_time, read_held  # noqa: PLC0415

    config = context.config()
    _as_root(config)
    project, _, app = whose.partition("/")
    with one_at_a_time(config.paths.helper):
        agreed = read_agreed(config.paths.helper, writer=os.geteuid())
        target = target_of(agreed, project, app) if agreed else None
        if target is None or resource not in target.limits:
            raise ColocError(f"{resource[:40]} of {whose[:80]} may not be acted on", hint="see enforce: in coloc.yml")
        is_held = (project, app, resource) in read_held(config.paths.helper)
        step = step or ("hard" if is_held or not needs_human(resource, "throttle") else "throttle")
        if not needs_human(resource, step):
            raise ColocError(f"{step} of {resource} needs no confirmation", hint="it is done when it is due")
        by = os.environ.get("SUDO_USER", "") or "root"
        write_down(config.paths.helper, (project, app, resource, step), now_utc(), by[:60])
    click.echo(f"confirmed for a week: {step} of {resource} for {whose}; it is done when it is due")


@click.command("undo")
@click.option("--all", "everything", is_flag=True, required=True, help="Everything, wherever it is.")
@click.option("--dry-run", is_flag=True, help="Say what would be taken back, do nothing.")
@click.pass_obj
def undo(context: Context, everything: bool, dry_run: bool) -> int:  # noqa: ARG001 - there is only everything
    """Take everything back to the state before the agent, found by its own traces. As root."""
    from helper.journal import one_at_a_time  # noqa: PLC0415 - `--help` must be quick
    from helper.traces import undo_all  # noqa: PLC0415

    root, folder = places(context)
    _as_root_of(root)
    sources = sources_of(context, root)
    if dry_run:
        for source in sources:
            for trace in source.find():
                click.echo(f"would be taken back: {trace.place} ({trace.what})")
            for sentence in source.unseen:
                click.echo(f"! {sentence}", err=True)
        return 0
    with one_at_a_time(folder):
        whole = undo_all(sources, folder, click.echo)
        # What was agreed on goes too, so that the daemon cannot have it all done again at once.
        (folder / "agreed.json").unlink(missing_ok=True)
    click.echo("everything was taken back" if whole else "something is left: see above")
    click.echo("to begin again: coloc-agent quota agree")
    return 0 if whole else 1


def sources_of(context: Context, root: Path) -> list[Source]:
    """Every place where something of ours can be. The servers of this machine know nothing of another root."""
    from coloc.databases.servers import Servers, servers_from  # noqa: PLC0415
    from helper.databases import DatabaseTraces  # noqa: PLC0415
    from helper.disk_limits import DiskTraces  # noqa: PLC0415
    from helper.mail_hold import MailTraces  # noqa: PLC0415
    from helper.traces import SliceTraces  # noqa: PLC0415

    try:
        servers = servers_from(context.config().database_servers.as_data())
    except ColocError:
        servers = Servers()
    found: list[Source] = [SliceTraces(root)]
    if root == Path("/"):
        found += [DatabaseTraces(servers), DiskTraces(), MailTraces()]
    return found


def places(context: Context) -> tuple[Path, Path]:
    """The root and the helper's folder; the usual ones when coloc.yml cannot be read: undoing must be possible then."""
    from coloc.agreed import FOLDER  # noqa: PLC0415

    try:
        config = context.config()
    except ColocError:
        return Path("/"), FOLDER
    return config.root, config.paths.helper


def _as_root(config: Config) -> None:
    _as_root_of(config.root)


def _as_root_of(root: Path) -> None:
    if root == Path("/") and os.geteuid() != 0:
        raise ColocError("only root may do that", hint="run it with sudo")
