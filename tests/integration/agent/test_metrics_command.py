"""`coloc-agent metrics` as a program, on the captured trees of real servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.prometheus import check_metrics

TOP = Path(__file__).parents[3]


def metrics(tmp_path: Path, *argv: str) -> subprocess.CompletedProcess[bytes]:
    """Run it from the source tree; the version comes from a stand-in when the package is not installed."""
    told = tmp_path / "told" / "coloc_agent-0.1.0.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: coloc-agent\nVersion: 0.1.0\n")
    env = {**os.environ, "PYTHONPATH": f"{TOP}:{told.parent}", "COLOC_CONFIG": str(tmp_path / "none.yml")}
    return subprocess.run(
        [sys.executable, "-m", "agent", "metrics", *argv], env=env, cwd=tmp_path, capture_output=True, timeout=60
    )


@pytest.mark.parametrize(("tree", "app"), [("fixture", "nextcloud"), ("real", "labphp__2")])
def test_a_server_s_tree_is_measured_without_any_configuration(tree: str, app: str, tmp_path: Path) -> None:
    found = metrics(tmp_path, "--root", str(TOP / "tests/captured/yunohost" / tree))
    assert found.returncode == 0, found.stderr.decode()
    assert check_metrics(found.stdout) == ""
    assert f'coloc_app_info{{app="{app}",'.encode() in found.stdout
    assert f'coloc_app_processes{{app="{app}",project="_none"}}'.encode() in found.stdout
    assert all(line.startswith(b"coloc-agent: not seen: ") for line in found.stderr.splitlines())


def test_without_configuration_and_tree_it_says_what_to_do(tmp_path: Path) -> None:
    found = metrics(tmp_path)
    assert (found.returncode, found.stdout) == (2, b"")
    assert b"coloc-agent init" in found.stderr
