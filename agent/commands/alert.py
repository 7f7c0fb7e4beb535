"""`coloc-agent alert test`: sends a message the whole way that an alert goes, and says what became of it."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.cli import Context
    from coloc.config.whole import Config

_SECONDS = 60.0
_EVERY = 0.5


@click.group("alert")
def command() -> None:
    """Try the way of the alerts; the incidents themselves are `coloc-agent alerts`."""


@command.command("test")
@click.option("--channel", help="One channel alone: console, matrix, forum (a post in the thread), mail, webhook.")
@click.pass_obj
def test(context: Context, channel: str | None) -> int:
    """Send a test message through the daemon and its outbox; exit code 1 when it does not arrive within a minute."""
    from agent.alert_tests import channels_to_test  # noqa: PLC0415 - `--help` must be quick
    from agent.client import ask_own_status  # noqa: PLC0415
    from agent.terminal import bad, good, harmless  # noqa: PLC0415
    from agent.terminal import say as show  # noqa: PLC0415
    from coloc.language import translator  # noqa: PLC0415
    from coloc.requests import ask  # noqa: PLC0415

    config, nonce = context.config(), uuid.uuid4().hex
    say = translator(config.coloc.language, "commands")
    _known(config, channel)
    expected = [channel] if channel else list(channels_to_test(config))
    ask_own_status(config)  # it runs, and is ours
    ask(config.paths.requests, "test", nonce=nonce, channel=channel or "")
    show([say("test sent, waiting for the answers…")])
    ended = _wait(config, {f"test:{nonce}:{name}": name for name in expected})
    for name in expected:
        how = ended.get(name, "waiting")
        if how == "sent":
            show([f"{good('ok  ')}{name}: " + say("the message arrived")])
        else:
            why = say("still waiting after a minute") if how == "waiting" else how
            show([f"{bad('✗   ')}{name}: {harmless(why, at_most=400)}"])
    return 0 if all(ended.get(name) == "sent" for name in expected) else 1


def _known(config: Config, channel: str | None) -> None:
    known = {"console"} | {name for name in config.channels.types() if getattr(config.channels, name) is not None}
    if channel is not None and channel not in known:
        raise ColocError(f"there is no channel {channel!r} in coloc.yml", hint=f"channels: {', '.join(sorted(known))}")


def _wait(config: Config, keys: Mapping[str, str]) -> dict[str, str]:
    """What the daemon says of each message, as soon as all are said, or at the end of our patience."""
    from agent.client import ask_own_status  # noqa: PLC0415 - `--help` must be quick

    deadline = time.monotonic() + _SECONDS
    while True:
        tests = ask_own_status(config).tests
        ended = {name: tests[key] for key, name in keys.items() if key in tests}
        if (len(ended) == len(keys) and set(ended.values()) == {"sent"}) or time.monotonic() > deadline:
            return ended
        time.sleep(_EVERY)
