"""What collectors still know after a restart."""

from __future__ import annotations

from pathlib import Path

from coloc.memory import KeptMemory
from coloc.state import open_state


def test_what_was_saved_is_there_after_a_restart_and_what_was_not_is_not(tmp_path: Path) -> None:
    state = open_state(tmp_path / "state.db")
    memory = KeptMemory(state)
    memory.put("web", "one")
    memory.save(state)
    memory.put("web", "two")
    state.close()
    state = open_state(tmp_path / "state.db")
    assert KeptMemory(state).get("web") == "one"
    assert KeptMemory(state).get("mail") is None
    state.close()


def test_it_keeps_apart_from_the_other_words_of_the_state(tmp_path: Path) -> None:
    state = open_state(tmp_path / "state.db")
    with state.transaction():
        state.put("web", "the daemon's")
    memory = KeptMemory(state)
    assert memory.get("web") is None
    memory.put("web", "the collector's")
    memory.save(state)
    assert state.get("web") == "the daemon's"
    state.close()


def test_a_word_that_is_too_long_leaves_the_last_one(tmp_path: Path) -> None:
    state = open_state(tmp_path / "state.db")
    memory = KeptMemory(state)
    memory.put("web", "short")
    memory.put("web", "x" * (5 << 20))
    assert memory.get("web") == "short"
    state.close()
