"""Requests: taken once each, in the order they were asked; garbage and floods cost little and stop nothing."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from coloc.errors import ColocError
from coloc.requests import Request, ask, remove, waiting
from tests.fakes.asked import take


def values(folder: Path) -> list[object]:
    return [request.values for request in take(folder)]


def test_what_was_asked_is_taken_once_in_its_order(tmp_path: Path) -> None:
    for number in range(5):
        ask(tmp_path, "ack", incident=number, by="léa")
    taken = list(take(tmp_path))
    assert [request.values["incident"] for request in taken] == [0, 1, 2, 3, 4]
    assert taken[0] == Request(taken[0].id, "ack", {"incident": 0, "by": "léa"})
    assert list(take(tmp_path)) == []
    assert list(tmp_path.iterdir()) == []


def test_what_waits_stays_until_it_was_obeyed(tmp_path: Path) -> None:
    ask(tmp_path, "ack", incident=1)
    ask(tmp_path, "ack", incident=2)
    first, second = waiting(tmp_path)
    assert waiting(tmp_path) == [first, second], "a kill in between loses nothing"
    remove(tmp_path, [first])
    assert waiting(tmp_path) == [second]
    remove(tmp_path, [first, second])
    assert list(tmp_path.iterdir()) == []


def test_nobody_listens_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ColocError, match="the agent cannot be asked") as caught:
        ask(tmp_path / "gone", "ack", incident=1)
    assert "is it running" in caught.value.hint
    assert list(take(tmp_path / "gone")) == []
    with pytest.raises(ValueError, match="unknown kind"):
        ask(tmp_path, "format-disk")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 5000,
        b'{"kind": "shutdown", "values": {}}',
        b'{"kind": ["ack"], "values": {}}',
        b'{"kind": "ack", "values": []}',
        b'{"kind": "ack", "values": {"x": null}}',
        b'{"kind": "ack", "values": {"x": [1]}}',
        b'{"kind": "ack", "values": {"x": NaN}}',
        b'{"kind": "ack", "values": {"x": 1e999}}',
        b'{"kind": "ack", "values": {"x": 99999999999999999999}}',
        b'{"kind": "ack", "values": {"x": "' + b"y" * 5000 + b'"}}',
    ],
)
def test_garbage_is_removed_and_stops_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "0.json").write_bytes(content)
    ask(tmp_path, "ack", incident=1)
    assert values(tmp_path) == [{"incident": 1}]
    assert list(tmp_path.iterdir()) == []


def test_signs_that_a_terminal_obeys_do_not_get_in(tmp_path: Path) -> None:
    (tmp_path / "0.json").write_bytes(b'{"kind": "ack", "values": {"by": "a\\u001b[31mb\\n\\ud800\\u202ec"}}')
    assert values(tmp_path) == [{"by": "a [31mb ? c"}]


def test_links_fifos_and_folders_are_never_followed_waited_for_or_obeyed(tmp_path: Path) -> None:
    folder = tmp_path / "requests"
    folder.mkdir()
    (tmp_path / "outside").write_text(json.dumps({"kind": "ack", "values": {"incident": 1}}))
    (folder / "a.json").symlink_to(tmp_path / "outside")
    os.mkfifo(folder / "b.json")
    (folder / "c.json").mkdir()
    ask(folder, "ack", incident=2)
    began = time.monotonic()
    assert values(folder) == [{"incident": 2}]
    assert time.monotonic() - began < 1
    assert {entry.name for entry in folder.iterdir()} == {"c.json"}
    assert (tmp_path / "outside").exists()


def test_what_is_not_finished_yet_is_left_alone(tmp_path: Path) -> None:
    for number in range(1100):
        (tmp_path / f".hidden{number:04}.json").touch()
    ask(tmp_path, "silence", incident=1, seconds=60)
    assert values(tmp_path) == [{"incident": 1, "seconds": 60}]


def test_a_flood_is_taken_in_bounded_turns(tmp_path: Path) -> None:
    for number in range(100_000):
        os.close(os.open(tmp_path / f"{number:06}.json", os.O_CREAT | os.O_WRONLY))
    began = time.monotonic()
    assert list(take(tmp_path)) == []
    assert time.monotonic() - began < 3
    assert len(os.listdir(tmp_path)) == 99_000  # noqa: PTH208 - a hundred thousand Path objects are not needed
