"""A real postfix in a mount namespace, whose orders are given inside it: to hold mail and let it go. Needs root."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coloc.command import Output, run
from tests.fakes.waiting import until

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
_MASTER = """
postlog unix-dgram n - n - 1 postlogd
pickup unix n - n 1 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
retry unix - - n - - error
error unix - - n - - error
discard unix - - n - - discard
showq unix n - n - - showq
"""
_INSIDE = """set -e
mount --make-rprivate /
mount --bind "$1/etc" /etc/postfix
mount --bind "$1/spool" /var/spool/postfix
mount --bind "$1/data" /var/lib/postfix
exec /usr/sbin/postfix start-fg"""


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
    for path in (folder / "spool", folder / "data"):
        path.mkdir(parents=True)
    shutil.copytree("/etc/postfix", folder / "etc", symlinks=True)
    for path in (folder, *folder.parents):
        path.chmod(path.stat().st_mode | 0o011)  # accounts must reach its queue
    (folder / "etc/main.cf").write_text(_MAIN.format(folder=folder, log=folder / "mail.log"))
    (folder / "etc/master.cf").write_text(_MASTER)
    subprocess.run(["chown", "postfix", folder / "data"], check=True)
    argv = ["unshare", "--mount", "--", "sh", "-c", _INSIDE, "sh", str(folder)]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    server = MailHouse(folder, process)
    try:
        until(lambda: "daemon started" in server.log or process.poll() is not None, seconds=120, what="postfix")
        assert process.poll() is None, (folder / "output").read_text() + server.log
        yield server
    finally:
        process.terminate()
        process.wait(60)
