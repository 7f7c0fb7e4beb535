"""A homeserver or forum on this very machine is pointed out, by its name or by its address."""

from __future__ import annotations

import pytest

from agent.same_machine import addresses_of_name, own_addresses, same_machine_points
from coloc.config.whole import Config


def warned(homeserver: str, forum: str = "https://forum.test", *, resolved: str = "203.0.113.9") -> list[str]:
    values = {
        "coloc": {"name": "c"},
        "channels": {
            "matrix": {"homeserver": homeserver, "room": "!a"},
            "forum": {"url": forum, "user": "c", "topic": 3},
        },
    }
    config = Config.model_validate(values)
    points = same_machine_points(config, ["chat.coloc.test"], own=lambda: {"192.0.2.7"}, resolve=lambda _: [resolved])
    found = list(points)
    assert all(point.ok and point.warns and point.hint() for point in found)
    return [point.subject for point in found]


@pytest.mark.parametrize(
    ("homeserver", "resolved", "is_here"),
    [
        ("https://matrix.test", "203.0.113.9", False),
        ("https://Chat.Coloc.test:8448", "203.0.113.9", True),  # a domain of ours, behind a router
        ("https://matrix.test", "192.0.2.7", True),
        ("https://matrix.test", "127.0.1.1", True),
        ("http://localhost:8008", "203.0.113.9", True),
        ("http://[::1]:8008", "203.0.113.9", True),
        ("http://192.0.2.7", "203.0.113.9", True),
        ("http://192.0.2.8", "192.0.2.7", False),
    ],
)
def test_a_homeserver_here_is_warned_of(homeserver: str, resolved: str, is_here: bool) -> None:
    assert ("channels.matrix" in warned(homeserver, resolved=resolved)) is is_here


def test_a_forum_here_is_warned_of() -> None:
    assert warned("https://matrix.test", "https://chat.coloc.test") == ["channels.forum"]


def test_this_machine_has_addresses_and_an_unknown_name_has_none() -> None:
    assert "127.0.0.1" in own_addresses()
    assert addresses_of_name("no-such-name.invalid") == set()
    assert addresses_of_name("x" * 300) == set()
