"""What the daemon imports weighs on the server for months: the heavy libraries stay with those who need them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
_SCRIPT = "import sys, agent.commands.run, agent.daemon, agent.reading_aside; print(*sys.modules)"


def test_the_daemon_imports_no_heavy_library() -> None:
    """pydantic reads files in a program of its own (docs/decisions/014); the other two come with their channel."""
    told = subprocess.run([sys.executable, "-c", _SCRIPT], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in told.stdout.split()}
    assert loaded & {"pydantic", "pydantic_core", "requests", "urllib3", "psutil"} == set()


def test_no_type_of_the_configuration_imports_pydantic_when_it_is_made() -> None:
    heavy = [
        path.name
        for path in (ROOT / "coloc/config").glob("*.py")
        if any(line.startswith(("import pydantic", "from pydantic")) for line in path.read_text().splitlines())
    ]
    assert heavy == [], "write the marks of coloc/config/marks.py instead"
