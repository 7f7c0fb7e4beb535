"""`coloc-agent logs` and `coloc-agent web-latency`, as somebody runs them."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
TREES = ROOT / "tests/captured/yunohost"


def agent(*words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "agent", "--config", "/nowhere/coloc.yml", *words]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def counted(root: Path) -> dict[str, Any]:
    done = agent("logs", "--json", "--root", str(root))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("tree", ["fixture", "real"])
def test_what_it_counts_is_what_is_expected_of_both_trees(tree: str) -> None:
    expected = json.loads((TREES / tree / "expected.json").read_text())
    found = counted(TREES / tree)
    for key in ("access_log", "mail_log"):
        if key in expected:
            assert found[key] == expected[key]


def test_rotated_and_compressed_logs_count_too(tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(TREES / "fixture", root, symlinks=True)
    expected = json.loads((root / "expected.json").read_text())
    for log in [*root.glob("var/log/nginx/*-access.log"), root / "var/log/mail.log"]:
        lines = log.read_bytes().splitlines(keepends=True)
        log.with_name(f"{log.name}.2.gz").write_bytes(gzip.compress(b"".join(lines[:100])))
        log.with_name(f"{log.name}.1").write_bytes(b"".join(lines[100:200]))
        log.write_bytes(b"".join(lines[200:]))
    found = counted(root)
    assert found["access_log"] == expected["access_log"]
    assert found["mail_log"] == expected["mail_log"]


def test_the_table_names_every_app_and_nobody_else() -> None:
    done = agent("logs", "--root", str(TREES / "fixture"))
    assert done.returncode == 0
    assert "mattermost" in done.stdout
    assert "camille" not in done.stdout


def test_the_drop_in_and_its_undoing_are_shell() -> None:
    for words in ((), ("--undo",)):
        done = agent("web-latency", *words)
        assert done.returncode == 0
        assert subprocess.run(["sh", "-n"], input=done.stdout, text=True, check=False).returncode == 0
