"""Damage of every kind costs the app that it hits, and no other; nothing raises, blocks or tells a password."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coloc.inventory.as_json import inventory_as_json
from coloc.inventory.yunohost import InventoryReader, is_yunohost
from coloc.model import AppState, Inventory
from tests.fakes.yunohost import FakeServer

NOW = datetime(2026, 11, 23, tzinfo=UTC)
CAPTURED = Path(__file__).parents[2] / "captured" / "yunohost"
SECRET = "S3cret-do-not-tell"


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _text(text: str | bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return write


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 9)}]}}\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
DAMAGE: dict[str, Callable[[Path], None]] = {
    "empty": _text(""),
    "cut": _text(f"id: victim\ndb_pwd: '{SECRET}"),
    "list": _text("[1, 2]"),
    "text": _text(SECRET),
    "python": _text(f"id: victim\nx: !!python/object/apply:os.system ['{SECRET}']"),
    "laughs": _text(LAUGHS + LAUGHS.replace("a:", "z:", 1) * 3),
    "merges": _text(MERGES),
    "deep": _text("[" * 100_000),
    "deep block": _text("- " * 100_000),
    "huge": _text("id: victim\n" + "# x\n" * 200_000),
    "binary": _text(bytes(range(256)) * 10),
    "latin": _text("id: victim\nlabel: été\n".encode("latin-1")),
    "date": _text("id: victim\nx: 2024-13-45\n"),
    "bad tag": _text("id: victim\nx: !!int ''\ny: !!bool maybe\nz: !!timestamp x\n"),
    "other id": _text("id: somebody\n"),
    "no id": _text("label: x\n"),
    "fifo": _fifo,
    "loop": _loop,
    "folder": _folder,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("kind", DAMAGE)
@pytest.mark.parametrize("file", ["settings.yml", "manifest.toml"])
def test_damage_costs_only_its_app(server: FakeServer, kind: str, file: str) -> None:
    server.app("good", label="Fine")
    folder = server.app("victim", db_pwd=SECRET)
    DAMAGE[kind](folder / file)

    inventory = InventoryReader(server.root).read(NOW)

    assert inventory.apps["good"].state is AppState.OK
    victim = inventory.apps["victim"]
    if not (file == "manifest.toml" and kind == "empty"):
        assert victim.state in (AppState.BROKEN, AppState.STRAY)
    assert victim.problems
    assert SECRET not in json.dumps(inventory_as_json(inventory)) + repr(inventory)


def test_the_folder_of_apps_holds_anything(server: FakeServer) -> None:
    server.app("good")
    apps = server.root / "etc/yunohost/apps"
    (apps / "README.txt").write_text("x")
    shutil.copytree(apps / "good", apps / "good.bak")
    shutil.copytree(apps / "good", apps / "good-old")
    (apps / "empty").mkdir()
    os.mkfifo(apps / "pipe")
    (apps / "nowhere").symlink_to("/nowhere")
    (apps / "loop").symlink_to("loop")
    (apps / os.fsdecode(b"\xff\xfe")).mkdir()
    (apps / "new\nline").mkdir()

    inventory = InventoryReader(server.root).read(NOW)

    assert {app: found.state.value for app, found in inventory.apps.items()} == {
        "good": "ok",
        "good-old": "stray",
        "empty": "stray",
    }
    assert inventory.apps["good-old"].install_dir is None
    assert set(inventory.not_apps) == {"README.txt", "good.bak", "pipe", "nowhere", "loop"}


def test_wrong_types_in_every_field(server: FakeServer) -> None:
    fields = [
        "domain",
        "path",
        "install_dir",
        "data_dir",
        "db_name",
        "redis_db",
        "port",
        "php_version",
        "label",
        "mail_user",
        "install_time",
    ]
    for number, wrong in enumerate(([], {}, [1], {"a": 1}, True, -1, 3.5, "\x00", "x" * 5000, "../..", "/", " ", None)):
        server.app(f"app{number}", **dict.fromkeys([*fields, "mail_pwd", "_permissions", "database"], wrong))

    inventory = InventoryReader(server.root).read(NOW)

    assert len(inventory.apps) == 13
    assert all(app.install_dir is None for app in inventory.apps.values())
    assert inventory.apps["app3"].problems


def test_no_yunohost_is_an_empty_inventory(tmp_path: Path) -> None:
    reader = InventoryReader(tmp_path / "nothing")

    assert reader.read(NOW) == Inventory({})
    assert not is_yunohost(tmp_path / "nothing")


SECRETS = [
    *("db_pwd", "mysqlpwd", "psqlpwd", "mail_pwd", "password", "admin_pass", "api_key", "token", "ssh_passphrase"),
    *("form_secret", "secret_word", "key_file", "passwd_admin", "macaroon_secret_key", "port_key", "port_token"),
]


def test_no_secret_leaves_the_reader(server: FakeServer, caplog: pytest.LogCaptureFixture) -> None:
    server.app("safe", **{key: f"{SECRET}-{key}" for key in SECRETS})
    reader = InventoryReader(server.root)
    told = json.dumps(inventory_as_json(reader.read(NOW))) + repr(reader.read(NOW)) + caplog.text

    assert SECRET not in told


@pytest.mark.parametrize("tree", ["fixture", "real"])
def test_no_secret_of_the_captured_trees_leaves(tree: str) -> None:
    told = repr(InventoryReader(CAPTURED / tree).read(NOW))
    for file in (CAPTURED / tree / "etc/yunohost/apps").glob("*/settings.yml"):
        try:
            values = yaml.safe_load(file.read_text())
        except yaml.YAMLError:
            continue
        words = ("pwd", "pass", "passwd", "password", "passphrase", "secret", "key", "token")
        secrets = [value for key, value in values.items() if key.endswith(words) or key.startswith(words)]
        assert not [secret for secret in secrets if len(str(secret)) > 3 and str(secret) in told]


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.dates())
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SCALARS, inner, max_size=3))
KEYS = st.sampled_from(
    [
        "domain",
        "path",
        "install_dir",
        "final_path",
        "data_dir",
        "datadir",
        "db_name",
        "database",
        "redis_db",
        "port",
        "port_x",
        "label",
        "mail_pwd",
        "mail_user",
        "mail_domain",
        "php_version",
        "phpversion",
        "_permissions",
        "install_time",
        "checksum__etc_passwd",
        "do_not_backup_data",
    ]
)
PERMISSION = st.dictionaries(
    st.sampled_from(["url", "allowed", "additional_urls", "label"]),
    VALUES | st.sampled_from(["/", "/x", "re:/y", "a.b/c", ["/a", 1, None]]),
)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.dictionaries(KEYS, VALUES), permission=PERMISSION)
def test_any_settings_are_survived(values: dict[str, object], permission: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = FakeServer(Path(folder) / "root")
        server.app("good")
        server.app("odd")
        server.settings("odd", {"_permissions": {"main": permission}, **values, "id": "odd"})

        inventory = InventoryReader(server.root).read(NOW)

        assert inventory.apps["good"].state is AppState.OK
        json.dumps(inventory_as_json(inventory))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300), place=st.integers(0, 10_000), cut=st.booleans(), which=st.integers(0, 10_000))
def test_any_bytes_anywhere_are_survived(data: bytes, place: int, cut: bool, which: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        source = CAPTURED / "real"
        for part in ("yunohost", "systemd", "php", "nginx", "cron.d", "logrotate.d", "passwd", "postfix"):
            if (source / "etc" / part).is_dir():
                shutil.copytree(source / "etc" / part, root / "etc" / part, symlinks=True)
            else:
                shutil.copy(source / "etc" / part, root / "etc" / part)
        files = sorted(path for path in (root / "etc").rglob("*") if path.is_file())
        victim = files[which % len(files)]
        old = victim.read_bytes()
        at = place % (len(old) + 1)
        victim.write_bytes(old[:at] + data + (b"" if cut else old[at:]))

        json.dumps(inventory_as_json(InventoryReader(root).read(NOW)))
