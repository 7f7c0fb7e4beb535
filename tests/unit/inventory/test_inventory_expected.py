"""The inventory of two captured servers equals what people worked out by hand, field by field."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from coloc.inventory.as_json import inventory_as_json
from coloc.inventory.yunohost import InventoryReader

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CAPTURED = Path(__file__).parents[2] / "captured" / "yunohost"
TREES = ("fixture", "real")


def _without_words(apps: dict[str, Any]) -> dict[str, Any]:
    return {app: {**value, "problems": bool(value["problems"])} for app, value in apps.items()}


@pytest.mark.parametrize("tree", TREES)
def test_a_captured_server_gives_the_expected_inventory(tree: str) -> None:
    expected = json.loads((CAPTURED / tree / "expected.json").read_text())
    found = json.loads(json.dumps(inventory_as_json(InventoryReader(CAPTURED / tree).read(NOW))))

    assert set(found["apps"]) == set(expected["apps"])
    for app, value in _without_words(expected["apps"]).items():
        assert _without_words(found["apps"])[app] == value, app
    for key in ("not_apps", "domains", "main_domain"):
        assert found[key] == expected[key]
