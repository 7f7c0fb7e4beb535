"""What YunoHost says and lays out, read on real outputs: a success is believed only when its results say so."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from backup.dump_spec import DumpResult
from backup.names import SYSTEM
from backup.plan import AppPlan, SourceDatabase
from backup.yunohost_call import METHOD, Yunohost, YunohostBusy, call_name, last_words, results_of
from backup.yunohost_door import NAME, Visit, open_door, visit
from backup.yunohost_hooks import texts
from backup.yunohost_night import Gathering
from backup.yunohost_tree import Entry, parse_csv, scan, whose
from coloc.command import CommandFailed, Output
from coloc.errors import ColocError
from coloc.model import App, Database, DatabaseKind

CAPTURED = Path(__file__).parents[2] / "captured/yunohost/commands"
BLOG = Database(DatabaseKind.MYSQL, "blog")
FORUM = Database(DatabaseKind.POSTGRESQL, "forum")


def captured(name: str) -> str:
    return (CAPTURED / name).read_text()


class Calls:
    """A `yunohost` that gives these answers, one after the other."""

    def __init__(self, *answers: Output) -> None:
        self.answers, self.argv = list(answers), list[list[str]]()

    def __call__(self, argv: Sequence[str], *, timeout: float, **_: Any) -> Output:
        self.argv.append(list(argv))
        assert timeout > 0
        output = self.answers.pop(0)
        if output.code:
            raise CommandFailed("yunohost", output)
        return output


def yunohost(calls: Calls, *, lock_seconds: float = 60.0) -> Yunohost:
    return Yunohost(Path("/bin/sh"), lock_seconds, 60.0, calls)


@pytest.mark.parametrize(
    ("name", "apps"),
    [
        ("backup_create_borg_labphp.json", {"labphp": "Success"}),
        ("backup_create_partial_failure.stdout", {"redirect": "Error", "labdaemon": "Success"}),
        ("quiet_backup_create.stdout", {"redirect": "Success"}),
        ("backup_unknown_method.stdout", {"redirect": "Success"}),  # so it says; the hook that never came tells more
    ],
)
def test_results_are_the_last_line(name: str, apps: dict[str, str]) -> None:
    assert results_of(captured(name))["apps"] == apps


@pytest.mark.parametrize("text", ["", "INFO Nothing", "[]", '{"results": []}', captured("app_remove.log")])
def test_what_is_no_answer_is_one_sentence(text: str) -> None:
    with pytest.raises(ColocError, match="no answer that I understand"):
        results_of(text)


def test_one_app_that_failed_is_a_failure_though_yunohost_says_0() -> None:
    calls = Calls(Output(0, captured("backup_create_partial_failure.stdout"), ""))
    with pytest.raises(ColocError, match="redirect Error"):
        yunohost(calls).back_up_app("redirect", "coloc-redirect")


def test_an_app_that_the_results_do_not_name_is_a_failure() -> None:
    calls = Calls(Output(0, captured("backup_create_borg_labphp.json"), ""))
    with pytest.raises(ColocError, match="other left out"):
        yunohost(calls).back_up_app("other", "coloc-other")


def test_system_parts_are_judged_one_by_one() -> None:
    whole = captured("backup_create_system.json")
    yunohost(Calls(Output(0, whole, ""))).back_up_system("coloc-system")
    bad = whole.replace('"data_mail": "Success"', '"data_mail": "Error"')
    with pytest.raises(ColocError, match="data_mail Error"):
        yunohost(Calls(Output(0, bad, ""))).back_up_system("coloc-system")


def test_its_lock_is_asked_for_again_and_not_for_ever() -> None:
    busy = Output(1, "", "ERROR There is already a YunoHost operation running. Please wait.")
    calls = Calls(busy, busy, Output(0, captured("backup_create_borg_labphp.json"), ""))
    yunohost(calls).back_up_app("labphp", "coloc-labphp")
    assert len(calls.argv) == 3
    assert calls.argv[0][1:3] == ["--timeout", "20"]
    with pytest.raises(YunohostBusy):
        yunohost(Calls(busy), lock_seconds=0.0).back_up_app("labphp", "coloc-labphp")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("backup_create_name_exists.stderr", "A backup archive with the name 'lab_all' already exists."),
        ("restore_installed.stderr", "The following apps can't be restored because they are already installed"),
    ],
)
def test_the_reason_is_told(name: str, words: str) -> None:
    assert last_words(Output(1, "", captured(name))).startswith(words)


def test_the_csv_is_read_as_yunohost_wrote_it() -> None:
    entries = parse_csv(captured("lab_tar_backup.csv"))
    assert entries[0] == Entry("/var/www/labphp", "apps/labphp/backup/var/www/labphp")
    assert Entry("/home/yunohost.backup/tmp/lab_tar/info.json", "info.json") in entries
    for bad in ('"relative","x"', '"/a"', '"/a","../../etc"'):
        with pytest.raises(ColocError, match="strange line"):
            parse_csv(bad)


@pytest.mark.parametrize(
    ("head", "stem", "database"),
    [
        (b"-- MariaDB dump 10.19\n--\n-- Host: localhost    Database: blog\n", "db", BLOG),
        (b"/*!999999\\- enable the sandbox mode */ \n-- MariaDB dump\n-- Host: x    Database: blog\n", "db", BLOG),
        (b"-- MySQL dump\n-- Host: localhost    Database: other\n", "blog", None),
        (b"-- MariaDB dump 10.19\n", "blog", None),
        (b"--\n-- PostgreSQL database dump\n--\n", "db", FORUM),
        (b"SELECT 1;", "db", None),
    ],
)
def test_whose_dump_it_is(head: bytes, stem: str, database: Database | None) -> None:
    assert whose(head, stem, [BLOG, FORUM]) == database


def test_a_postgresql_dump_of_one_of_several_needs_its_name() -> None:
    other = Database(DatabaseKind.POSTGRESQL, "wiki")
    head = b"-- PostgreSQL database dump\n"
    assert whose(head, "db", [FORUM, other]) is None
    assert whose(head, "wiki", [FORUM, other]) == other


@pytest.mark.parametrize(
    ("kind", "line", "leads"),
    [
        (DatabaseKind.MYSQL, "USE `other`;", True),
        (DatabaseKind.MYSQL, "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `blog`;", True),
        (DatabaseKind.MYSQL, "INSERT INTO `t` VALUES ('USE other');", False),
        (DatabaseKind.POSTGRESQL, "\\connect other", True),
        (DatabaseKind.POSTGRESQL, "SELECT 1;", False),
    ],
)
def test_a_dump_that_names_a_database_is_never_loaded(
    tmp_path: Path, kind: DatabaseKind, line: str, *, leads: bool
) -> None:
    path = tmp_path / "db.sql"
    path.write_text(f"-- head\n{line}\n-- Dump completed\n-- PostgreSQL database dump complete\n")
    result: DumpResult = scan(path, kind)
    assert (bool(result.failure), result.end_marker) == (leads, True)


def test_names_that_yunohost_takes() -> None:
    assert call_name("labphp") == "coloc-labphp"
    assert len(call_name("x" * 80)) <= 50
    assert call_name("x" * 80) != call_name("x" * 79)
    assert "__" in SYSTEM
    assert not SYSTEM.rpartition("__")[2].isdigit()  # no app can be called so


def test_our_hooks_are_found_by_our_method_and_end_as_no_app_does() -> None:
    hooks = texts(Path("/j"), ["/opt/coloc-agent/bin/coloc-agent", "backup", "before-upgrade"], 900.0)
    names = {Path(path).parent.name: Path(path).name for path in hooks}
    assert names.keys() == {"backup_method", "pre_app_upgrade"}
    assert names["backup_method"].split("-", 1)[1].startswith(f"{METHOD}_")
    for app in ("agent", "coloc", "borg", "hook", "labphp", "redirect", "my_webapp", "1"):
        assert app == "1" or not names["backup_method"].endswith(app)
    upgrade = next(text for path, text in hooks.items() if "pre_app" in path)
    assert "timeout --signal=INT --kill-after=90 810 " in upgrade
    assert upgrade.endswith("exit 0\n")
    assert [Path(path).parent.name for path in texts(Path("/j"), ["x"], 0.0)] == ["backup_method"]


def test_the_hook_waits_for_the_word_of_the_run(tmp_path: Path) -> None:
    seen: list[Visit] = []

    def answer(visitor: Visit) -> str:
        seen.append(visitor)
        return "no host has it"

    with open_door(tmp_path, answer):
        assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
        assert visit(tmp_path / NAME, ["backup", "/laid/x", "coloc-x"]) == "no host has it"
    assert seen == [Visit("backup", Path("/laid/x"), "coloc-x")]
    with pytest.raises(ColocError, match="no run of coloc-agent waits"):
        visit(tmp_path / NAME, ["backup", "/laid/x", "coloc-x"])


def test_hosts_that_want_the_same_app_share_one_call(tmp_path: Path) -> None:
    plans = [_plan("blog"), _plan("wiki")]
    calls: list[str] = []

    def call(plan: AppPlan, name: str) -> None:
        calls.append(name)
        assert visit(tmp_path / NAME, ["backup", str(tmp_path), name]) == ""

    gathering = Gathering(
        ("merle", "pie"), journal=tmp_path, name_of=call_name, call=call, look=lambda plan, _: plan, gather_seconds=60.0
    )

    def host(name: str, wanted: list[AppPlan]) -> None:
        for plan in wanted:
            with gathering.laid_out(name, plan):
                pass
        gathering.leave(name)

    threads = [threading.Thread(target=host, args=("merle", plans)), threading.Thread(target=host, args=("pie", plans))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert calls == ["coloc-blog", "coloc-wiki"]


def test_a_host_that_sleeps_holds_nobody_up_and_gets_a_call_of_its_own(tmp_path: Path) -> None:
    calls: list[str] = []

    def call(plan: AppPlan, name: str) -> None:
        calls.append(name)
        visit(tmp_path / NAME, ["backup", str(tmp_path), name])

    gathering = Gathering(
        ("merle", "asleep"),
        journal=tmp_path,
        name_of=call_name,
        call=call,
        look=lambda plan, _: plan,
        gather_seconds=0.1,
    )
    for host in ("merle", "asleep"):
        with gathering.laid_out(host, _plan("blog")):
            pass
        gathering.leave(host)
    assert calls == ["coloc-blog", "coloc-blog"]


def test_an_answer_for_another_backup_is_refused(tmp_path: Path) -> None:
    def call(plan: AppPlan, name: str) -> None:
        why = visit(tmp_path / NAME, ["backup", str(tmp_path), "coloc-other"])
        raise ColocError(f"YunoHost could not back it up: {why}")

    gathering = Gathering(
        ("merle",), journal=tmp_path, name_of=call_name, call=call, look=lambda plan, _: plan, gather_seconds=60.0
    )
    with pytest.raises(ColocError, match="did not ask for that backup"), gathering.laid_out("merle", _plan("blog")):
        pass


def _plan(app: str) -> AppPlan:
    return AppPlan(App(app, app, app), (), (), (SourceDatabase(BLOG),), (), (), ())
