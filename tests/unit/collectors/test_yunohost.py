"""What YunoHost's own files say of the house: on real trees, on every damage, and compared as YunoHost compares."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from collectors.yunohost import YunohostCollector, count_items, parse_last_run
from collectors.yunohost_versions import is_upgradable, order_of, read_catalog
from coloc.inventory.yunohost import read_inventory
from coloc.model import App, AppState, Colocation, Inventory
from tests.fakes.colocations import colocation, figures
from tests.fakes.house_files import catalog_entry, lay_out_house, put

REAL = Path(__file__).parents[2] / "captured/yunohost/real"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
APPS = colocation(App("blog", "wordpress", "Blog", version="6.9~ynh1"), App("borg", "borg", "Borg"))


def seen(root: Path, apps: Colocation | None = None) -> dict[str, float]:
    apps = apps or Colocation(read_inventory(root), (), {})
    return figures(YunohostCollector(root, zone=UTC).collect(apps, NOW))


@pytest.fixture(scope="module")
def real() -> dict[str, float]:
    return seen(REAL)


def test_the_real_diagnosis_is_counted(real: dict[str, float]) -> None:
    items = "coloc_yunohost_diagnosis_items"
    assert real[f'{items}{{category="apps",status="error"}}'] == 1
    assert real[f'{items}{{category="apps",status="warning"}}'] == 1
    assert real[f'{items}{{category="ip",status="error"}}'] == 1
    assert real[f'{items}{{category="ip",status="success"}}'] == 0
    assert real['coloc_yunohost_diagnosis_timestamp_seconds{category="ip"}'] > 0


def test_upgrades_of_the_real_catalog_are_seen(real: dict[str, float]) -> None:
    upgrades = {key: value for key, value in real.items() if key.startswith("coloc_app_upgrade_available")}
    named = {key.split('"')[1]: value for key, value in upgrades.items()}
    assert named == {"labphp": 1, "labphp__2": 1, "my_webapp": 0, "redirect": 0}


def test_files_changed_by_hand_are_those_of_the_inventory(real: dict[str, float]) -> None:
    expected = json.loads((REAL / "expected.json").read_text())["apps"]
    for app, facts in expected.items():
        if facts.get("state", "ok") == "ok":
            key = f'coloc_app_changed_files{{app="{app}",project="_none"}}'
            assert real[key] == len(facts["modified_files"])


def test_an_app_whose_backups_leave_data_out_is_told(tmp_path: Path) -> None:
    lay_out_house(tmp_path)
    apps = colocation(App("blog", "wordpress", "Blog", do_not_backup_data=True), App("nuage", "nextcloud", "N"))
    found = seen(tmp_path, apps)
    assert found['coloc_app_backup_without_data{app="blog",project="_none"}'] == 1
    assert 'coloc_app_backup_without_data{app="nuage",project="_none"}' not in found


def test_apps_that_yunohost_does_not_know_or_that_are_broken_are_left_out(tmp_path: Path) -> None:
    lay_out_house(tmp_path)
    odd = (App("site", "site", "S", declared=True), App("blog", "b", "B", state=AppState.BROKEN), App("gone", "g", "G"))
    assert not any("app=" in key for key in seen(tmp_path, colocation(*odd)))


@pytest.mark.parametrize(
    ("settings", "success", "when"),
    [
        ("state: successful\nlast_run: '261123_0230'\n", 1, 1795401000),
        ("state: failed\nlast_run: '261123_0230'\n", 0, 1795401000),
        ("state: ongoing\nlast_run: 261123_0230\n", None, None),  # YAML reads digits with _ as a number
        ("state: repository uncreated\n", None, None),
        ("state: [failed]\nlast_run: {a: 1}\n", None, None),
        ("state: successful\nlast_run: '269923_0230'\n", 1, None),
    ],
)
def test_the_app_borg_s_last_result(tmp_path: Path, settings: str, success: float | None, when: float | None) -> None:
    lay_out_house(tmp_path)
    put(tmp_path, "etc/yunohost/apps/borg/settings.yml", f"id: borg\npassphrase: secret\n{settings}")
    found = seen(tmp_path, APPS)
    assert found.get('coloc_app_borg_last_run_success{app="borg",project="_none"}') == success
    assert found.get('coloc_app_borg_last_run_timestamp_seconds{app="borg",project="_none"}') == when


FILES = {
    "var/cache/yunohost/diagnosis/services.json": "coloc_yunohost_diagnosis_items",
    "var/cache/yunohost/repo/default.json": "coloc_app_upgrade_available",
    "etc/yunohost/apps/borg/settings.yml": "coloc_app_borg_last_run_success",
}


def sparse(path: Path) -> None:
    os.truncate(path, 30 * 1024 * 1024)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def writing(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": writing(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-9][: path.stat().st_size // 2]),
    "binary": writing(b"\xff\xfe\0" * 50),
    "a list": writing(b"[]"),
    "a text": writing(b'"x"'),
    "a number": writing(b"9" * 5000),
    "deep": writing(b"[" * 200_000),
    "deep keys": writing(b'{"apps":' * 50_000),
    "wrong types": writing(b'{"items": {"status": 3}, "apps": [1], "state": {}, "last_run": []}'),
    "huge": sparse,
    "fifo": fifo,
    "loop": loop,
    "folder": folder,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_costs_its_own_series_alone(tmp_path: Path, file: str, damage: str) -> None:
    lay_out_house(tmp_path)
    DAMAGES[damage](tmp_path / file)
    found = seen(tmp_path, APPS)
    for other, family in FILES.items():
        assert any(key.startswith(family) for key in found) is (other != file), family


def test_a_damaged_file_is_a_blind_spot_until_it_is_mended(tmp_path: Path) -> None:
    lay_out_house(tmp_path)
    collector = YunohostCollector(tmp_path)
    path = put(tmp_path, "var/cache/yunohost/repo/default.json", "{")
    list(collector.collect(APPS, NOW))
    assert collector.limits() == ("/var/cache/yunohost/repo/default.json cannot be used",)
    path.write_text(json.dumps({"apps": {}}))
    list(collector.collect(APPS, NOW))
    assert collector.limits() == ()


def test_many_categories_are_one_other(tmp_path: Path) -> None:
    lay_out_house(tmp_path)
    for number in range(100):
        put(tmp_path, f"var/cache/yunohost/diagnosis/x{number}.json", '{"items": [{"status": "ERROR"}]}')
    found = seen(tmp_path, APPS)
    items = {key: value for key, value in found.items() if key.startswith("coloc_yunohost_diagnosis_items")}
    assert len(items) == 8
    assert items['coloc_yunohost_diagnosis_items{category="_other",status="error"}'] > 40


def test_of_two_catalogs_the_first_that_has_the_app_counts(tmp_path: Path) -> None:
    lay_out_house(tmp_path)
    entry = {"apps": {"wordpress": catalog_entry("99~ynh1"), "borg": catalog_entry("9~ynh1")}}
    put(tmp_path, "var/cache/yunohost/repo/other.json", json.dumps(entry))
    apps = colocation(App("blog", "wordpress", "B", version="6.10~ynh1"), App("borg", "borg", "B", version="1~ynh1"))
    found = seen(tmp_path, apps)
    assert found['coloc_app_upgrade_available{app="blog",project="_none"}'] == 0
    assert found['coloc_app_upgrade_available{app="borg",project="_none"}'] == 1


@pytest.mark.parametrize(
    "changes", [{"level": 4}, {"level": "8"}, {"level": None}, {"state": "notworking"}, {"manifest": {}}]
)
def test_an_app_that_yunohost_would_not_upgrade_is_not_told(changes: dict[str, object]) -> None:
    text = json.dumps({"apps": {"good": catalog_entry("1~ynh1"), "bad": catalog_entry("1~ynh1", **changes)}})
    assert read_catalog(text).versions == {"good": "1~ynh1"}


def test_the_kind_of_an_app_is_its_category_and_the_first_part_of_it(tmp_path: Path) -> None:
    lay_out_house(tmp_path)
    found = seen(tmp_path, colocation(App("blog__2", "wordpress", "B"), App("nuage", "nextcloud", "N")))
    assert found['coloc_app_kind{app="blog__2",base="wordpress",category="publishing/website",project="_none"}'] == 1
    assert found['coloc_app_kind{app="nuage",base="nextcloud",category="synchronization",project="_none"}'] == 1


@pytest.mark.parametrize(
    ("category", "subtags", "kind"),
    [
        ("communication", ["chat", "email"], "communication/chat"),
        ("communication", None, "communication"),
        ("communication", [{"a": 1}], "communication"),
        ("communication", ['"}\n'], "communication"),
        ("Com/../x", ["chat"], None),
        (7, ["chat"], None),
        (None, [], None),
    ],
)
def test_only_words_of_a_catalog_become_a_kind(category: object, subtags: object, kind: str | None) -> None:
    text = json.dumps({"apps": {"it": catalog_entry("1~ynh1", category=category, subtags=subtags)}})
    assert read_catalog(text).kinds == ({"it": kind} if kind else {})


def test_an_app_was_upgraded_when_its_settings_say_so_or_else_installed(tmp_path: Path) -> None:
    put(tmp_path, "etc/yunohost/apps/blog/settings.yml", "id: blog\ninstall_time: 5\nupdate_time: '9'\n")
    put(tmp_path, "etc/yunohost/apps/borg/settings.yml", "id: borg\ninstall_time: 7\nupdate_time: soon\n")
    found = seen(tmp_path, APPS)
    assert found['coloc_app_upgraded_timestamp_seconds{app="blog",project="_none"}'] == 9
    assert found['coloc_app_upgraded_timestamp_seconds{app="borg",project="_none"}'] == 7


def test_mailboxes_are_counted_when_they_hold_a_mail(tmp_path: Path) -> None:
    assert "coloc_mailboxes_used" not in seen(tmp_path, APPS)
    put(tmp_path, "var/mail/lea/new/1", "")
    put(tmp_path, "var/mail/camille/cur/1", "")
    put(tmp_path, "var/mail/noe/tmp/1", "")
    put(tmp_path, "var/mail/file", "")
    (tmp_path / "var/mail/link").symlink_to("lea/new")
    assert seen(tmp_path, APPS)["coloc_mailboxes_used"] == 2


@pytest.mark.parametrize(
    ("installed", "offered", "answer"),
    [
        ("1.9~ynh1", "1.10~ynh1", True),
        ("1.10~ynh1", "1.9~ynh9", False),
        ("1.0~ynh1", "1.0~ynh2", True),
        ("1.0~ynh10", "1.0~ynh9", False),
        ("1.0~ynh1", "1~ynh1", False),
        ("2.0rc1~ynh1", "2.0~ynh1", True),
        ("2025.05.14~ynh2", "2025.12.0~ynh1", True),
        ("?", "0.1~ynh1", True),
        ("1.0", "1.0~ynh1", True),
        ("master~ynh1", "1.0~ynh1", None),
        ("1.0~ynhx", "1.0~ynh1", None),
        (None, "1.0~ynh1", None),
        ("1.0~ynh1", None, None),
    ],
)
def test_versions_are_compared_as_yunohost_does(
    installed: str | None, offered: str | None, answer: bool | None
) -> None:
    assert is_upgradable(installed, offered) is answer


numbers = st.lists(st.integers(0, 3000).map(str), min_size=1, max_size=4).map(".".join)
ends = st.sampled_from(["", "a1", "b2", "rc1", "-rc2", ".post1", "-3", ".dev4", "rc1.dev2", "alpha", "+x.1"])
versions = st.builds("{}{}".format, numbers, ends)


@given(versions, versions)
def test_upstream_versions_are_in_the_order_of_pep_440(first: str, second: str) -> None:
    here, there = order_of(first), order_of(second)
    assert here is not None
    assert there is not None
    one, two = Version(first.split("+")[0]), Version(second.split("+")[0])
    assert (here < there, here == there) == (one < two, one == two)


@given(st.text(max_size=150))
def test_no_text_makes_a_version_raise(text: str) -> None:
    found = order_of(text)
    assert found is None or found == order_of(text)
    parse_last_run(text, UTC)


entries = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(catalog_entry("1~ynh1")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | st.just("apps"), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(entries, st.sampled_from([None, 1, "\t"]))
def test_a_catalog_read_in_passing_says_what_the_whole_says(value: object, indent: int | str | None) -> None:
    text = json.dumps(value, indent=indent)
    apps = value.get("apps", {}) if isinstance(value, dict) else None
    if isinstance(apps, dict):
        good = {app for app, entry in apps.items() if entry == catalog_entry("1~ynh1")}
        assert read_catalog(text).versions == dict.fromkeys(good, "1~ynh1")
    else:
        with pytest.raises(ValueError, match=r"no . where"):
            read_catalog(text)


@given(st.text(max_size=60) | st.text(alphabet='{}[]":,a1 \\', max_size=40).map(lambda text: '{"apps":{' + text))
def test_no_text_makes_a_catalog_or_a_diagnosis_raise_more_than_expected(text: str) -> None:
    for parse in (read_catalog, lambda it: count_items(it.encode("utf-8", "replace"))):
        try:
            parse(text)
        except ValueError:
            continue


def test_a_catalog_is_read_again_only_when_it_changed(tmp_path: Path) -> None:
    shutil.copytree(REAL / "var", tmp_path / "var")
    (tmp_path / "etc/yunohost/apps/borg").mkdir(parents=True)
    collector = YunohostCollector(tmp_path)
    apps = Colocation(Inventory({"borg": App("borg", "borg", "Borg", version="1.4.2~ynh1")}), (), {})
    first = figures(collector.collect(apps, NOW))
    assert figures(collector.collect(apps, NOW)) == first
    put(tmp_path, "var/cache/yunohost/repo/default.json", json.dumps({"apps": {"borg": catalog_entry("1.4.2~ynh1")}}))
    assert figures(collector.collect(apps, NOW)) != first
