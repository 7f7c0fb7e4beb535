"""The command line: finds the command, turns an expected failure into one sentence and an exit code."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError
from coloc.secrets import forbid_core_dumps

if TYPE_CHECKING:
    from coloc.config.whole import Config

# name → (module below agent.commands, the line that --help shows): so that --help imports none of them.
COMMANDS = {
    "init": ("init", "Write a commented coloc.yml for this server."),
    "check": ("check", "Read coloc.yml and try everything that it names."),
    "run": ("run", "Run the daemon (systemd does this)."),
    "status": ("status", "One glance: stage, apps, backups, incidents."),
    "apps": ("apps", "The apps found on this server, or below --root."),
    "metrics": ("metrics", "Measure once and print what /metrics would say."),
    "logs": ("logs", "What the logs of nginx and postfix say of each app, once."),
    "web-latency": ("web_latency", "Print the nginx drop-in that logs how long requests take."),
    "backup": ("backup", "Back up apps to the backup hosts, and read each one back."),
    "archives": ("archives", "The archives of the backup hosts."),
    "prune": ("prune", "Remove archives that retention no longer keeps."),
    "forget": ("forget", "Delete what an app left behind, for good."),
    "drill": ("drill", "Prove archives: bring them back into scratch places and compare."),
    "host": ("host", "When a backup host moves, is replaced, leaves, or was attacked."),
    "key": ("key", "Give what opens the backups to the adminsys; prove it; change it."),
    "adopt": ("adopt", "Say that this machine is the server now."),
    "restore": ("restore", "Bring an app back from an archive."),
    "recover": ("recover", "Bring a lost server back from one backup host."),
    "alert": ("alert", "Send a test message the whole way of an alert."),
    "alerts": ("alerts", "Open incidents, and earlier ones; take one on, silence one."),
    "silence": ("silence", "Keep quiet what a rule, app, project or host would say, until an end."),
    "maintenance": ("maintenance", "Declare planned work: told on forum and in rooms, quiet while it lasts."),
    "upgrade-check": ("upgrade_check", "Before an upgrade: proven backup, room, maintenance, notes."),
    "heartbeat": ("heartbeat", "On a friend's server: does the agent of a colocation still work?"),
    "incident": ("incident", "One incident as a timeline, for the forum or the minutes."),
    "quota": ("quota", "Use, limits, what is done about it; take it all back."),
    "charter": ("charter", "The points of the charter that are not kept."),
    "handover": ("handover", "The sheet with which somebody else takes an app or a project over."),
    "traces": ("traces", "What the agent changed outside its own folders, and what undoes it."),
    "uninstall": ("uninstall", "Take everything back, then remove the program."),
    "database-accounts": ("database_accounts", "The daemon's accounts on MariaDB and PostgreSQL."),
    "rules": ("rules", "The rules of the alerts; as alert rules for Prometheus."),
    "demo": ("demo", "A small colocation to look at, in a folder of its own."),
}


class Context:
    """What every command is given: where the configuration lies, read on first use."""

    def __init__(self, config_path: Path) -> None:
        self.config_path = config_path

    def config(self) -> Config:
        """The configuration. Raises ConfigError."""
        from coloc.config.reading import load_config  # noqa: PLC0415 - pydantic is heavy, `--help` must be quick

        return load_config(self.config_path)


class LazyGroup(click.Group):
    """A group that imports a command when it is called, never to list it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"agent.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    envvar="COLOC_CONFIG",
    default=Path("/etc/coloc-agent/coloc.yml"),
    show_default=True,
    help="The configuration to use.",
)
@click.version_option(package_name="coloc-agent", prog_name="coloc-agent")
@click.pass_context
def cli(ctx: click.Context, config_path: Path) -> None:
    """Measure, back up, watch and share out the apps of a colocation."""
    ctx.obj = Context(config_path)


def main(argv: Sequence[str] | None = None, *, group: click.Group = cli) -> None:
    """Run and exit: 0 done, 1 failed, 2 wrong usage or configuration, 3 the agent's memory, 130 Ctrl-C."""
    forbid_core_dumps()
    try:
        code = group.main(list(argv) if argv is not None else None, prog_name="coloc-agent", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except ColocError as error:
        click.echo(f"coloc-agent: {_harmless(error.sentence())}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("coloc-agent: stopped by you; nothing was left half done", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`| head`): say nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _harmless(text: str) -> str:
    """What a program said on its stderr may hold signs that a terminal obeys: they are shown, not obeyed."""
    return "".join(sign if sign.isprintable() or sign == "\n" else f"\\x{ord(sign):02x}" for sign in text)
