"""`coloc-agent heartbeat`: for a friend's cron; asks an agent whether it still works, says so in a line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import click

from coloc.errors import ColocError

if TYPE_CHECKING:
    from alerts.http import Answer
    from coloc.language import Translate


@click.command("heartbeat")
@click.argument("url", required=False)
@click.option(
    "--file", "file", type=click.Path(path_type=Path), help="A file that holds the address, with NAME:PASSWORD@ in it."
)
@click.option("--older-than", "older_than", default="5m", show_default=True, help="What counts as silence.")
@click.option("--quiet", is_flag=True, help="Say nothing when all is well: cron mails what is said.")
def command(url: str | None, file: Path | None, older_than: str, quiet: bool) -> int:
    """Ask https://…/heartbeat; one line, and exit code 1 when the agent there is silent. It needs no coloc.yml."""
    from agent.terminal import harmless  # noqa: PLC0415 - `--help` must be quick
    from agent.terminal import say as show  # noqa: PLC0415
    from alerts.http import Http  # noqa: PLC0415
    from coloc.config.values import parse_seconds  # noqa: PLC0415
    from coloc.language import translator  # noqa: PLC0415

    try:
        patience = parse_seconds(older_than)
    except ValueError as error:
        raise ColocError(f"--older-than: {error}") from error
    parts = _address(url, file)
    path = (parts.path if parts.path.strip("/") else "/heartbeat") + (f"?{parts.query}" if parts.query else "")
    http = Http(f"{parts.scheme}://{parts.netloc}", {})
    answer = http.ask("GET", path, at_most=10_000)
    http.close()
    say = translator("en" if os.environ.get("LANG", "").startswith("en") else "fr", "commands")
    is_well, line = judge(answer, parts.hostname or "?", patience, say)
    if not (is_well and quiet):
        show([harmless(line, at_most=300)])
    return 0 if is_well else 1


def judge(answer: Answer, host: str, patience: float, say: Translate) -> tuple[bool, str]:
    """Whether the agent works, and the sentence. What it says is hostile until looked at. Pure."""
    if answer.status == 0:
        silent = say("{host} does not answer ({why}): is that server down? tell its adminsys")
        return False, silent.format(host=host, why=answer.why)
    if answer.status == 503:
        return False, say("{host}: the agent has made no full round yet; ask again in a minute").format(host=host)
    coloc, ago, incidents = answer.data.get("coloc"), _count(answer, "seconds_ago"), _count(answer, "incidents")
    if answer.status != 200 or not isinstance(coloc, str) or ago is None or incidents is None:
        return False, say(
            "{host} answers {status}, not the heartbeat of an agent: mend the address, or its password"
        ).format(host=host, status=answer.status)
    if ago > patience:
        return False, say("{coloc}: the agent has made no full round for {minutes} min; tell its adminsys").format(
            coloc=coloc[:40], minutes=ago // 60
        )
    return True, say("{coloc}: the agent works; last round {seconds} s ago, open incidents: {incidents}").format(
        coloc=coloc[:40], seconds=ago, incidents=incidents
    )


def _count(answer: Answer, key: str) -> int | None:
    value = answer.data.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _address(url: str | None, file: Path | None) -> SplitResult:
    from alerts.address import is_loopback  # noqa: PLC0415 - `--help` must be quick
    from coloc.secrets import read_secret  # noqa: PLC0415

    if (url is None) == (file is None):
        raise ColocError("name one address", hint="coloc-agent heartbeat https://…/heartbeat, or --file FILE")
    try:
        parts = urlsplit(read_secret(file).reveal() if file is not None else url or "")
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"}:
        raise ColocError("that is no address", hint="write https://server.example.org/heartbeat")
    if parts.password is not None and file is None:
        raise ColocError(
            "a password on the command line is read by everybody", hint="put the address into a file: --file"
        )
    if parts.password is not None and parts.scheme == "http" and not is_loopback(host):
        raise ColocError("the password would go in clear over the network", hint="write https://…")
    return parts
