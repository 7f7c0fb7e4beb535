"""What every test shares: the venv's programs first on PATH, so that `borg` is the one that the agent installs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A loaded machine is no failure of a property, and the same commit says the same twice.
# COLOC_PROPERTIES=random looks further.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("random", deadline=None)
settings.load_profile(os.environ.get("COLOC_PROPERTIES", "steady"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a test has to tell people stands at the end, also when it ran in another process."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, words in report.user_properties:
                if name == "told":
                    terminalreporter.write_line(str(words))


@pytest.fixture(autouse=True, scope="session")
def _venv_programs_first() -> Iterator[None]:
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{before}"
    yield
    os.environ["PATH"] = before
