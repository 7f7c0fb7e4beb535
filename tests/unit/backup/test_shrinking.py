"""An app that suddenly holds far less is told, and an app that was always empty, or shrinks a little, is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from backup.shrinking import Contents, Shrunk, has_files, refuse_shrunk

BOTH = frozenset({"/a", "/b"})


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (Contents(BOTH, 5, 100), Contents(frozenset({"/a"}), 4, 90)),
        (Contents(BOTH, 1000, 100), Contents(BOTH, 99, 100)),
        (Contents(BOTH, 30, 50_000_000), Contents(BOTH, 29, 4_000_000)),
    ],
)
def test_far_less_than_before_is_refused(before: Contents, now: Contents) -> None:
    with pytest.raises(Shrunk, match=r"^blog: ") as caught:
        refuse_shrunk("blog", before, now, ["/a", "/b"])
    assert "coloc-agent backup --shrunk blog" in caught.value.hint


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (None, Contents(frozenset(), 1, 1)),
        (Contents(frozenset({"/a"}), 5, 100), Contents(frozenset({"/a"}), 1, 2)),
        (Contents(BOTH, 1000, 50_000_000), Contents(BOTH, 101, 6_000_000)),
        (Contents(BOTH | {"/gone"}, 5, 100), Contents(BOTH, 5, 100)),  # no folder of the app any more
    ],
)
def test_what_was_empty_small_or_shrinks_a_little_is_fine(before: Contents | None, now: Contents) -> None:
    refuse_shrunk("blog", before, now, ["/a", "/b"])


def test_only_folders_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "lost+found" / "x").mkdir(parents=True)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    assert not has_files(tmp_path)
    assert has_files(tmp_path / "not there")
    (tmp_path / "deep" / "er" / "link").symlink_to("nowhere")
    assert has_files(tmp_path)
