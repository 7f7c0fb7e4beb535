"""A real cron that nobody else sees: its own tables and accounts, in a mount namespace of its own. Needs root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_INSIDE = """set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/shadow" /etc/shadow
mount --bind "$1/crontab" /etc/crontab
mount --bind "$1/pam" /etc/pam.d/cron
mount --bind "$1/empty" /etc/cron.d
mount --bind "$1/empty" /var/spool/cron
exec /usr/sbin/cron -f"""


@contextmanager
def cron(folder: Path, users: Mapping[str, int], lines: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start it with the lines of a system crontab; jobs that run at its end are its own to end."""
    (folder / "empty" / "crontabs").mkdir(parents=True)
    accounts = "".join(f"{name}:x:{uid}:{uid}::/:/bin/sh\n" for name, uid in users.items())
    (folder / "passwd").write_text(Path("/etc/passwd").read_text() + accounts)
    (folder / "shadow").write_text(Path("/etc/shadow").read_text() + "".join(f"{name}:*:1::::::\n" for name in users))
    # Debian's own rules want to write a login id, which containers refuse.
    (folder / "pam").write_text("".join(f"{kind} required pam_permit.so\n" for kind in ("auth", "account", "session")))
    (folder / "crontab").write_text(f'SHELL=/bin/sh\nPATH=/usr/bin:/bin\nMAILTO=""\n{lines}')
    (folder / "crontab").chmod(0o644)
    argv = ["unshare", "--mount", "--", "sh", "-c", _INSIDE, "sh", str(folder)]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(argv, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)
