"""Slices of `borg check` with the real Borg: they go on, they end, and damage is told until it is mended."""

from __future__ import annotations

import time
from pathlib import Path

from backup.check_slices import ARCHIVES, REPOSITORY, CheckTurn, slice_of
from tests.fakes.backup_world import World


def test_a_turn_goes_on_where_it_stopped_and_finds_damage(world: World) -> None:
    place = world.local_host("merle")
    world.app("blog", rows=3, size=300_000)
    world.app("wiki")
    assert world.run().ok
    repository = world.repository("merle")
    names = [archive.name for archive in repository.archives()]
    turn, complete = slice_of(repository, CheckTurn(), names, coloc="ruche", seconds=2)
    assert (turn.phase, turn.failure, complete) == (ARCHIVES, "", False)
    began = time.monotonic()
    while not complete:
        before = turn
        turn, complete = slice_of(repository, turn, names, coloc="ruche", seconds=8)
        assert complete or turn.after > before.after
        assert time.monotonic() - began < 300
    assert turn == CheckTurn()
    hit = max((place / "data/0").iterdir(), key=lambda path: path.stat().st_size)
    sound = hit.read_bytes()
    _damage(hit, sound)
    turn, complete = slice_of(repository, turn, names, coloc="ruche", seconds=60)
    assert (turn.phase, complete) == (REPOSITORY, False)
    assert turn.failure.startswith("merle: ")
    hit.write_bytes(sound)
    for _ in range(2):
        turn, complete = slice_of(repository, turn, names, coloc="ruche", seconds=60)
    assert turn.failure == ""


def _damage(hit: Path, sound: bytes) -> None:
    content = bytearray(sound)
    content[len(content) // 2] ^= 0xFF
    hit.write_bytes(content)
