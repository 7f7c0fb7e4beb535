"""A command that takes names (`backup blog`) and has verbs as well (`backup plan`); `backup -- plan` is a name."""

from __future__ import annotations

import click


class WithVerbs(click.Group):
    """The first word chooses: a verb is a command below this one, anything else belongs to this one."""

    allow_interspersed_args = True  # a group's own default is to stop at the first name

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """A verb takes all that follows it."""
        self.no_args_is_help = False  # without a name it means all of them
        if args and args[0] in self.commands:
            ctx.args = list(args)
            return ctx.args
        return click.Command.parse_args(self, ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Call the verb, or this command itself."""
        if not ctx.args:
            return click.Command.invoke(self, ctx)
        name, *rest = ctx.args
        ctx.invoked_subcommand = name
        with self.commands[name].make_context(name, rest, parent=ctx) as below:
            return below.command.invoke(below)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """The words of the command itself; its verbs are listed below."""
        return click.Command.collect_usage_pieces(self, ctx)
