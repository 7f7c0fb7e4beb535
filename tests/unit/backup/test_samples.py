"""Samples of contents: bounded, of files at rest only, and a file that came back different is seen."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from backup.samples import MOST, PIECE_BYTES, check_samples, samples_from, take_samples
from coloc.errors import ColocError
from coloc.times import now_utc


@pytest.fixture
def top(tmp_path: Path) -> Path:
    folder = tmp_path / "live/var/www/blog"
    for number in range(40):
        (folder / f"d{number % 5}").mkdir(parents=True, exist_ok=True)
        (folder / f"d{number % 5}/f{number}").write_bytes(os.urandom(900))
    (folder / "large").write_bytes(os.urandom(PIECE_BYTES * 2))
    (folder / "link").symlink_to("large")
    os.mkfifo(folder / "pipe")
    return folder


def later() -> datetime:
    return now_utc() + timedelta(seconds=10)


def back(top: Path, to: Path) -> Path:
    shutil.copytree(top, to / "var/www/blog", symlinks=True, copy_function=lambda a, b: shutil.copy2(a, b))
    return to


def without_pipe(top: Path) -> Path:
    (top / "pipe").unlink()
    return top


def test_what_comes_back_is_compared_with_a_bounded_sample(top: Path, tmp_path: Path) -> None:
    samples = take_samples([(top, "var/www/blog")], seed="run", now=later())
    assert 8 < len(samples) <= MOST
    assert all(sample.length <= PIECE_BYTES and sample.path.startswith("var/www/blog/") for sample in samples)
    assert not any(sample.path.endswith(("link", "pipe")) for sample in samples)
    again = samples_from(json.loads(json.dumps([asdict(sample) for sample in samples])))
    assert again == samples
    folder = back(without_pipe(top), tmp_path / "back")
    assert check_samples(samples, folder) == (len(samples), 0)
    hit = folder / samples[0].path
    known = hit.stat()
    content = bytearray(hit.read_bytes())
    content[samples[0].offset] ^= 1
    hit.write_bytes(content)
    os.utime(hit, ns=(known.st_atime_ns, known.st_mtime_ns))
    with pytest.raises(ColocError, match="came back with other contents"):
        check_samples(samples, folder)
    os.utime(hit, ns=(1, 1))  # it was written between the sample and the backup: nothing can be said
    assert check_samples(samples, folder) == (len(samples) - 1, 1)
    hit.unlink()
    assert check_samples(samples, folder) == (len(samples) - 1, 0)


def test_a_file_that_is_being_written_is_no_sample(top: Path) -> None:
    assert take_samples([(top, "var/www/blog")], seed="run", now=now_utc()) == ()


def test_an_odd_name_survives_the_manifest(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"odd \xff\nname")
    odd.write_bytes(b"x")
    samples = take_samples([(tmp_path, "srv/app")], seed="run", now=later())
    assert samples_from(json.loads(json.dumps([asdict(sample) for sample in samples]))) == samples
    assert samples[0].path == f"srv/app/{odd.name}"


@pytest.mark.parametrize("path", ["/etc/shadow", "../x", "a/../b", "a//b", ""])
def test_a_sample_that_leads_elsewhere_is_refused(path: str) -> None:
    data = {"path": path, "size": 1, "mtime_ns": 1, "offset": 0, "length": 1, "sha256": ""}
    with pytest.raises(ValueError, match="no path"):
        samples_from([data])
