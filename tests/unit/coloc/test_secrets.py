"""Secrets show themselves to nobody who does not ask by name, and come from no file that others can read."""

from __future__ import annotations

import copy
import io
import json
import logging
import os
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from coloc.errors import ConfigError
from coloc.secrets import Secret, find_secret, read_secret

SECRET = Secret("hunter2")


def write(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    "show",
    [repr, str, lambda x: f"{x}", lambda x: f"{x!r:>9}", lambda x: str([x]), lambda x: str({x: x})],
)
def test_a_secret_never_shows_itself(show: Callable[[object], str]) -> None:
    assert "hunter2" not in show(SECRET)
    assert "***" in show(SECRET)


@pytest.mark.parametrize(
    "show", [pickle.dumps, copy.deepcopy, json.dumps, lambda x: format(x, ">20"), lambda x: x + "", lambda x: b"" + x]
)
def test_what_cannot_be_done_with_a_secret_does_not_show_it_either(show: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        show(SECRET)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_secret_in_a_log_is_stars() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("test.secrets")
    logger.addHandler(handler)
    logger.warning("got %s and %r", SECRET, [SECRET])
    logger.removeHandler(handler)
    assert stream.getvalue() == "got *** and [***]\n"


def test_a_secret_is_revealed_to_the_one_call_that_needs_it(tmp_path: Path) -> None:
    assert read_secret(write(tmp_path / "s", b"hunter2\r\nsecond line\n")).reveal() == "hunter2"
    assert read_secret(write(tmp_path / "s", b"hunter2")) == SECRET
    assert SECRET != "hunter2"
    assert len({SECRET, Secret("hunter2")}) == 1


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o777])
def test_a_secret_that_everybody_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="can be read by everybody"):
        read_secret(write(tmp_path / "s", b"hunter2", mode))


def test_a_secret_of_owner_and_group_is_taken(tmp_path: Path) -> None:
    assert read_secret(write(tmp_path / "s", b"hunter2", 0o440)) == SECRET


@pytest.mark.parametrize("content", [b"", b"\n", b"\r\n", b"\nhunter2\n"])
def test_an_empty_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError, match="is empty"):
        read_secret(write(tmp_path / "s", content))


@pytest.mark.parametrize("content", [b"hunter2\xff\n", b"hunter2\0\n"])
def test_a_secret_that_is_no_text_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ConfigError, match="is not a line of UTF-8 text") as caught:
        read_secret(write(tmp_path / "s", content))
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_secret_that_is_missing_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file") as caught:
        read_secret(tmp_path / "s")
    assert "install -m 600" in caught.value.hint


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "folder").mkdir(0o700)
    for name in ("fifo", "folder"):
        with pytest.raises(ConfigError, match="is not a file"):
            read_secret(tmp_path / name)
    with pytest.raises(ConfigError, match="that is no path"):
        read_secret(Path("/a\0b"))


def test_a_secret_lies_where_the_config_or_systemd_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert find_secret("passphrase", None) == tmp_path / "passphrase"
    assert find_secret("passphrase", Path("/elsewhere")) == Path("/elsewhere")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(ConfigError, match="no file for the secret 'passphrase'"):
        find_secret("passphrase", None)
