"""When the kernel's count stands for a walk: an app alone under its user, where quotas are on, proven by a walk."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collectors.disk import DiskCollector
from collectors.quota_usage import QuotaUsage, usage_of
from coloc.disk_quota import Report, Usage
from coloc.model import App, Colocation
from tests.fakes.colocations import colocation, figures
from tests.fakes.quota_house import CountingKernel

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
UIDS = {"blog": 61_901, "wiki": 61_902, "twin": 61_901}
BYTES, FILES = 'coloc_app_disk_bytes{app="blog",project="_none"}', 'coloc_app_disk_files{app="blog",project="_none"}'
BY_QUOTA = 'coloc_app_disk_by_quota{app="blog",project="_none"}'
MEASURED = 'coloc_app_disk_measured_timestamp_seconds{app="blog",project="_none"}'


class Server:
    """A tree with one app, a kernel that counts, and the collector."""

    def __init__(self, folder: Path, *more: App) -> None:
        assert os.geteuid() == 0, "run it as root: it gives files to users"
        self.root, self.report = folder / "root", folder / "report.json"
        app = App("blog", "b", "B", user="blog", install_dir="/www/blog", data_dir="/data/blog")
        self.apps: Colocation = colocation(app, *more)
        for place in ("www/blog/deep", "data/blog"):
            (self.root / place).mkdir(parents=True)
        (self.root / "www/blog/deep/page").write_bytes(b"x" * 70_000)
        os.link(self.root / "www/blog/deep/page", self.root / "data/blog/same page")
        for path in (self.root / "www/blog", self.root / "www/blog/deep", self.root / "data/blog"):
            os.chown(path, UIDS["blog"], 0)
        os.chown(self.root / "www/blog/deep/page", UIDS["blog"], 0)
        quota = QuotaUsage(lambda names: {name: UIDS[name] for name in names}, self.report)
        self.collector = DiskCollector(self.root, quota=quota)

    def count(self, at: datetime) -> None:
        CountingKernel(self.root).report(self.report, at)

    def measure(self, now: datetime) -> dict[str, float]:
        return figures(self.collector.collect(self.apps, now))


def test_after_one_walk_the_kernel_s_count_stands_for_it_and_says_the_same(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.count(NOW)
    walked = server.measure(NOW)
    counted = server.measure(NOW + HOUR / 2)
    assert (walked[BY_QUOTA], counted[BY_QUOTA]) == (0, 1)
    assert counted[BYTES] == walked[BYTES] >= 70_000
    assert counted[FILES] == walked[FILES] == 4
    assert counted[MEASURED] == NOW.timestamp()
    assert server.measure(NOW + HOUR / 2) == counted


def test_what_is_written_later_is_counted_without_a_walk(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.count(NOW)
    before = server.measure(NOW)
    photo = server.root / "data/blog/photo"
    photo.write_bytes(b"x" * 40_960)
    os.chown(photo, UIDS["blog"], 0)
    server.count(NOW + HOUR)
    after = server.measure(NOW + HOUR)
    assert (after[BY_QUOTA], after[FILES] - before[FILES]) == (1, 1)
    assert after[BYTES] - before[BYTES] == photo.stat().st_blocks * 512


def test_a_file_of_somebody_else_in_the_app_means_a_walk(tmp_path: Path) -> None:
    server = Server(tmp_path)
    (server.root / "www/blog/of root").write_bytes(b"x" * 9000)
    server.count(NOW)
    assert [server.measure(NOW)[BY_QUOTA] for _ in range(2)] == [0, 0]


def test_an_old_report_means_a_walk_and_so_does_an_old_proof(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.count(NOW)
    server.measure(NOW)
    assert server.measure(NOW + 2 * HOUR)[BY_QUOTA] == 0
    server.count(NOW + 26 * HOUR)
    assert server.measure(NOW + 26 * HOUR)[BY_QUOTA] == 0
    assert server.measure(NOW + 26 * HOUR)[BY_QUOTA] == 1


def test_two_apps_of_one_user_are_walked(tmp_path: Path) -> None:
    server = Server(tmp_path, App("twin", "t", "T", user="twin", install_dir="/www/twin"))
    server.count(NOW)
    assert [server.measure(NOW)[BY_QUOTA] for _ in range(2)] == [0, 0]


def test_a_report_that_another_could_have_written_is_not_believed(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.count(NOW)
    server.measure(NOW)
    os.chown(server.report, UIDS["blog"], 0)
    assert server.measure(NOW)[BY_QUOTA] == 0
    assert "only root writes" in server.collector.limits()[0]
    os.chown(server.report, 0, 0)
    server.report.chmod(0o666)
    assert server.measure(NOW)[BY_QUOTA] == 0
    server.report.chmod(0o640)
    assert server.measure(NOW)[BY_QUOTA] == 1
    assert server.collector.limits() == ()


REPORT = Report(NOW, {7: {901: Usage(10, 2)}, 8: {901: Usage(5, 1), 902: Usage(1, 1)}})


@pytest.mark.parametrize(
    ("folders", "usage"),
    [
        ([(7, 901), (8, 901)], Usage(15, 3)),
        ([(7, 901), (7, 901)], Usage(10, 2)),
        ([(7, 902)], None),
        ([(7, 901), (9, 901)], None),
        ([(7, 901), None], None),
        ([], None),
    ],
)
def test_only_filesystems_that_hold_folders_of_the_user_count(
    folders: list[tuple[int, int] | None], usage: Usage | None
) -> None:
    assert usage_of(REPORT, 901, folders) == usage
