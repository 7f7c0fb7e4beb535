"""A real postfix in a mount namespace, whose orders are given inside it: to hold mail and let it go. Needs root."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coloc.command import Output, run
from tests.fakes.postfix import SERVICES, within_a_namespace

_MAIN = """
compatibility_level = 3.6
myhostname = house.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
default_transport = discard:
maillog_file = {log}
maillog_file_prefixes = {folder}
local_recipient_maps =
"""
_SHOW = "showq unix n - n - - showq\n"


class MailHouse:
    """The running server. `place`: our list, as it lies outside of the namespace."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes]) -> None:
        self._folder, self._process = folder, process
        self.place = folder / "etc/coloc_agent_hold"

    @property
    def log(self) -> str:
        path = self._folder / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def main_cf(self) -> str:
        return (self._folder / "etc/main.cf").read_text()

    def run(self, argv: Sequence[str], **options: Any) -> Output:
        """The house's Run, inside."""
        return run(["nsenter", "--mount", f"--target={self._process.pid}", *argv], **options)

    def send(self, uid: int, recipient: str) -> None:
        within = ["nsenter", "--mount", f"--target={self._process.pid}", "setpriv", f"--reuid={uid}", f"--regid={uid}"]
        argv = [*within, "--clear-groups", "/usr/sbin/sendmail", "-f", "x@house.test", recipient]
        subprocess.run(argv, input=b"Subject: x\n\nx\n", check=True, timeout=120, cwd="/")

    def look_at_the_queue(self) -> None:
        """As postfix does by itself every five minutes."""
        self.run(["postqueue", "-f"], timeout=60)

    def held(self) -> list[str]:
        said = self.run(["postqueue", "-j"], timeout=60).stdout
        mails = [json.loads(line) for line in said.splitlines()]
        return sorted(mail["recipients"][0]["address"] for mail in mails if mail["queue_name"] == "hold")

    def sent(self, recipient: str) -> bool:
        return any(f"to=<{recipient}>" in line and "status=sent" in line for line in self.log.splitlines())


@contextmanager
def mail_house(folder: Path) -> Iterator[MailHouse]:
    """Start it below `folder`; it is ended with all of its programs."""
    log = folder / "mail.log"
    with within_a_namespace(folder, _MAIN.format(folder=folder, log=log), SERVICES + _SHOW, log) as process:
        yield MailHouse(folder, process)
