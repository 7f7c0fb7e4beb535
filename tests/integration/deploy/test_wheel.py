"""The wheel holds our packages at its top, the French words, and nothing else: it goes into a venv of its own."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_names_at_the_top_of_the_wheel_are_these(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"coloc", "collectors", "backup", "alerts", "agent", "helper"}
    assert "coloc/locale/fr.po" in names
    assert not [name for name in names if "/tests/" in name or "/captured/" in name]
