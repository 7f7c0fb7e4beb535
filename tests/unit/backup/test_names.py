"""Archive names are read back as they were given, and nobody else's name is taken for ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backup.names import archive_name, checkpoint_of, new_run, parse_archive_name, run_time, slug
from coloc.errors import ColocError
from coloc.model import Database, DatabaseKind

RUN = "20261123T023000Z-0a1b2c"
START = datetime(2000, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 3_000_000_000).map(lambda seconds: START + timedelta(seconds=seconds))
COLOCS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True)
APPS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", fullmatch=True)
DATABASES = st.none() | st.builds(Database, st.sampled_from(DatabaseKind), st.text(min_size=1))


@settings(deadline=None)
@given(COLOCS, APPS, MOMENTS, DATABASES)
def test_round_trip(coloc: str, app: str, now: datetime, database: Database | None) -> None:
    run = new_run(now)
    name = archive_name(coloc, app, run, database)
    parsed = parse_archive_name(name)
    assert parsed is not None
    assert (parsed.coloc, parsed.app, parsed.run, str(parsed)) == (coloc, app, run, name)
    assert parsed.is_files == (database is None)
    assert run_time(run) == now.replace(microsecond=0)
    assert checkpoint_of(f"{name}.checkpoint.1") == parsed
    assert parse_archive_name(f"{name}.checkpoint") is None


@settings(deadline=None)
@given(st.text())
def test_foreign_names_never_raise(text: str) -> None:
    parsed = parse_archive_name(text)
    assert parsed is None or str(parsed) == text


@pytest.mark.parametrize("app", ["", "..", "-x", "a/b", "a.b", "a b", "é", "a\n", "x" * 81, "::", "{now}", "a*"])
def test_ids_that_names_cannot_bear_are_refused(app: str) -> None:
    with pytest.raises(ColocError, match="cannot be backed up under that id"):
        archive_name("ruche", app, RUN)


def test_two_databases_never_share_a_name() -> None:
    long = "x" * 60
    names = {slug(name) for name in (long, "y" + long, "a/b", "a_b", "a.b", "", "é")}
    assert len(names) == 7


def test_names_of_apps_with_separators() -> None:
    database = Database(DatabaseKind.MYSQL, "wordpress__2")
    name = archive_name("ruche", "wordpress__2", RUN, database)
    assert name.startswith(f"ruche.wordpress__2.{RUN}.mysql.wordpress__2-")


@pytest.mark.parametrize(
    "name",
    [
        "auto_blog-2026-11-23T02:30:00",
        f"ruche.blog.{RUN}",
        f"ruche.blog.{RUN}.files.more",
        "ruche.blog.20261399T023000Z-0a1b2c.files",
        f"ruche.blog.{RUN}.oracle.x-00000000",
    ],
)
def test_what_is_not_ours(name: str) -> None:
    assert parse_archive_name(name) is None


def test_a_bad_run_id_is_refused() -> None:
    with pytest.raises(ValueError, match="no run id"):
        run_time("yesterday")
