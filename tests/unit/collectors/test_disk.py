"""What counts as an app's disk space, and what a walk does when it is refused, late or disturbed."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from collectors.disk import DiskCollector, Walk
from collectors.filesystems import FilesystemsCollector
from collectors.paths import below
from coloc.model import App, Colocation
from tests.fakes.colocations import colocation, figures

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHARES = {"blog": {"chorale": 1.0}, "wiki": {"velo": 1.0}}


def server(root: Path, *apps: App) -> Colocation:
    for app in apps:
        for folder in app.folders:
            (root / folder.strip("/")).mkdir(parents=True, exist_ok=True)
    return colocation(*apps, shares=SHARES)


def measure(root: Path, apps: Colocation) -> dict[str, float]:
    return figures(DiskCollector(root).collect(apps, NOW))


def du(*folders: Path, count: str = "--block-size=1") -> int:
    output = subprocess.run(["du", "-sx", count, "-c", *folders], capture_output=True, check=True, text=True)
    return int(output.stdout.splitlines()[-1].split("\t")[0])


def test_it_agrees_with_du_on_hard_links_sparse_files_and_links(tmp_path: Path) -> None:
    apps = server(tmp_path, App("blog", "b", "B", install_dir="/www/blog", data_dir="/data/blog"))
    code, data = tmp_path / "www/blog", tmp_path / "data/blog"
    (code / "deep/er").mkdir(parents=True)
    (code / "deep/er/page").write_bytes(b"x" * 70_000)
    os.link(code / "deep/er/page", data / "same page")
    with (data / "sparse").open("wb") as file:
        file.truncate(50_000_000)
    (data / "out").symlink_to("/usr")
    (data / "é\udcff bad name").write_bytes(b"x" * 5000)
    seen = measure(tmp_path, apps)
    assert seen['coloc_app_disk_bytes{app="blog",project="chorale"}'] == du(code, data)
    assert seen['coloc_app_disk_files{app="blog",project="chorale"}'] == du(code, data, count="--inodes") == 8
    assert seen['coloc_app_disk_measured_timestamp_seconds{app="blog",project="chorale"}'] == NOW.timestamp()


def test_a_data_folder_inside_the_app_s_own_counts_once(tmp_path: Path) -> None:
    apps = server(tmp_path, App("blog", "b", "B", install_dir="/www/blog", data_dir="/www/blog/data"))
    (tmp_path / "www/blog/data/photo").write_bytes(b"x" * 90_000)
    assert measure(tmp_path, apps)['coloc_app_disk_bytes{app="blog",project="chorale"}'] == du(tmp_path / "www/blog")


def test_an_app_inside_another_s_folder_is_its_own(tmp_path: Path) -> None:
    blog, wiki = App("blog", "b", "B", install_dir="/www"), App("wiki", "w", "W", install_dir="/www/wiki")
    apps = server(tmp_path, blog, wiki)
    (tmp_path / "www/wiki/page").write_bytes(b"x" * 90_000)
    seen = measure(tmp_path, apps)
    assert seen['coloc_app_disk_bytes{app="wiki",project="velo"}'] == du(tmp_path / "www/wiki")
    both = sum(value for name, value in seen.items() if name.startswith("coloc_app_disk_bytes"))
    assert both == du(tmp_path / "www")


def test_what_else_is_mounted_inside_a_folder_is_not_entered(tmp_path: Path) -> None:
    walk = Walk([])
    elsewhere = next(path for path in (Path("/proc"), Path("/sys")) if path.is_dir())
    assert elsewhere.stat().st_dev != tmp_path.stat().st_dev
    assert walk.run([tmp_path], time.monotonic() + 5)
    before = walk.files
    assert walk.enter(str(elsewhere)) == []
    assert walk.files == before


def test_links_of_a_tree_stay_in_the_tree(tmp_path: Path) -> None:
    (tmp_path / "mnt/disk").mkdir(parents=True)
    (tmp_path / "home").symlink_to("/mnt/disk")
    (tmp_path / "loop").symlink_to("loop")
    assert below(tmp_path, "/home/x") == tmp_path / "mnt/disk/x"
    assert below(tmp_path, "/../../etc") == tmp_path / "etc"
    assert below(tmp_path, "/loop/x").is_relative_to(tmp_path)


def test_a_refused_folder_makes_the_sums_absent_rather_than_too_small(tmp_path: Path) -> None:
    blog, wiki = App("blog", "b", "B", install_dir="/www/blog"), App("wiki", "w", "W", install_dir="/www/wiki")
    apps = server(tmp_path, blog, wiki)
    collector = DiskCollector(tmp_path, walk=lambda skip: RefusedWalk(skip, tmp_path / "www/blog"))
    seen = figures(collector.collect(apps, NOW))
    assert 'coloc_app_disk_bytes{app="blog",project="chorale"}' not in seen
    assert 'coloc_project_disk_bytes{project="chorale"}' not in seen
    assert 'coloc_app_disk_bytes{app="wiki",project="velo"}' in seen
    assert seen["coloc_disk_unreadable_folders"] == 1
    assert any("blog" in sentence for sentence in collector.limits())


def test_as_another_user_it_says_what_it_is_refused(tmp_path: Path) -> None:
    apps = server(tmp_path, App("blog", "b", "B", install_dir="/www/blog"))
    collector, filesystems = DiskCollector(tmp_path), FilesystemsCollector(tmp_path / "www")
    (tmp_path / "www").chmod(0o700)
    assert os.geteuid() == 0, "run it as root: it plays another user"
    os.seteuid(65534)
    try:
        seen = figures(collector.collect(apps, NOW))
        assert figures(filesystems.collect(apps, NOW)) == {}
    finally:
        os.seteuid(0)
    assert seen["coloc_disk_unreadable_folders"] == 1
    assert not [name for name in seen if "blog" in name]
    assert collector.limits() == ("folders of blog cannot be read, so their disk use is unknown: run as root",)


class RefusedWalk(Walk):
    """Root is refused nothing, so that a test has to play it."""

    def __init__(self, skip: list[Path], refused: Path) -> None:
        super().__init__(skip)
        self._refused = str(refused)

    def enter(self, folder: str) -> list[str]:
        if folder == self._refused:
            raise PermissionError(folder)
        return super().enter(folder)


def test_a_folder_that_vanishes_is_not_refused(tmp_path: Path) -> None:
    walk = Walk([])
    assert walk.run([tmp_path / "gone"], time.monotonic() + 5)
    assert walk.unreadable == 0


def test_apps_that_the_budget_leaves_out_keep_their_measure_and_come_first(tmp_path: Path) -> None:
    apps = server(
        tmp_path, App("blog", "b", "B", install_dir="/www/blog"), App("wiki", "w", "W", install_dir="/www/wiki")
    )
    walked: list[Path] = []
    budget = [1]

    class CountedWalk(Walk):
        def run(self, folders: object, end: float) -> bool:
            if budget[0] == 0:
                return False
            budget[0] -= 1
            walked.extend(folders)  # type: ignore[arg-type]
            return super().run(folders, end)  # type: ignore[arg-type]

    collector = DiskCollector(tmp_path, walk=CountedWalk)
    first = figures(collector.collect(apps, NOW))
    assert 'coloc_app_disk_bytes{app="wiki",project="velo"}' not in first
    budget[0] = 1
    second = figures(collector.collect(apps, NOW))
    assert [folder.name for folder in walked] == ["blog", "wiki"]
    assert {
        'coloc_app_disk_bytes{app="wiki",project="velo"}',
        'coloc_app_disk_bytes{app="blog",project="chorale"}',
    } <= set(second)


def test_a_walk_ends_when_its_time_is_over(tmp_path: Path) -> None:
    assert not Walk([]).run([tmp_path], time.monotonic() - 1)


def test_only_the_walking_thread_becomes_nicer(tmp_path: Path) -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def walk() -> None:
        list(DiskCollector(tmp_path).collect(colocation(), NOW))
        found.append(priority())

    before, found = priority(), list[int]()
    walking = threading.Thread(target=walk)
    walking.start()
    walking.join()
    walk()
    assert found == [19, before]


def test_the_walking_thread_has_the_disk_only_when_nobody_else_wants_it(tmp_path: Path) -> None:
    def walk() -> None:
        list(DiskCollector(tmp_path).collect(colocation(), NOW))
        found.append(subprocess.check_output(["ionice", "-p", str(threading.get_native_id())], text=True))

    found: list[str] = []
    walking = threading.Thread(target=walk)
    walking.start()
    walking.join()
    assert found == ["idle\n"]
