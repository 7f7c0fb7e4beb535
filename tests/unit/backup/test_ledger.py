"""The book of archives: what it says of a host's list, and that no line of it can be changed without the key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup import ledger
from backup.borg_output import Archive
from backup.journal import Journal, open_journal
from backup.ledger import Entry
from coloc.errors import StateError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
RUN = "20261123T120000Z-abcdef"


def archive(app: str, number: str = "1", *, run: str = RUN, tail: str = "files") -> Archive:
    return Archive(f"ruche.{app}.{run}.{tail}", number, NOW)


def entry(what: ledger.What, app: str, *archives: Archive) -> Entry:
    return Entry("merle", what, app, RUN, {each.name: each.id for each in archives})


def test_what_was_begun_is_explained_and_what_was_proven_is_expected() -> None:
    lines = [entry("begun", "blog"), entry("proven", "wiki", archive("wiki"))]
    unfinished = archive("blog", tail="files.checkpoint")
    assert ledger.compare("ruche", lines, [archive("wiki"), unfinished]).agrees
    assert ledger.compare("ruche", lines, [unfinished]).lost == (archive("wiki").name,)
    swapped = ledger.compare("ruche", lines, [archive("wiki", "2")])
    assert swapped.unknown == (archive("wiki").name,)
    stranger = archive("shop")
    assert ledger.compare("ruche", lines, [archive("wiki"), stranger]).unknown == (stranger.name,)
    assert ledger.compare("ruche", lines, [archive("wiki"), Archive("theirs", "9", NOW)]).agrees


def test_what_we_were_about_to_delete_when_cut_off_needs_no_explanation() -> None:
    """Power or link went between the line in the book and the deletion: they are ours, and go the next night."""
    lines = [entry("proven", "blog", archive("blog")), entry("begun", "wiki")]
    lines += [entry("removed", "blog"), entry("removed", "wiki")]
    assert ledger.compare("ruche", lines, [archive("blog"), archive("wiki", tail="files.checkpoint")]).agrees
    assert ledger.compare("ruche", lines, []).agrees
    other = archive("blog", "2")
    assert ledger.compare("ruche", lines, [other]).unknown == (other.name,)


STEPS = st.lists(st.tuples(st.sampled_from(["begun", "proven", "removed"]), st.sampled_from("abc")), max_size=12)


@settings(deadline=None)
@given(STEPS)
def test_a_host_that_did_what_we_wrote_agrees(steps: list[tuple[ledger.What, str]]) -> None:
    held: dict[str, Archive] = {}
    lines = []
    for what, app in steps:
        made = archive(app)
        lines.append(entry(what, app, *([made] if what == "proven" else [])))
        if what == "proven":
            held[app] = made
        elif what == "removed":
            held.pop(app, None)
    assert ledger.compare("ruche", lines, held.values()).agrees
    for app in held:
        without = [each for name, each in held.items() if name != app]
        assert not ledger.compare("ruche", lines, without).agrees


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return open_journal(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger SET app = 'other' WHERE number = 2",
        "UPDATE ledger SET archives = '{}' WHERE number = 2",
        "DELETE FROM ledger WHERE number = 2",
        "DELETE FROM ledger WHERE number = 1",
        "UPDATE ledger SET number = 9 WHERE number = 3",
        "UPDATE ledger SET host = 'pie' WHERE number = 1",
    ],
)
def test_a_line_that_was_changed_is_seen(journal: Journal, change: str) -> None:
    ledger.write_all(journal, [entry("proven", app, archive(app)) for app in ("a", "b", "c")], NOW)
    assert len(ledger.read(journal, "merle")) == 3
    journal.ask(change)
    with pytest.raises(StateError, match=r"was changed by somebody else, at line \d"):
        ledger.read(journal, "merle")
    journal.close()


def test_a_book_whose_key_is_gone_says_so_and_a_person_may_begin_again(journal: Journal) -> None:
    ledger.write(journal, entry("begun", "a"), NOW)
    key = journal.folder / "book.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.unlink()
    with pytest.raises(StateError, match="is gone"):
        ledger.read(journal, "merle")
    with pytest.raises(StateError, match="is gone"):
        ledger.write(journal, entry("begun", "b"), NOW)
    ledger.begin_again(journal, [entry("adopted", "a", archive("a"))], NOW)
    assert [each.what for each in ledger.read(journal, "merle")] == ["adopted"]
    journal.close()


def test_hosts_that_begin_their_first_night_at_the_same_moment_sign_with_one_key(tmp_path: Path) -> None:
    journals = [open_journal(tmp_path) for _ in range(6)]  # as several processes do
    begin = threading.Barrier(len(journals))

    def first_line(number: int) -> None:
        begin.wait()
        ledger.write(journals[number], entry("begun", f"app{number}"), NOW)

    with ThreadPoolExecutor(len(journals)) as pool:
        list(pool.map(first_line, range(len(journals))))
    assert sorted(each.app for each in ledger.read(journals[0], "merle")) == [f"app{n}" for n in range(6)]
    for journal in journals:
        journal.close()
