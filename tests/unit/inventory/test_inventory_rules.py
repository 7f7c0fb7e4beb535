"""Each rule by which a file of the server is given to an app, on small trees made for it."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from coloc.inventory.yunohost import InventoryReader
from coloc.model import App, AppState, Database, DatabaseKind
from tests.fakes.yunohost import FakeServer

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def read(server: FakeServer) -> dict[str, App]:
    return dict(InventoryReader(server.root).read(NOW).apps)


def unit(**lines: str) -> str:
    return "[Service]\n" + "".join(f"{key}={value}\n" for key, value in lines.items())


def test_units_go_to_their_app_by_trust(server: FakeServer) -> None:
    for app in ("wordpress", "wordpress__2", "wordpress-foo"):
        server.app(app)
    systemd = "/etc/systemd/system"
    server.noted("wordpress__2", f"{systemd}/wordpress-odd.service", unit(User="wordpress"))  # 1 beats 2
    server.write(f"{systemd}/push.service", unit(User="wordpress", ExecStart="/var/www/wordpress-foo/x"))  # 2 beats 3
    server.write(f"{systemd}/wordpress-job.service", unit(ExecStart="-/var/www/wordpress__2/bin/x --y"))  # 3 beats 4
    server.write(f"{systemd}/wordpress-foo-bar.service", unit(ExecStart="/usr/bin/true"))  # 4, the longest id
    server.write(f"{systemd}/wordpress__2-bar.service", unit(ExecStart="/usr/bin/true"))
    server.write(f"{systemd}/wordpress_ldap.service", unit(User="root", ExecStart="/usr/bin/true"))
    server.write(f"{systemd}/wordpress__3.service", unit(ExecStart="/usr/bin/true"))  # an instance that is gone
    server.write(f"{systemd}/wordpressish.service", unit(ExecStart="/usr/bin/true"))

    apps = read(server)

    assert apps["wordpress"].services == ("push", "wordpress_ldap")
    assert apps["wordpress__2"].services == ("wordpress-job", "wordpress-odd", "wordpress__2-bar")
    assert apps["wordpress-foo"].services == ("wordpress-foo-bar",)
    assert apps["wordpress__2"].instance == 2
    assert apps["wordpress__2"].base_id == "wordpress"


def test_an_alias_of_a_system_unit_is_no_app_s(server: FakeServer) -> None:
    server.app("ssh")
    server.write("/lib/systemd/system/real.service", unit(User="ssh"))
    (server.root / "etc/systemd/system/ssh-x.service").symlink_to("/lib/systemd/system/real.service")
    (server.root / "etc/systemd/system/real.service").symlink_to("/lib/systemd/system/real.service")

    assert read(server)["ssh"].services == ("real",)


def test_declared_services_of_a_gone_unit_and_of_the_system(server: FakeServer) -> None:
    server.app("galene")
    server.write("/usr/share/yunohost/conf/yunohost/services.yml", "nginx: {}\ngalene-base: {}\n")
    server.write(
        "/etc/yunohost/services.yml",
        "galene: {log: /var/log/galene/x.log}\ngalene_ldap: {log: [/var/log/ldap-galene/]}\n"
        "nginx: {log: /x/y}\ngalene-base: {}\ngalene-out: null\n",
    )

    app = read(server)["galene"]

    assert app.services_declared == ("galene", "galene_ldap")
    assert app.services == ()
    assert app.log_dirs == ("/var/log/galene", "/var/log/ldap-galene")


def test_pools_by_account_and_by_file(server: FakeServer) -> None:
    server.app("blog", php_version="8.3")
    server.app("my_webapp", phpversion="none")
    server.write("/etc/php/7.4/fpm/pool.d/blog.conf", "[blog]\nuser = $pool\n")
    server.write("/etc/php/8.3/fpm/pool.d/other.conf", "; [no]\n[global]\nx = y\n[other]\nuser = blog ; me\n")
    server.write("/etc/php/8.3/fpm/pool.d/www.conf", "[www]\nuser = www-data\n")

    apps = read(server)

    assert [(pool.file, pool.pool, pool.user) for pool in apps["blog"].php_pools] == [
        ("/etc/php/7.4/fpm/pool.d/blog.conf", "blog", "blog"),
        ("/etc/php/8.3/fpm/pool.d/other.conf", "other", "blog"),
    ]
    assert apps["blog"].php_version == "8.3"
    assert apps["my_webapp"].php_version is None


def test_an_old_package_with_its_own_names(server: FakeServer) -> None:
    folder = server.app(
        "z-push",
        install_dir=None,
        final_path="/opt/push/",
        datadir="/srv/push",
        mysqlpwd="x" * 24,
        port="4000",
        ws_port="4001",
        phpversion="7.4",
        _permissions={"main": {"url": "/", "allowed": "all_users"}},
    )
    server.write("/opt/push/index.php", "")
    (folder / "manifest.toml").unlink()
    (folder / "manifest.json").write_text('{"packaging_format": 1, "name": "Z-Push", "version": "2.6"}')
    server.users.remove("z-push")
    server.account("pusher")
    server.write("/etc/systemd/system/z-push.service", unit(User="pusher"))

    app = read(server)["z-push"]

    assert (app.install_dir, app.data_dir, app.user) == ("/opt/push", "/srv/push", "pusher")
    assert app.databases == (Database(DatabaseKind.MYSQL, "z_push"),)
    assert app.ports == {"main": 4000, "ws": 4001}
    assert (app.label, app.version, app.upstream_version, app.packaging_version) == ("Z-Push", "2.6", "2.6", 1)
    assert app.permissions == {"main": ("all_users",)}
    assert app.state is AppState.OK
    assert app.problems == ()


def test_a_database_s_kind(server: FakeServer) -> None:
    resource = 'packaging_format = 2\nname = "x"\nversion = "1"\n[resources.database]\ntype = "postgresql"\n'
    server.app("gitea", manifest=resource, db_name="gitea", mysqlpwd="left over")
    server.app("site", database="postgresql", db_name="site", db_pwd="p")
    server.app("none", database="none", password="p")
    server.app("odd", db_name="odd")
    server.app("seen", db_name="seen")
    (server.root / "var/lib/mysql/seen").mkdir(parents=True)

    apps = read(server)

    assert apps["gitea"].databases == (Database(DatabaseKind.POSTGRESQL, "gitea"),)
    assert apps["site"].databases == (Database(DatabaseKind.POSTGRESQL, "site"),)
    assert apps["none"].databases == ()
    assert apps["odd"].databases == ()
    assert apps["odd"].problems
    assert apps["seen"].databases == (Database(DatabaseKind.MYSQL, "seen"),)


def test_sqlite_files_are_found_by_their_first_bytes(server: FakeServer) -> None:
    server.app("vault", data_dir="/home/yunohost.app/vault")
    server.app("inner", install_dir="/var/www/vault/inner")
    for path in ("mnt/disk/vault/db.anything", "var/www/vault/inner/x.db"):
        (server.root / path).parent.mkdir(parents=True, exist_ok=True)
        with sqlite3.connect(server.root / path) as connection:
            connection.execute("create table t (a)")
        connection.close()
    server.write("/mnt/disk/vault/fake.sqlite", b"x" * 1024)
    (server.root / "home/yunohost.app").mkdir(parents=True)
    (server.root / "home/yunohost.app/vault").symlink_to("/mnt/disk/vault")

    apps = read(server)

    assert apps["vault"].databases == (Database(DatabaseKind.SQLITE, "/home/yunohost.app/vault/db.anything"),)
    assert apps["inner"].databases == (Database(DatabaseKind.SQLITE, "/var/www/vault/inner/x.db"),)


def test_urls_of_other_domains_and_patterns(server: FakeServer) -> None:
    server.domain("big.test")
    permissions = {
        "main": {"url": "/", "additional_urls": ["/inside", "big.test/out/", "re:big.test/x.*"], "allowed": []},
        "api": {"url": "/api", "allowed": ["visitors"]},
        "login": {"url": "/login.php", "allowed": ["admins"]},
        "well": {"url": "re:/.well-known/.*", "allowed": []},
        "gone": {"url": None, "allowed": None},
    }
    server.app("talk", path="/talk", _permissions=permissions)

    app = read(server)["talk"]

    assert app.urls == ("coloc.test/talk", "coloc.test/talk/api", "big.test/out")
    assert set(app.permissions) == {"main", "api", "login", "well", "gone"}


def test_nginx_files_of_the_app_not_of_its_past(server: FakeServer) -> None:
    server.domain("old.test")
    server.app("talk")
    server.app("talk-more")
    nginx = "/etc/nginx/conf.d"
    for path in (
        "coloc.test.d/talk.conf",
        "coloc.test.d/talk.d/a.conf",
        "old.test.d/talk.conf",
        "lost.test.d/talk.conf",
    ):
        server.write(f"{nginx}/{path}", "")
    server.write(f"{nginx}/old.test.d/talk_server_name.conf", "")
    server.write(f"{nginx}/old.test.d/talk-more_x.conf", "")
    server.noted("talk", f"{nginx}/old.test.d/zzz.conf", "")

    inventory = InventoryReader(server.root).read(NOW)

    assert inventory.apps["talk"].nginx_conf == (
        f"{nginx}/coloc.test.d/talk.conf",
        f"{nginx}/coloc.test.d/talk.d/a.conf",
        f"{nginx}/old.test.d/talk_server_name.conf",
        f"{nginx}/old.test.d/zzz.conf",
    )
    assert inventory.apps["talk-more"].nginx_conf == (f"{nginx}/old.test.d/talk-more_x.conf",)
    assert inventory.domains == ("coloc.test", "old.test")


def test_the_mail_right_is_a_password_and_a_domain(server: FakeServer) -> None:
    server.app("a", mail_pwd="p")
    server.app("b", mail_pwd="p", domain=None, path=None)
    server.app("c", mail_pwd="p", mail_user="contact", mail_domain="big.test")
    server.app("d")

    apps = read(server)

    assert {app: apps[app].mail_sender for app in "abcd"} == {
        "a": "a@coloc.test",
        "b": None,
        "c": "contact@big.test",
        "d": None,
    }
    assert [apps[app].mail_allowed for app in "abcd"] == [True, False, True, False]


def test_changed_files_whose_keys_are_ambiguous(server: FakeServer) -> None:
    server.app("my_webapp")
    same, other = "/var/www/my_webapp/a_b/c d.txt", "/etc/my_webapp/x_y.conf"
    server.noted("my_webapp", same, "one")
    server.noted("my_webapp", other, "two")
    server.noted("my_webapp", "/etc/my_webapp/gone.conf", "three")
    (server.root / "etc/my_webapp/gone.conf").unlink()
    server.write(other, "changed")

    assert read(server)["my_webapp"].modified_files == (other,)


def test_cron_by_name_account_and_checksum(server: FakeServer) -> None:
    server.app("blog")
    server.app("blog-more")
    server.write("/etc/cron.d/blog", "0 3 * * * root /bin/true\n")
    server.write("/etc/cron.d/blog-more_daily", "@daily root /bin/true\n")
    server.write("/etc/cron.d/nightly", "# x\n0 3 * * * blog /bin/true\n")
    server.write("/etc/cron.d/blog.bak", "0 3 * * * blog /bin/true\n")

    apps = read(server)

    assert apps["blog"].cron == ("/etc/cron.d/blog", "/etc/cron.d/nightly")
    assert apps["blog-more"].cron == ("/etc/cron.d/blog-more_daily",)


def test_labels_and_numbers(server: FakeServer) -> None:
    main = {"url": "/", "allowed": []}
    server.app("a", label="Mine", _permissions={"main": {**main, "label": "Chosen"}})
    server.app("b", label="Mine")
    server.app("c", label=2026, redis_db="3", do_not_backup_data="1")
    server.app("d", redis_db=0, do_not_backup_data="0")

    apps = read(server)

    assert [apps[app].label for app in "abcd"] == ["Chosen", "Mine", "2026", "d"]
    assert (apps["c"].redis_db, apps["c"].do_not_backup_data) == (3, True)
    assert (apps["d"].redis_db, apps["d"].do_not_backup_data) == (0, False)


def test_the_host_is_never_read(server: FakeServer, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yml"
    outside.write_text("id: evil\nlabel: Outside\n")
    folder = server.app("evil")
    (folder / "settings.yml").unlink()
    (folder / "settings.yml").symlink_to("../../../../../../../../../" + str(outside))
    server.app("good")
    settings = server.root / "etc/yunohost/apps/good/settings.yml"
    settings.rename(server.root / "kept.yml")
    settings.symlink_to("/a/b/kept.yml")
    (server.root / "a").symlink_to("/")
    (server.root / "b").symlink_to("../../..")
    (server.root / "etc/passwd").write_text("")

    apps = read(server)

    assert apps["evil"].state is AppState.BROKEN
    assert apps["good"].state is AppState.OK
    assert apps["good"].user is None


def test_a_file_of_the_admin_makes_no_domain(server: FakeServer) -> None:
    server.write("/etc/nginx/conf.d/gzip.tuning.conf", "gzip on;\n# server_names are elsewhere\n")
    server.write("/etc/nginx/conf.d/bare.test.conf", "server {\n    server_name bare.test;\n}\n")
    server.write("/etc/nginx/conf.d/empty.test.conf", "")
    server.write("/etc/nginx/conf.d/empty.test.d/x.conf", "")

    assert InventoryReader(server.root).read(NOW).domains == ("bare.test", "coloc.test", "empty.test")


def test_names_that_a_program_could_misread_are_told_and_left_out(server: FakeServer) -> None:
    names = ("--all-databases", "../mysql", "a b", "x" * 65, "a;b")
    for number, name in enumerate(names):
        server.app(f"app{number}", db_name=name, mysqlpwd="p")
    more: dict[str, Any] = {"port_\x1b[31m": 8080, "port_ws": "8081"}
    server.app("fine", db_name="wordpress__2", mysqlpwd="p", **more)

    apps = read(server)

    assert all(apps[f"app{number}"].databases == () for number in range(len(names)))
    assert all(apps[f"app{number}"].problems for number in range(len(names)))
    assert apps["fine"].databases == (Database(DatabaseKind.MYSQL, "wordpress__2"),)
    assert apps["fine"].ports == {"ws": 8081}
