"""What the nightly run must be able to do, tried with just the rights that its unit leaves to root."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

UNIT = Path(__file__).parents[3] / "deploy" / "systemd" / "coloc-agent-backup.service"
# A dump that hangs (a table is locked, say) runs as the database's account, and must be ended when its time is over.
HANGS = """
from coloc.command import CommandFailed, run
try:
    run(["sleep", "60"], timeout=0.5, user="nobody")
except CommandFailed as error:
    print(error)
"""


def as_the_unit(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python with root's rights cut down to CapabilityBoundingSet=."""
    assert os.geteuid() == 0, "only root can give rights away: run this test as root"
    match = re.search(r"(?m)^CapabilityBoundingSet=(.+)$", UNIT.read_text())
    assert match is not None
    rights = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in match[1].split())
    argv = ["setpriv", f"--bounding-set=-all,{rights}", "--no-new-privs", sys.executable, "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, cwd=UNIT.parents[2])


def test_a_dump_that_hangs_under_another_account_is_ended() -> None:
    done = as_the_unit(HANGS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "sleep ran longer than 0.5 s and was ended\n"
