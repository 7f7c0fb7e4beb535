"""The spool: what is written is whole and comes back once; what others put there is told, and never stops the rest."""

from __future__ import annotations

import json
import os
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coloc.errors import StateError
from coloc.facts import BadFact, Fact, Spool, write_whole

NOW = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
GOOD_NAME = "20261123T023000000000Z-" + "a" * 32


def facts(folder: Path) -> list[Fact]:
    found = list(Spool(folder).read())
    assert all(isinstance(item, Fact) for item in found), found
    return [item for item in found if isinstance(item, Fact)]


def put(folder: Path, content: bytes, name: str = GOOD_NAME) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_bytes(content)


def fact_json(**changes: object) -> bytes:
    return json.dumps({"kind": "backup", "at": NOW.isoformat(), "values": {}} | changes).encode()


def only_bad(folder: Path) -> BadFact:
    (found,) = Spool(folder).read()
    assert isinstance(found, BadFact)
    return found


def test_a_fact_comes_back_as_it_was_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "facts")
    fact = spool.write(
        "backup", NOW, app="blog", host="merle", ok=True, bytes=12, ratio=0.5, names=["a", "b"], nothing=None
    )
    assert facts(tmp_path / "facts") == [fact]
    assert list(spool.read(known=frozenset({fact.id}))) == []


def test_a_fact_is_a_file_for_its_owner_and_group_alone_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    Spool(tmp_path / "facts").write("backup", NOW)
    (entry,) = (tmp_path / "facts").iterdir()
    assert stat.S_IMODE(entry.stat().st_mode) == 0o640


def test_names_sort_by_time_whatever_the_order_and_the_zone(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    times = [NOW + timedelta(microseconds=step) for step in (5, 1, 3_000_000, 86_400_000_000, 0)]
    for moment in times:
        spool.write("backup", moment.astimezone(datetime.now().astimezone().tzinfo))
    assert [fact.at for fact in facts(tmp_path)] == sorted(times)


def test_a_file_that_is_written_replaces_the_old_one_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new" * 100_000 + "\udcff")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    write_whole(path, "new", mode=0o640)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("new", 0o640)


def test_a_fact_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="the fact 'backup' cannot be written"):
        Spool(tmp_path / "file").write("backup", NOW)


def test_a_fact_that_could_not_be_read_again_is_a_bug_and_not_written(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for values in ({"x": "y" * 300_000}, {"x": float("nan")}, {"x": 2**70}):
        with pytest.raises(ValueError, match=r"would not be read|without"):
            spool.write("backup", NOW, **values)
    with pytest.raises(ValueError, match="unknown kind"):
        spool.write("gossip", NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_no_text_does_not_lose_the_fact(tmp_path: Path) -> None:
    Spool(tmp_path).write("backup", NOW, failure="caf\udce9", names=["\udcff"])
    assert facts(tmp_path)[0].values == {"failure": "caf?", "names": ["?"]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"3",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b" " * 300_000,
        fact_json(kind="gossip"),
        fact_json(kind=["backup"]),
        fact_json(kind=None),
        fact_json(at=3),
        fact_json(at="yesterday"),
        fact_json(at="2026-11-23T02:30:00"),
        fact_json(at="0001-01-01T00:00:00+23:00"),
        fact_json(at="9999-12-31T23:59:59-23:00"),
        fact_json(values=[]),
        fact_json(values={"x": {"y": 1}}),
        fact_json(values={"x": [1]}),
        fact_json(values={"x": 2**70}),
        fact_json(values={"x": float("nan")}),
        fact_json(values={"x": float("-inf")}),
        b'{"kind":"backup","at":"2026-11-23T02:30:00+00:00","values":{"x":' + b"9" * 5000 + b"}}",
        b'{"kind":"backup","at":"2026-11-23T02:30:00+00:00"}',
    ],
    ids=lambda content: content[:60].decode("latin-1"),
)
def test_what_is_no_fact_is_told_and_raises_nothing(tmp_path: Path, content: bytes) -> None:
    put(tmp_path, content)
    bad = only_bad(tmp_path)
    assert bad.id == GOOD_NAME
    assert 0 < len(bad.why) <= 200
    Spool(tmp_path).write("backup", NOW + timedelta(hours=1))
    assert isinstance(list(Spool(tmp_path).read())[1], Fact), "those behind it are read"


def test_half_a_character_in_a_fact_becomes_one_that_can_be_stored(tmp_path: Path) -> None:
    put(tmp_path, b'{"kind":"backup","at":"2026-11-23T02:30:00+00:00","values":{"\\ud800":"\\udfff"}}')
    assert facts(tmp_path)[0].values == {"?": "?"}


def test_a_link_a_fifo_and_a_folder_are_no_facts_and_never_waited_for(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    (tmp_path / "outside").write_bytes(fact_json())
    (spool / f"{GOOD_NAME}.json").symlink_to(tmp_path / "outside")
    os.mkfifo(spool / f"{GOOD_NAME[:-1]}b.json")
    (spool / f"{GOOD_NAME[:-1]}c.json").mkdir()
    began = time.monotonic()
    found = list(Spool(spool).read())
    assert [type(item) for item in found] == [BadFact] * 3
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "name", ["x", "../x", "20261123T023000000000Z", "20261123T023000000000Z-" + "A" * 32, ".hidden", "é"]
)
def test_a_name_that_we_do_not_give_is_no_fact(tmp_path: Path, name: str) -> None:
    put(tmp_path / "spool", fact_json(), name.replace("/", "_"))
    assert "not a name that we give" in only_bad(tmp_path / "spool").why


def test_no_folder_is_no_facts_and_a_file_in_its_place_is_a_sentence(tmp_path: Path) -> None:
    assert list(Spool(tmp_path / "gone").read()) == []
    Spool(tmp_path / "gone").tidy(NOW)
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="cannot be read"):
        list(Spool(tmp_path / "file").read())


def test_only_old_facts_and_what_a_cut_write_left_are_tidied_away(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    old = spool.write("backup", NOW - timedelta(days=30, seconds=1))
    young = spool.write("backup", NOW - timedelta(days=29))
    cut, fresh = (tmp_path / f".{old.id}.json.{pid}.0123abcd" for pid in (1, 2))
    for path in (cut, fresh, tmp_path / "20200101-notes.json", tmp_path / "20200101"):
        path.touch()
    os.utime(cut, (0, 0))
    (tmp_path / f"20200101T000000000000Z-{'a' * 32}.json").mkdir()
    spool.tidy(NOW)
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {
        f"{young.id}.json",
        fresh.name,
        "20200101-notes.json",
        "20200101",
        f"20200101T000000000000Z-{'a' * 32}.json",
    }


@given(st.binary(max_size=200))
def test_whatever_the_bytes_reading_raises_nothing(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("spool")
    put(folder, raw)
    assert isinstance(only_bad(folder), BadFact)
