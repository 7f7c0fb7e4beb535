"""A real postfix that nobody else sees: its settings, queue and log lie in a mount namespace. It needs root."""

from __future__ import annotations

import os
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from tests.fakes.sshd import free_port
from tests.fakes.waiting import until

# Who receives decides how it ends: nothing leaves the machine.
TRANSPORTS = {"sent.test": "discard:", "deferred.test": "retry:4.3.0 later", "bounced.test": "error:5.1.1 nobody"}
TRANSPORTS |= {"kept.test": "virtual:"}  # one box for all of them, which tests read
_BOX_OWNER = 61969
_MAIN = """
compatibility_level = 3.6
myhostname = house.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
maillog_file = {root}/var/log/mail.log
maillog_file_prefixes = {root}
transport_maps = inline:{{ {transports} }}
default_transport = error:5.0.0 nowhere
smtpd_peername_lookup = no
local_recipient_maps =
smtpd_sender_login_maps =
virtual_mailbox_base = {root}/box
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{owner}
virtual_gid_maps = static:{owner}
smtpd_sender_restrictions = check_sender_access inline:{{ {{ owned@house.test = 553 5.7.1 not logged in }} }}
"""
SERVICES = """
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
"""
_DOOR = """127.0.0.1:{port} inet n - n - - smtpd
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
"""
_INSIDE = """set -e
mount --make-rprivate /
mount --bind "$1/etc" /etc/postfix
mount --bind "$1/spool" /var/spool/postfix
mount --bind "$1/data" /var/lib/postfix
exec /usr/sbin/postfix start-fg"""


class Postfix:
    """The running server; its log is where YunoHost's is, below `root`."""

    def __init__(self, root: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.root, self.port, self._process = root, port, process

    @property
    def log(self) -> str:
        return _text(self.root / "var/log/mail.log")

    def box(self) -> list[EmailMessage]:
        """The mails that came to kept.test, in their order."""
        files = sorted((self.root / "box/all/new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return [message_from_bytes(path.read_bytes(), policy=default) for path in files]

    def sendmail(self, uid: int, sender: str, *recipients: str) -> None:
        """As an account does: through the program."""
        # Its pid is the namespace: unshare and sh became postfix.
        within = ["nsenter", "--mount", f"--target={self._process.pid}", "setpriv", f"--reuid={uid}", f"--regid={uid}"]
        argv = [*within, "--clear-groups", "/usr/sbin/sendmail", "-f", sender, *recipients]
        subprocess.run(argv, input=b"Subject: x\n\nx\n", check=True, timeout=120, cwd="/")

    def smtp(self, sender: str, *recipients: str) -> None:
        """As a program of this machine does, without a login."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=120) as client:
            client.sendmail(sender, recipients, b"Subject: x\r\n\r\nx\r\n")


@contextmanager
def within_a_namespace(folder: Path, main: str, master: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A postfix with these settings below `folder`, once it runs; it is ended with all of its programs."""
    for path in (folder / "spool", folder / "data"):
        path.mkdir(parents=True)
    shutil.copytree("/etc/postfix", folder / "etc", symlinks=True)  # its list of files, beside what follows
    for path in (folder, *folder.parents):
        path.chmod(path.stat().st_mode | 0o011)  # accounts must reach its queue
    (folder / "etc/main.cf").write_text(main)
    (folder / "etc/master.cf").write_text(master)
    subprocess.run(["chown", "postfix", folder / "data"], check=True)
    argv = ["unshare", "--mount", "--", "sh", "-c", _INSIDE, "sh", str(folder)]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        until(lambda: "daemon started" in _text(log) or process.poll() is not None, seconds=120, what="postfix")
        assert process.poll() is None, (folder / "output").read_text() + _text(log)
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def postfix(folder: Path) -> Iterator[Postfix]:
    """Start one that takes mail by SMTP as well."""
    root, port = folder / "root", free_port()
    (root / "var/log").mkdir(parents=True)
    (root / "box").mkdir()
    os.chown(root / "box", _BOX_OWNER, _BOX_OWNER)
    transports = ", ".join(f"{{ {domain} = {way} }}" for domain, way in TRANSPORTS.items())
    main = _MAIN.format(root=root, transports=transports, owner=_BOX_OWNER)
    master = SERVICES + _DOOR.format(port=port)
    with within_a_namespace(folder, main, master, root / "var/log/mail.log") as process:
        yield Postfix(root, port, process)


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""
