"""What would be saved: sources, what is left out, and a sentence for each app that cannot be saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from backup.plan import plan_app, plan_backup
from backup.tree import Tree
from coloc.config.reading import parse_config
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.model import App, AppState, Colocation, Database, DatabaseKind, Inventory, PhpPool

CONFIG = parse_config(b"coloc: {name: ruche}\nbackup: {exclude: ['*.tmp']}\n", "coloc.yml")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    root = tmp_path / "root"
    for folder in ("var/www/blog/data", "mnt/big/blog", "home/yunohost.app", "etc/yunohost/apps/blog", "etc/nginx"):
        (root / folder).mkdir(parents=True)
    (root / "home/yunohost.app/blog").symlink_to("/mnt/big/blog")
    (root / "mnt/big/blog/notes.db").write_bytes(b"")
    (root / "etc/nginx/blog.conf").write_text("")
    return Tree(root)


def app(**changes: object) -> App:
    values: dict[str, object] = {"install_dir": "/var/www/blog"} | changes
    return App("blog", "blog", "Blog", **values)  # type: ignore[arg-type]


def relative(tree: Tree, sources: tuple[str, ...]) -> list[str]:
    return [source.removeprefix(f"{tree.root}/./") for source in sources]


def colocation(*apps: App) -> Colocation:
    return Colocation(Inventory({each.id: each for each in apps}), (), {})


def test_a_linked_folder_is_kept_as_link_and_as_target(tree: Tree) -> None:
    plan = plan_app(CONFIG, app(data_dir="/home/yunohost.app/blog"), tree)
    assert relative(tree, plan.sources) == [
        "home/yunohost.app/blog",
        "var/www/blog",
        "mnt/big/blog",
        "etc/yunohost/apps/blog",
    ]
    assert [(each.path, each.resolved) for each in plan.folders] == [
        ("/var/www/blog", "/var/www/blog"),
        ("/home/yunohost.app/blog", "/mnt/big/blog"),
    ]


def test_sqlite_files_are_left_out_where_they_really_lie(tree: Tree) -> None:
    database = Database(DatabaseKind.SQLITE, "/home/yunohost.app/blog/notes.db")
    plan = plan_app(CONFIG, app(data_dir="/home/yunohost.app/blog", databases=(database,)), tree)
    real = f"pf:{tree.root}/mnt/big/blog/notes.db"
    assert plan.exclude == (real, f"{real}-wal", f"{real}-shm", f"{real}-journal", "*.tmp")
    assert plan.databases[0].path == "/mnt/big/blog/notes.db"
    assert plan.excluded == ("/mnt/big/blog/notes.db: in an archive of its own", "*.tmp")


def test_settings_of_web_server_and_php_come_along_when_they_are_there(tree: Tree) -> None:
    it = app(
        nginx_conf=("/etc/nginx/blog.conf", "/etc/nginx/gone.conf"),
        php_pools=(PhpPool("/etc/php/8.2/fpm/pool.d/blog.conf", "blog", "blog"),),
        services=("blog",),
    )
    assert plan_app(CONFIG, it, tree).extra_paths == ("etc/yunohost/apps/blog", "etc/nginx/blog.conf")


def test_a_folder_inside_another_is_saved_once(tree: Tree) -> None:
    plan = plan_app(CONFIG, app(data_dir="/var/www/blog/data"), tree)
    assert relative(tree, plan.sources) == ["var/www/blog", "etc/yunohost/apps/blog"]
    assert len(plan.folders) == 2


def test_a_declared_app_has_no_settings_of_yunohost(tree: Tree) -> None:
    assert relative(tree, plan_app(CONFIG, app(declared=True), tree).sources) == ["var/www/blog"]


def test_data_that_its_owner_does_not_want_saved(tree: Tree) -> None:
    plan = plan_app(CONFIG, app(data_dir="/home/yunohost.app/blog", do_not_backup_data=True), tree)
    assert [each.path for each in plan.folders] == ["/var/www/blog"]
    assert "do_not_backup_data" in plan.excluded[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data_dir": "/home/gone"}, "its folder /home/gone does not exist — is a disk not mounted"),
        ({"state": AppState.BROKEN, "problems": ("settings.yml is not YAML",)}, "broken: settings.yml is not YAML"),
        ({"databases": (Database(DatabaseKind.SQLITE, "/gone.db"),)}, "its database /gone.db does not exist"),
        ({"install_dir": "/var/www"}, "which is not its own"),
        ({"install_dir": "/../../.."}, "which is not its own"),
        ({"install_dir": None, "state": AppState.BROKEN}, "its settings cannot be read"),
    ],
)
def test_what_cannot_be_saved_is_a_failure_in_a_sentence(tree: Tree, changes: dict[str, object], words: str) -> None:
    plan = plan_backup(CONFIG, colocation(app(**changes)), tree)
    assert plan.apps == ()
    assert words in plan.failed[0].why


def test_an_id_that_is_a_path_is_refused(tree: Tree) -> None:
    hostile = App("../../x", "x", "X", install_dir="/var/www/blog")
    assert "cannot be backed up under that id" in plan_backup(CONFIG, colocation(hostile), tree).failed[0].why


def test_redirects_and_leftovers_are_skipped_with_a_word(tree: Tree) -> None:
    redirect, stray = App("r", "r", "R"), App("s", "s", "S", state=AppState.STRAY, install_dir="/var/www/s")
    half = App("half", "half", "half", state=AppState.PARTIAL)
    plan = plan_backup(CONFIG, colocation(redirect, stray, half), tree)
    assert [(each.app, each.why) for each in plan.skipped] == [
        ("half", "it has neither folders nor databases of its own"),
        ("r", "it has neither folders nor databases of its own"),
        ("s", "leftovers of an app that is gone"),
    ]
    assert plan.failed == ()


def test_an_app_that_is_asked_for_by_name_is_not_skipped_in_silence(tree: Tree) -> None:
    plan = plan_backup(CONFIG, colocation(App("r", "r", "R")), tree, only=["r"])
    assert plan.failed[0].why == "r has nothing to save — name its folders or databases in apps: of coloc.yml"


def test_an_unknown_name_is_told_with_the_known_ones(tree: Tree) -> None:
    with pytest.raises(ColocError) as caught:
        plan_backup(CONFIG, colocation(app()), tree, only=["blgo"])
    assert caught.value.sentence() == "there is no app 'blgo' here — the apps are: blog"


def test_links_never_lead_out_of_the_root(tree: Tree) -> None:
    (tree.root / "up").symlink_to("../../../../etc")
    (tree.root / "loop").symlink_to("/loop")
    assert tree.resolve("/up/nginx/blog.conf") == "/etc/nginx/blog.conf"
    assert tree.resolve("/loop") is None
    assert tree.resolve("/var/../../../etc/nginx") == "/etc/nginx"


def test_the_real_root_gives_plain_paths() -> None:
    assert Tree(Path("/")).source("/var/www/blog") == "/./var/www/blog"


def test_the_config_of_these_tests_is_real() -> None:
    assert isinstance(CONFIG, Config)
