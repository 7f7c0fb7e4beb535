"""`init` writes a file that `check` and the program accept; neither changes anything else, and both say what to do."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli, main
from coloc.config.reading import load_config
from tests.fakes.alertmanager import Alertmanager
from tests.fakes.daemon_page import free_port
from tests.fakes.waiting import until


def do(*argv: str) -> Result:
    return CliRunner().invoke(cli, list(argv), standalone_mode=False)


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A root folder that knows its name and its time zone."""
    root = tmp_path / "server"
    (root / "etc/yunohost").mkdir(parents=True)
    (root / "etc/yunohost/current_host").write_text("Hautepierre.example.org\n")
    (root / "etc/timezone").write_text("Indian/Reunion\n")
    return root


def test_init_writes_a_file_that_is_ours_and_works(server: Path, tmp_path: Path) -> None:
    target = tmp_path / "etc" / "coloc.yml"
    result = do("init", "--root", str(server), "--output", str(target))
    assert result.exception is None
    assert "coloc-agent check" in result.output
    assert target.stat().st_mode & 0o007 == 0
    config = load_config(target)
    assert (config.coloc.name, config.coloc.timezone, config.stage) == ("hautepierre", "Indian/Reunion", "observe")
    assert config.root == server


def test_init_on_the_server_itself_tells_how_to_make_the_accounts_on_its_databases(tmp_path: Path) -> None:
    result = do("init", "--output", str(tmp_path / "coloc.yml"))
    assert result.exception is None
    assert "coloc-agent database-accounts create" in result.output


def test_init_never_overwrites_unless_told_and_keeps_what_was_there(server: Path, tmp_path: Path) -> None:
    target = tmp_path / "coloc.yml"
    target.write_text("mine\n")
    refused = do("init", "--root", str(server), "--output", str(target))
    assert "--force" in str(getattr(refused.exception, "hint", ""))
    assert target.read_text() == "mine\n"
    assert do("init", "--root", str(server), "--output", str(target), "--force").exception is None
    assert (tmp_path / "coloc.yml.before").read_text() == "mine\n"
    assert load_config(target).coloc.name == "hautepierre"


def test_init_prints_to_a_pipe_and_writes_nothing(server: Path, tmp_path: Path) -> None:
    result = do("--config", str(tmp_path / "coloc.yml"), "init", "--root", str(server), "--output", "-")
    assert "name: hautepierre" in result.output
    assert not (tmp_path / "coloc.yml").exists()


def test_init_where_nothing_can_be_written_is_one_sentence(server: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = do("init", "--root", str(server), "--output", str(tmp_path / "file" / "coloc.yml"))
    assert "--output" in str(getattr(result.exception, "hint", ""))


def a_config(folder: Path, more: str = "") -> Path:
    for name in ("state", "facts", "journal", "requests", "wake"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    paths = ", ".join(f"{name}: {folder / name}" for name in ("state", "facts", "journal", "requests", "wake"))
    file = folder / "coloc.yml"
    (folder / "root/etc").mkdir(parents=True, exist_ok=True)
    file.write_text(
        f"coloc: {{name: hautepierre, language: en}}\nlisten: '127.0.0.1:{free_port()}'\nroot: {folder / 'root'}\n"
        f"paths: {{{paths}}}\n{more}"
    )
    return file


def test_check_says_one_line_a_point(tmp_path: Path) -> None:
    result = do("--config", str(a_config(tmp_path)), "check", "--offline")
    for subject in ("coloc.yml", "timezone", "inventory", "paths.state", "rights", "listen"):
        assert any(line.split(":")[0].endswith(subject) for line in result.output.splitlines()), subject


def test_check_counts_what_is_to_mend_and_fails(tmp_path: Path) -> None:
    more = f"stage: backup\nbackup: {{hosts: {{merle: {{path: {tmp_path / 'gone' / 'deep'}}}}}}}\n"
    result = do("--config", str(a_config(tmp_path, more)), "check")
    assert result.return_value == 1
    line = next(line for line in result.output.splitlines() if "backup.hosts.merle" in line)
    assert line.startswith("✗")
    assert "passphrase" in line
    assert result.output.splitlines()[-1].endswith("to mend")


def test_check_of_a_bad_file_tells_every_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "coloc.yml"
    file.write_text("coloc: {name: Haute Pierre}\nstage: obsrve\nlisten: here\n")
    with pytest.raises(SystemExit) as ended:
        main(["--config", str(file), "check"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    for place in ("line 1", "line 2", "line 3"):
        assert place in said


def test_check_of_a_matrix_server_that_is_away_ends_in_time(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("word\n")
    token.chmod(0o600)
    more = (
        f"channels: {{matrix: {{homeserver: 'http://127.0.0.1:{free_port()}', room: '!a:b', token_file: {token}}}}}\n"
    )
    result = do("--config", str(a_config(tmp_path, more)), "check")
    assert result.return_value == 1
    assert "channels.matrix" in result.output
    assert "word" not in result.output


def of_alertmanager(tmp_path: Path, keys: str, more: str = "") -> list[str]:
    folder = tmp_path / "here"
    folder.mkdir()
    config = a_config(folder, f"stage: alert\nalertmanager: {{{keys}}}\n{more}")
    lines = do("--config", str(config), "check").output.splitlines()
    return [line for line in lines if line[4:].startswith("alertmanager:")]


def test_check_names_the_key_of_an_address_in_clear(tmp_path: Path) -> None:
    (line,) = of_alertmanager(tmp_path, "url: 'http://am.example.org:9093'")
    assert "✗   alertmanager: alertmanager.url: this address is neither https nor on this machine" in line


def test_check_says_that_alertmanager_is_away(tmp_path: Path) -> None:
    (line,) = of_alertmanager(tmp_path, f"url: 'http://127.0.0.1:{free_port()}'")
    assert line.startswith("✗   alertmanager: no answer")


def test_check_warns_when_matrix_and_alertmanager_would_both_ring(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t\n")
    (tmp_path / "token").chmod(0o600)
    matrix = f"{{homeserver: 'http://127.0.0.1:{free_port()}', room: '!a:b', token_file: {tmp_path / 'token'}}}"
    with Alertmanager(tmp_path / "am", "http://127.0.0.1:9/") as alertmanager:
        until(lambda: _answers(alertmanager.address), what="Alertmanager")
        found = of_alertmanager(tmp_path, f"url: 'http://{alertmanager.address}'", f"channels: {{matrix: {matrix}}}\n")
    assert [line[:3].strip() for line in found] == ["ok", "!"]
    assert 'sent_by="coloc-agent"' in found[1]


def _answers(address: str) -> bool:
    host, _, port = address.partition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
        return True
    return False
