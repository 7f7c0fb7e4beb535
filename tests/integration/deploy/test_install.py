"""The installer and its opposite, below another root: what is laid out, what stays, what is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[3] / "deploy"
# An interpreter that makes a venv of two scripts: what pip does is pip's affair, and takes minutes.
PYTHON = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
  *sys.version_info*) exit "${TOO_OLD:-0}" ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && touch "$3/pyvenv.cfg" ;;
  *" wheel "*) touch "$(echo "$*" | sed "s/.*--wheel-dir \\([^ ]*\\) .*/\\1/")/coloc_agent-0.1.0-py3-none-any.whl" ;;
  *" install "*) touch "$(dirname "$0")/coloc-agent" && chmod +x "$(dirname "$0")/coloc-agent" ;;
esac
"""


class Server:
    """A root folder that things are installed below."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "server"
        self.root.mkdir()
        self.calls = folder / "calls"
        self.python = folder / "python3"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)

    def do(self, script: str, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
        more = {"DESTDIR": str(self.root), "PYTHON": str(self.python), "CALLS": str(self.calls)}
        return subprocess.run(
            ["sh", str(DEPLOY / script), *argv],
            env={**os.environ, **more, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def tree(self) -> list[str]:
        found = (path.relative_to(self.root) for path in self.root.rglob("*") if not path.is_dir() or path.is_symlink())
        return sorted(str(path) for path in found if "share/doc" not in str(path))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


LAID_OUT = [
    "etc/systemd/system/coloc-agent-agree.path",
    "etc/systemd/system/coloc-agent-agree.service",
    "etc/systemd/system/coloc-agent-backup.path",
    "etc/systemd/system/coloc-agent-backup.service",
    "etc/systemd/system/coloc-agent-drill.service",
    "etc/systemd/system/coloc-agent-drill.timer",
    "etc/systemd/system/coloc-agent-exits.service",
    "etc/systemd/system/coloc-agent-exits.socket",
    "etc/systemd/system/coloc-agent-helper.socket",
    "etc/systemd/system/coloc-agent-helper@.service",
    "etc/systemd/system/coloc-agent-quota.service",
    "etc/systemd/system/coloc-agent-quota.timer",
    "etc/systemd/system/coloc-agent-replaced.service",
    "etc/systemd/system/coloc-agent-replaced.timer",
    "etc/systemd/system/coloc-agent.service",
    "etc/sysusers.d/coloc-agent.conf",
    "etc/tmpfiles.d/coloc-agent.conf",
    "opt/coloc-agent/bin/coloc-agent",
    "opt/coloc-agent/bin/python",
    "opt/coloc-agent/pyvenv.cfg",
    "opt/coloc-agent/share/undo.sh",
    "opt/coloc-agent/share/uninstall.sh",
    "usr/local/bin/coloc-agent",
]


def test_under_yunohost_the_unit_lets_the_apps_scripts_work_and_our_hooks_go_with_us(server: Server) -> None:
    installed = server.root / "etc/yunohost/installed"
    installed.parent.mkdir(parents=True)
    installed.touch()
    hooks = [server.root / f"etc/yunohost/hooks.d/{name}" for name in ("backup_method", "pre_app_upgrade")]
    for folder in hooks:
        folder.mkdir(parents=True)
        (folder / "50-coloc_agent_hook1").touch()
        (folder / "05-borg_app").touch()
    server.do("install.sh")
    drop_in = server.root / "etc/systemd/system/coloc-agent-backup.service.d/50-yunohost.conf"
    assert drop_in.is_file()
    server.do("uninstall.sh")
    assert not drop_in.parent.exists()
    assert [[path.name for path in folder.iterdir()] for folder in hooks] == [["05-borg_app"], ["05-borg_app"]]


def test_it_lays_out_a_venv_of_its_own_units_and_a_command(server: Server) -> None:
    done = server.do("install.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert server.tree() == LAID_OUT
    assert (server.root / "usr/local/bin/coloc-agent").readlink() == Path("/opt/coloc-agent/bin/coloc-agent")
    assert (server.root / "opt/coloc-agent/share/doc/docs/restore.md").is_file()


def test_a_second_time_upgrades_and_makes_no_second_venv(server: Server) -> None:
    server.do("install.sh")
    unit = server.root / "etc/systemd/system/coloc-agent.service"
    unit.write_text("an older unit")
    assert server.do("install.sh").returncode == 0
    assert server.tree() == LAID_OUT
    assert "Type=notify" in unit.read_text()
    assert server.calls.read_text().count("-m venv") == 1
    assert server.calls.read_text().count("--force-reinstall") == 2


def test_a_command_of_somebody_else_is_not_replaced(server: Server) -> None:
    other = server.root / "usr/local/bin/coloc-agent"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    done = server.do("install.sh")
    assert done.returncode == 1
    assert "move it away" in done.stderr
    assert server.tree() == ["usr/local/bin/coloc-agent"]


def test_an_old_python_is_refused_before_anything_is_written(server: Server) -> None:
    done = server.do("install.sh", TOO_OLD="1")
    assert done.returncode == 1
    assert "3.11" in done.stderr
    assert server.tree() == []


@pytest.mark.parametrize("argv", [("--wat",), ("/nowhere.whl",)])
def test_wrong_usage_is_one_sentence(server: Server, argv: tuple[str, ...]) -> None:
    done = server.do("install.sh", *argv)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


def test_uninstalling_keeps_configuration_and_history(server: Server) -> None:
    server.do("install.sh")
    kept = [server.root / "etc/coloc-agent/coloc.yml", server.root / "var/lib/coloc-agent/state.db"]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.write_text("mine")
    done = server.do("uninstall.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert server.tree() == ["etc/coloc-agent/coloc.yml", "var/lib/coloc-agent/state.db"]
    assert server.do("uninstall.sh").returncode == 0
    assert server.do("uninstall.sh", "--purge").returncode == 0
    assert server.tree() == []


def test_uninstalling_leaves_alone_what_the_installer_did_not_make(server: Server) -> None:
    mine = server.root / "opt/coloc-agent/notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert server.do("uninstall.sh", "--purge").returncode == 0
    assert server.tree() == ["opt/coloc-agent/notes.txt"]
