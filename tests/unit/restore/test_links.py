"""A link that an app puts in the way, now or in an archive, never leads a restore out of the app's folders."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backup.exchange import Exchange, identity_of, rename
from backup.manifest import Manifest, SavedDatabase, SavedFolder
from backup.restore_journal import RestoreJournal, new_journal
from backup.restore_plan import Target
from backup.restore_prepare import Place, database_file, within_app
from backup.staging import Staging
from backup.tree import Tree
from coloc.errors import ColocError
from coloc.model import DatabaseKind
from coloc.times import now_utc

RUN = "20261123T023000Z-abcdef"
NOTES = SavedDatabase(DatabaseKind.SQLITE, "/var/www/blog/data/notes.db", "dump", 1, "", {}, True)
MANIFEST = Manifest(
    "rosa", "blog", RUN, datetime(2026, 11, 23, tzinfo=UTC), "1", None, "Blog", "blog",
    (SavedFolder("/var/www/blog", "/var/www/blog"),), (), (NOTES,), (),
)  # fmt: skip


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app whose folder `data` became a link to a folder of the system."""
    folder = tmp_path / "root/var/www/blog"
    folder.mkdir(parents=True)
    (tmp_path / "root/etc").mkdir()
    (tmp_path / "root/etc/notes.db").write_text("of the system")
    (folder / "data").symlink_to("/etc")
    return folder


@pytest.fixture
def journal(tmp_path: Path) -> RestoreJournal:
    journal = new_journal(tmp_path / "journal", RUN, app="blog", host="merle", run=RUN, now=now_utc())
    journal.begin()
    return journal


def test_a_path_or_a_database_behind_a_link_is_refused(app: Path, tmp_path: Path) -> None:
    tree = Tree(tmp_path / "root")
    with pytest.raises(ColocError, match=r"leads out of /var/www/blog through a link, to .*/root/etc/notes\.db"):
        within_app(tree, MANIFEST, "var/www/blog/data/notes.db")
    with pytest.raises(ColocError, match="leads out of /var/www/blog"):
        database_file(tree, MANIFEST, NOTES)
    (app / "inside").mkdir()
    (app / "data").unlink()
    (app / "data").symlink_to("inside")
    assert database_file(tree, MANIFEST, NOTES) == app / "inside/notes.db"


def test_the_app_itself_may_lie_behind_a_link_of_the_admin(tmp_path: Path) -> None:
    (tmp_path / "root/mnt/www/blog").mkdir(parents=True)
    (tmp_path / "root/var").mkdir()
    (tmp_path / "root/var/www").symlink_to("/mnt/www")
    tree = Tree(tmp_path / "root")
    assert within_app(tree, MANIFEST, "var/www/blog/a") == tmp_path / "root/mnt/www/blog/a"


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("act", [Exchange.do, Exchange.undo])
def test_a_link_that_appears_before_the_exchange_is_not_followed(
    app: Path, tmp_path: Path, act: Callable[[Exchange], None], *, there: bool
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    new = tmp_path / "new"
    new.write_text("from the archive")
    if there or act is Exchange.undo:
        (outside / "file").write_text("of somebody else")
    (app / "evil").symlink_to(outside)
    identity = identity_of(new if act is Exchange.do else outside / "file")
    assert identity
    before = sorted((path.name, path.read_text()) for path in outside.iterdir())
    with pytest.raises(ColocError, match="there is a link on the way"):
        act(Exchange(new, app / "evil" / "file", identity))
    assert sorted((path.name, path.read_text()) for path in outside.iterdir()) == before
    with pytest.raises(ColocError, match="there is a link on the way"):
        rename(new, app / "evil" / "other")
    assert new.read_text() == "from the archive"


def test_staging_is_not_made_through_a_link(app: Path, journal: RestoreJournal, tmp_path: Path) -> None:
    with pytest.raises(ColocError, match="there is a link on the way"):
        Staging(journal).make(app / "data")
    assert [path.name for path in (tmp_path / "root/etc").iterdir()] == ["notes.db"]


@pytest.mark.parametrize("link", ["blog", "blog/data", "blog/data/notes.db"])
def test_no_database_is_written_through_a_link_of_the_archive(
    tmp_path: Path, journal: RestoreJournal, link: str
) -> None:
    live = tmp_path / "live"
    live.mkdir()
    staging = Staging(journal)
    place = Place(Target("blog"), live / "blog", live)
    stage = staging.make(live)
    (stage / link).parent.mkdir(parents=True, exist_ok=True)
    (stage / link).symlink_to("/etc")
    with pytest.raises(ColocError, match="through a link of the archive"):
        staging.within(place, live / "blog/data/notes.db")
    (stage / link).unlink()
    assert staging.within(place, live / "blog/data/notes.db") == stage / "blog/data/notes.db"
