"""One real homeserver for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.room import Room
from tests.fakes.synapse import Synapse


@pytest.fixture(scope="session")
def synapse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synapse]:
    server = Synapse(tmp_path_factory.mktemp("synapse"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def room(synapse: Synapse) -> Room:
    return Room(synapse)
