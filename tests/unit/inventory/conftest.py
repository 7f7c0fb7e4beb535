"""An empty YunoHost-shaped tree for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.yunohost import FakeServer


@pytest.fixture
def server(tmp_path: Path) -> FakeServer:
    """The tree, to be filled with apps."""
    return FakeServer(tmp_path / "root")
