"""The rows that servers answer: read right, and anything else is an expected failure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coloc.databases.answers import Answer, ask_mysql, ask_postgresql, parse_mysql, parse_postgresql
from coloc.databases.servers import Servers
from coloc.errors import ColocError
from tests.fakes.programs import Saying

MYSQL = [
    ["bytes", "blog", "0", "0"],
    ["bytes", "blog", "65536", "0"],
    ["bytes", "blog", "2048", "0"],
    ["connections", "blog", "", "2"],
    ["server", "151", "1", "0"],
    ["spent", "blog", "4.5", "-0.25"],
]
POSTGRESQL = [
    ["bytes", "tchat", "7000", ""],
    ["bytes", "gone", "", ""],
    ["connections", "tchat", "tchat", "4"],
    ["server", "100", "", ""],
    ["spent", "tchat", "1500.5", ""],
    ["backend", "tchat", "812", ""],
    ["checkpointer", "", "700", ""],
]


def test_rows_of_mariadb() -> None:
    answer = parse_mysql(MYSQL)
    assert answer == Answer({"blog": 67584}, {("blog", ""): 2}, 151, {"blog": 4.5}, {"blog": 0.0})


def test_mariadb_without_userstat_tells_no_time() -> None:
    assert parse_mysql([["server", "151", "0", "0"]]).busy is None


def test_rows_of_postgresql() -> None:
    answer = parse_postgresql(POSTGRESQL)
    assert answer == Answer({"tchat": 7000}, {("tchat", "tchat"): 4}, 100, {"tchat": 1.5005}, None, {812: "tchat"}, 700)


def test_an_older_postgresql_tells_no_time() -> None:
    assert parse_postgresql([["spent", "tchat", "", ""]]).busy is None


@given(st.text())
def test_whatever_a_server_says_is_an_answer_or_an_expected_failure(said: str) -> None:
    for ask in (ask_mysql, ask_postgresql):
        for text in (
            said,
            f"bytes\t{said}\t1\t1\n",
            f"spent\0a\0{said}\0\0",
            f"server\t1\t1\t{said}\nspent\ta\tnan\t0",
        ):
            try:
                ask(Servers(), Saying(text))
            except ColocError as error:
                assert error.hint


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e999"])
def test_a_time_that_is_no_time_is_refused(seconds: str) -> None:
    with pytest.raises(ValueError, match=seconds):
        parse_mysql([["spent", "blog", seconds, "0"]])
