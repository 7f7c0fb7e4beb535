"""axe-core, which judges contrast, labels and structure of a page in the browser: from npm, kept in `.cache`."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.fakes.chromium import Chromium

VERSION = "4.14.1"
CACHE = Path(os.environ.get("COLOC_CACHE", Path(__file__).parents[2] / ".cache"))
_RUN = "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)"


def axe_source() -> str:
    """Its one file, fetched the first time. Never part of what is shipped."""
    folder = CACHE / f"axe-{VERSION}"
    file = folder / "node_modules/axe-core/axe.min.js"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "axe.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            folder.mkdir(exist_ok=True)
            (folder / "package.json").write_text("{}")
            argv = ["npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", f"axe-core@{VERSION}"]
            subprocess.run(argv, cwd=folder, check=True, capture_output=True, timeout=300)
    return file.read_text()


def violations(browser: Chromium, axe: str) -> list[str]:
    """What is wrong with the page that is open: each rule and where."""
    browser.evaluate(f"{axe};0")
    found: list[dict[str, Any]] = browser.evaluate(_RUN)
    return [f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]]
