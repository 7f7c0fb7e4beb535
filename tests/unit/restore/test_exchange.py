"""Two paths change places in one step or in three, and the way back is right from every moment between."""

from __future__ import annotations

from pathlib import Path

import pytest

from backup import exchange
from backup.exchange import Exchange, identity_of


def _pair(folder: Path) -> Exchange:
    new, target = folder / "new", folder / "target"
    for path, word in ((new, "restored"), (target, "live")):
        path.mkdir()
        (path / "file").write_text(word)
    identity = identity_of(new)
    assert identity
    return Exchange(new, target, identity)


@pytest.mark.parametrize("kernel", [True, False])
def test_there_and_back(tmp_path: Path, kernel: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not kernel:
        monkeypatch.setattr(exchange, "_exchange", lambda one, other: False)
    pair = _pair(tmp_path)
    pair.undo()  # nothing was done yet
    assert (pair.target / "file").read_text() == "live"
    pair.do()
    assert ((pair.target / "file").read_text(), (pair.new / "file").read_text()) == ("restored", "live")
    pair.undo()
    pair.undo()
    assert ((pair.target / "file").read_text(), (pair.new / "file").read_text()) == ("live", "restored")


@pytest.mark.parametrize("steps", [1, 2])
def test_a_crash_between_the_renames_is_taken_back(tmp_path: Path, steps: int) -> None:
    pair = _pair(tmp_path)
    pair.target.rename(pair.new.with_name("new.coloc-aside"))
    if steps == 2:
        pair.new.rename(pair.target)
    pair.undo()
    assert ((pair.target / "file").read_text(), (pair.new / "file").read_text()) == ("live", "restored")


def test_into_an_empty_place_and_out_of_it(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("x")
    identity = identity_of(tmp_path / "new")
    assert identity
    pair = Exchange(tmp_path / "new", tmp_path / "deep/er/target", identity)
    pair.do()
    assert pair.target.read_text() == "x" and not pair.new.exists()
    pair.undo()
    assert not pair.target.exists() and pair.new.read_text() == "x"
