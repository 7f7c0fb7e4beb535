"""Each point of the check, as a table: what is right, what is not, and that a hint says what to do."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from agent.checks import (
    Point,
    claim_points,
    config_points,
    failed,
    folder_points,
    inventory_points,
    listen_point,
    rights_points,
    secret_points,
)
from coloc.config.reading import parse_config
from coloc.config.whole import Coloc, Config
from coloc.errors import ColocError
from coloc.language import translator
from coloc.model import App, AppState, Inventory
from tests.fakes.daemon_page import free_port, serving


def config(text: str = "") -> Config:
    return parse_config(f"coloc: {{name: hautepierre}}\n{text}".encode(), "coloc.yml")


def wrong(points: list[Point]) -> dict[str, str]:
    found = {point.subject: point.sentence() for point in points if not point.ok}
    assert all(point.hint() for point in points if not point.ok)
    french = translator("fr", "commands")
    assert all(point.sentence(french) and point.hint(french) for point in points if not point.ok)
    return found


APPS = Inventory({name: App(name, name, name) for name in ("wordpress", "wordpress__2", "nextcloud")})


def test_a_good_file_has_nothing_to_mend() -> None:
    assert wrong(list(config_points(config()))) == {}


def test_a_stage_without_what_it_needs_is_told() -> None:
    assert wrong(list(config_points(config("stage: backup")))).keys() == {"backup"}
    assert wrong(list(config_points(config("stage: alert")))).keys() == {"backup", "channels"}


def test_projects_that_claim_each_app_once_are_fine() -> None:
    points = list(claim_points(config("projects: {a: {apps: ['wordpress*']}, b: {apps: [nextcloud]}}"), APPS))
    assert wrong(points) == {}


def test_a_pattern_without_app_and_an_app_of_two_are_told() -> None:
    text = "projects: {a: {apps: ['wordpress*', 'mattermost*']}, b: {apps: [wordpress]}}"
    assert wrong(list(claim_points(config(text), APPS))) == {
        "projects.a": "'mattermost*' matches no app",
        "app wordpress": "claimed by a, b",
    }


def test_an_app_that_is_shared_on_purpose_may_be_claimed_twice() -> None:
    text = "projects: {a: {apps: [nextcloud]}, b: {apps: [nextcloud]}}\napps: {nextcloud: {shared_by: {a: 1, b: 2}}}"
    assert wrong(list(claim_points(config(text), APPS))) == {}


def test_an_entry_of_an_app_that_is_gone_is_told() -> None:
    text = "projects: {a: {}}\napps: {gone: {shared_by: {a: 1}}, wiki: {folders: [/srv/wiki]}}"
    assert wrong(list(claim_points(config(text), APPS))) == {"apps.gone": "is not installed here"}


def test_broken_apps_and_strange_files_are_told() -> None:
    broken = App("blog", "blog", "Blog", AppState.BROKEN, problems=("settings.yml is not YAML",))
    points = list(inventory_points(Inventory({"blog": broken}, ("notes.txt",))))
    assert wrong(points) == {
        "app blog": "broken: settings.yml is not YAML",
        "inventory": "'notes.txt' lies among the apps and is none",
    }


@pytest.mark.parametrize(
    ("mode", "content", "words"),
    [(0o600, "word\n", ""), (0o644, "word\n", "everybody"), (0o600, "", "empty"), (None, "", "cannot be read")],
)
def test_secrets_are_files_that_are_ours_alone(tmp_path: Path, mode: int | None, content: str, words: str) -> None:
    file = tmp_path / "passphrase"
    if mode is not None:
        file.write_text(content)
        file.chmod(mode)
    points = list(secret_points(config(f"backup: {{passphrase_file: {file}}}")))
    assert len(points) == 1
    assert points[0].ok is (not words)
    assert words in points[0].sentence()
    assert "word" not in points[0].sentence().replace(words or "x", "")


def test_folders_are_there_and_closed(tmp_path: Path) -> None:
    names = ("state", "facts", "journal", "requests", "wake")
    text = "paths: {" + ", ".join(f"{name}: {tmp_path / name}" for name in names) + "}"
    assert len(wrong(list(folder_points(config(text), user_id=0)))) == 5
    for name in names:
        (tmp_path / name).mkdir(mode=0o700)
    assert wrong(list(folder_points(config(text), user_id=0))) == {}
    (tmp_path / "journal").chmod(0o750)
    (tmp_path / "facts").chmod(0o770)
    assert wrong(list(folder_points(config(text), user_id=0))).keys() == {"paths.journal", "paths.facts"}
    assert len(list(folder_points(config(text), user_id=1000))) == 3


def test_rights_are_tried_on_proc_and_on_each_settings_file(tmp_path: Path) -> None:
    proc, apps = tmp_path / "proc", tmp_path / "etc/yunohost/apps"
    rules = config(f"root: {tmp_path}")
    assert "hidepid" in wrong(list(rights_points(rules, user_id=1000, proc=proc)))["rights"]
    (proc / "1").mkdir(parents=True)
    (proc / "1/stat").write_text("")
    for app in ("blog", "nuage"):
        (apps / app).mkdir(parents=True)
        (apps / app / "settings.yml").write_text("id: x\n")
    assert wrong(list(rights_points(rules, user_id=1000, proc=proc))) == {}
    (apps / "blog/settings.yml").unlink()  # an app that is not whole is the inventory's to tell
    assert (
        wrong(list(rights_points(rules, user_id=1000, proc=proc, read=refused)))["rights"]
        == "user 1000 cannot read the settings of nuage (1)"
    )


def refused(path: Path) -> bytes:
    """What a file of root answers to others."""
    path.stat()
    raise PermissionError(path)


def test_the_address_is_free_ours_or_taken() -> None:
    free = listen_point(config(f"listen: '127.0.0.1:{free_port()}'"))
    assert (free.ok, "free" in free.sentence()) == (True, True)
    with serving() as port:
        ours = listen_point(config(f"listen: '127.0.0.1:{port}'"))
    assert (ours.ok, "the agent answers" in ours.sentence()) == (True, True)
    with serving() as port:
        theirs = listen_point(replace(config(f"listen: '127.0.0.1:{port}'"), coloc=Coloc(name="alsace")))
    assert (theirs.ok, "another colocation" in theirs.sentence()) == (False, True)
    with serving(b"<html>") as port:
        assert not listen_point(config(f"listen: '127.0.0.1:{port}'")).ok
    assert not listen_point(config("listen: '192.0.2.1:9942'")).ok


def test_an_address_that_is_taken_by_something_silent_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        os.set_inheritable(deaf.fileno(), False)
        assert not listen_point(config(f"listen: '127.0.0.1:{deaf.getsockname()[1]}'")).ok


def test_a_failure_is_shown_as_it_is_whatever_it_holds() -> None:
    point = failed("apps", ColocError("{listen} is no {0}", hint="mend {it}"))
    assert (point.sentence(), point.hint()) == ("{listen} is no {0}", "mend {it}")


def test_the_points_are_told_in_french() -> None:
    french = translator("fr", "commands")
    points = list(config_points(config("stage: alert")))
    assert points[0].hint(french) == ""
    broken = Inventory({"blog": App("blog", "blog", "Blog", AppState.BROKEN, problems=("no settings",))})
    assert list(inventory_points(broken))[1].sentence(french) == "cassée : no settings"
    assert points[0].sentence(french) == "étape alert, 0 projets, 0 hôtes de sauvegarde"
    assert "mais aucun canal n'est nommé" in points[-1].sentence(french)
    assert points[-1].hint(french) == "en ajouter un sous channels:"
