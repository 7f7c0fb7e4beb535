"""The command line as a program: quick to help, one sentence and an exit code for each failure, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from agent.cli import COMMANDS, cli, main
from coloc.errors import ColocError, ConfigError, StateError

HEAVY = ("pydantic", "requests", "yaml", "psutil", "prometheus_client", "schedule", "sqlite3", "http.server", "asyncio")


def coloc_agent(*argv: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path.cwd()), **env},
        cwd=cwd,
    )


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "agent", "--help"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "click" in imported
    assert {name for name in imported if name.split(".")[0] in HEAVY or name in HEAVY} == set()
    assert {
        name for name in imported if name.startswith(("agent.commands.", "collectors", "backup", "alerts"))
    } == set()


def test_help_names_every_command() -> None:
    done = coloc_agent("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name, (_, line) in COMMANDS.items():
        assert f"  {name} " in done.stdout
        assert line in " ".join(done.stdout.split())


@pytest.mark.parametrize("argv", [["nonsense"], ["--nonsense"], ["../../etc/passwd"], ["cli"], []])
def test_wrong_usage_is_two(argv: list[str]) -> None:
    done = coloc_agent(*argv)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_file_that_cannot_be_used_is_two_and_one_sentence(tmp_path: Path) -> None:
    done = coloc_agent("--config", str(tmp_path / "gone.yml"), "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"coloc-agent: {tmp_path}/gone.yml cannot be read: No such file or directory — ")
    assert len(done.stderr.splitlines()) == 1


def test_the_file_is_found_through_the_environment(tmp_path: Path) -> None:
    path = tmp_path / "coloc.yml"
    path.write_text("coloc: {name: Bad}\nstagee: x\n")
    done = coloc_agent("run", COLOC_CONFIG=str(path))
    assert done.returncode == 2
    assert f"{path}, line 1: coloc.name" in done.stderr
    assert f"{path}, line 2: stagee" in done.stderr


def test_a_memory_that_is_damaged_is_three_and_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "state.db").write_bytes(b"nonsense" * 100)
    path = tmp_path / "coloc.yml"
    places = "".join(f"  {name}: {tmp_path}/{name}\n" for name in ("state", "facts", "journal", "requests", "wake"))
    path.write_text(f"coloc: {{name: test}}\nlisten: '127.0.0.1:0'\npaths:\n{places}")
    done = coloc_agent("--config", str(path), "run")
    assert done.returncode == 3, done.stderr
    assert "state.db is damaged" in done.stderr
    assert "Traceback" not in done.stderr


@click.command("fails")
@click.argument("how")
def _fails(how: str) -> int:
    failures: dict[str, BaseException] = {
        "coloc": ColocError("it broke", hint="mend \x1b[31mit\x07\n"),
        "config": ConfigError("bad"),
        "state": StateError("bad"),
        "usage": click.UsageError("bad"),
        "stop": KeyboardInterrupt(),
        "bug": ZeroDivisionError(),
    }
    if how in failures:
        raise failures[how]
    return int(how)


GROUP = click.Group("coloc-agent", commands=[_fails])


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ("coloc", 1, "coloc-agent: it broke — mend \\x1b[31mit\\x07\n\n"),
        ("config", 2, "coloc-agent: bad\n"),
        ("state", 3, "coloc-agent: bad\n"),
        ("usage", 2, "Error: bad\n"),
        ("stop", 130, "coloc-agent: stopped by you; nothing was left half done\n"),
        ("0", 0, ""),
        ("5", 5, ""),
    ],
)
def test_each_end_has_its_code_and_its_words(
    how: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fails", how], group=GROUP)
    assert caught.value.code == code
    said = capsys.readouterr().err
    assert said.rstrip("\n").endswith(words.rstrip("\n"))
    assert bool(said) == bool(words)


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        main(["fails", "bug"], group=GROUP)


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "agent", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    assert program.stderr is not None
    program.stdout.close()
    said = program.stderr.read()
    program.stderr.close()
    assert program.wait(timeout=30) in {0, 1}
    assert said == ""


def test_every_module_of_commands_is_a_command_and_shows_its_help() -> None:
    import agent.commands

    files = {path.stem for path in Path(agent.commands.__path__[0]).glob("*.py")} - {"__init__"}
    named = {module for module, _ in COMMANDS.values()}
    context = click.Context(cli)
    for name, (module, _) in COMMANDS.items():
        if module in files:
            command = cli.get_command(context, name)
            assert command is not None
            assert command.name == name
            assert command.get_help(click.Context(command, info_name=name))
    assert files & named
