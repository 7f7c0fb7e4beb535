"""Root's one-shot that reads quotas: which filesystems it asks, what it writes, and that it writes nothing untrue."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coloc.disk_quota import FRESH, Report, Usage, parse_report, read_report, to_text
from helper.disk_quota import ask_kernel, filesystems, main, users_of
from tests.fakes.quota_house import CountingKernel

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MOUNTS = r"""
22 28 0:21 / /proc rw,nosuid - proc proc rw
28 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,quota,usrquota
30 28 8:17 / /home/a\040b rw - xfs /dev/sdb1 rw,usrquota
31 28 8:1 /var/lib/x /mnt/bound rw - ext4 /dev/sda1 rw
32 28 8:17 / /srv/again rw - xfs /dev/sdb1 rw
33 28 0:44 / /net rw - nfs4 server:/x rw
half a line
"""


def mounted(folder: Path) -> Path:
    """A mountinfo with one filesystem: the one that the folder lies on, mounted there."""
    device = folder.stat().st_dev
    file = folder.parent / "mountinfo"
    file.write_text(f"28 1 {os.major(device)}:{os.minor(device)} / {folder} rw - ext4 /dev/x rw\n")
    return file


def test_each_filesystem_of_a_disk_is_asked_once_and_no_other() -> None:
    assert list(filesystems(MOUNTS)) == [
        (os.makedev(8, 1), Path("/")),
        (os.makedev(8, 17), Path("/home/a b")),
    ]


@given(st.text())
def test_no_mountinfo_makes_it_raise(text: str) -> None:
    assert len(list(filesystems(text))) <= len(text)


def test_it_writes_what_the_kernel_says_of_everybody_but_root(tmp_path: Path) -> None:
    tree, target = tmp_path / "tree", tmp_path / "report.json"
    tree.mkdir()
    for name, uid in (("one", 61_901), ("two", 61_902)):
        (tree / name).write_bytes(b"x" * 9000)
        os.chown(tree / name, uid, 0)
    kernel = CountingKernel(tree)
    before = datetime.now(UTC)
    assert main([str(target)], mounts=mounted(tree), next_user=kernel.next_user) == 0
    assert target.stat().st_mode & 0o777 == 0o640
    report = read_report(target, datetime.now(UTC))
    assert report is not None
    assert before <= report.at <= datetime.now(UTC)
    expected = {uid: usage for uid, usage in kernel.users().items() if uid}
    assert report.filesystems == {tree.stat().st_dev: expected}
    assert set(expected) == {61_901, 61_902}


def refuse(number: int) -> Callable[[int, int], None]:
    def answer(descriptor: int, uid: int) -> None:
        raise OSError(number, os.strerror(number))

    return answer


def test_where_quotas_are_off_no_report_is_left(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    tree = tmp_path / "tree"
    tree.mkdir()
    assert main([str(target)], mounts=mounted(tree), next_user=refuse(errno.ESRCH)) == 0
    assert not target.exists()


def test_a_kernel_that_repeats_itself_does_not_hold_it(tmp_path: Path) -> None:
    found = users_of(tmp_path.stat().st_dev, tmp_path, lambda _, uid: (61_901, Usage(1, 1)))
    assert found == {61_901: Usage(1, 1)}


def test_a_place_with_something_else_mounted_over_it_is_left_out(tmp_path: Path) -> None:
    assert users_of(tmp_path.stat().st_dev + 1, tmp_path, refuse(errno.EIO)) is None


def test_a_folder_that_is_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    kernel = CountingKernel(tree)
    assert main([str(tmp_path / "no/report.json")], mounts=mounted(tree), next_user=kernel.next_user) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_this_machine_s_own_kernel_is_asked_without_harm(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        answer = ask_kernel(descriptor, 0)
    except OSError as error:  # quotas are off here, or another's figures are refused
        assert error.errno in {errno.ESRCH, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.ENOTBLK, errno.EINVAL}
    else:
        assert answer is None or answer[1].files >= 0
    finally:
        os.close(descriptor)


@given(
    st.dictionaries(
        st.integers(0, 2**40),
        st.dictionaries(st.integers(0, 2**32), st.builds(Usage, st.integers(0, 2**60), st.integers(0, 2**40))),
        max_size=5,
    )
)
def test_what_is_written_is_what_is_read(filesystems: dict[int, dict[int, Usage]]) -> None:
    assert parse_report(to_text(Report(NOW, filesystems))) == Report(NOW, filesystems)


@given(st.text() | st.from_regex(r'\{"at": "2026-11-23T12:00:00(\+00:00)?", "filesystems": .{0,40}\}', fullmatch=True))
def test_anything_else_is_refused_and_nothing_worse(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(parse_report(text), Report)


def test_only_a_fresh_report_is_believed(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    assert read_report(file, NOW) is None
    file.write_text(to_text(Report(NOW, {7: {}})))
    file.chmod(0o640)
    for age, fresh in ((timedelta(0), True), (FRESH * 2, False), (-FRESH, False)):
        assert (read_report(file, NOW + age, writer=os.geteuid()) is not None) == fresh
