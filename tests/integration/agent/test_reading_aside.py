"""Reading coloc.yml and the web-config file in a program of its own: same values, same words, no weight left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.demo.layout import lay_out
from agent.reading_aside import load_config_aside, read_web_config_aside
from agent.web_config import read_web_config
from coloc.command import Output, run
from coloc.config.reading import load_config
from coloc.errors import ColocError, ConfigError
from tests.fakes.waiting import until

RICH = """
coloc: {name: alsace, timezone: Europe/Paris}
listen: "[::1]:9942"
projects: {velo: {apps: [wiki], adminsys: [lea], quotas: {disk: 10 Go, cpu: {soft: 1, hard: 2}, grace: 3d}}}
apps: {wiki: {folders: [/srv/wiki], shared_by: {velo: 2}}}
adminsys: {lea: {matrix: "@lea:example.org"}}
backup: {hosts: {merle: {ssh: "ssh://a@b/./c", at: 22:30, keep: {daily: 3}}}}
channels: {console: }
rules: {disk_nearly_full: {above: 0.8, wait: 5m}}
"""
WEB = "basic_auth_users: {}\nhttp_server_config: {headers: {X-Frame-Options: deny}}\n"


def test_what_is_read_aside_is_what_is_read_here(tmp_path: Path) -> None:
    (tmp_path / "coloc.yml").write_text(RICH)
    (tmp_path / "web.yml").write_text(WEB)
    config = load_config_aside(tmp_path / "coloc.yml")
    assert config == load_config(tmp_path / "coloc.yml")
    assert (config.backup.hosts["merle"].at, config.projects["velo"].quotas.grace) == ("22:30", 3 * 86400.0)
    assert read_web_config_aside(tmp_path / "web.yml") == read_web_config(tmp_path / "web.yml")


@pytest.mark.parametrize("text", ["coloc: {nam: x}\nlisten: {port: é}\n", "a: [", "", "coloc: {name: \x07}"])
def test_mistakes_are_told_in_the_same_words(tmp_path: Path, text: str) -> None:
    path = tmp_path / "coloc.yml"
    path.write_text(text)
    with pytest.raises(ConfigError) as here:
        load_config(path)
    with pytest.raises(ConfigError) as aside:
        load_config_aside(path)
    assert (aside.value.sentence(), aside.value.exit_code) == (here.value.sentence(), 2)


def test_a_module_in_the_folder_where_we_were_started_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "coloc.yml").write_text(RICH)
    (tmp_path / "yaml.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    assert load_config_aside(tmp_path / "coloc.yml").coloc.name == "alsace"
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os; os.kill(os.getpid(), 9)", "is there memory left"),
        ("print('bm9uc2Vuc2U=')", "restart the agent after an upgrade"),  # no pickle
        ("print('gASV')", "restart the agent after an upgrade"),  # a pickle that was cut
        ("print('é')", "restart the agent after an upgrade"),
        # of a class that this version does not have
        (
            "import base64; print(base64.b64encode(b'cagent.reading_aside\\nGone\\n.').decode())",
            "restart the agent after an upgrade",
        ),
    ],
)
def test_a_reader_that_dies_or_talks_nonsense_is_one_sentence_and_no_crash(
    tmp_path: Path, code: str, words: str
) -> None:
    def another(argv: Sequence[str], **options: Any) -> Output:
        return run([sys.executable, "-c", code], **options)

    with pytest.raises(ColocError, match="could not be read") as caught:
        load_config_aside(tmp_path / "coloc.yml", run=another)
    assert words in caught.value.sentence()


def test_a_running_daemon_has_not_loaded_what_reads_files(tmp_path: Path) -> None:
    config = lay_out(tmp_path / "demo", listen="127.0.0.1:0", language="en")
    env = {"PATH": f"{config.parent / 'bin'}:{os.environ['PATH']}", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    argv = [sys.executable, "-m", "agent", "--config", str(config), "run"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=env)
    try:
        until(lambda: "agent started" in (tmp_path / "log").read_text(), seconds=120)
        process.send_signal(signal.SIGHUP)
        until(lambda: "configuration read again" in (tmp_path / "log").read_text(), seconds=120)
        mapped = Path(f"/proc/{process.pid}/maps").read_text()
        assert "libpython" in mapped or "python3" in mapped
        assert "pydantic" not in mapped
    finally:
        process.terminate()
        process.wait(60)
