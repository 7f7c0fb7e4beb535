"""What root does for quotas, in a tree of its own: agree, confirm, list traces, take it all back, also by plain sh."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent.cli import cli
from coloc.agreed import read_agreed
from coloc.times import now_utc
from helper.journal import read_confirmed
from helper.slice_files import MARK

UNDO = Path(__file__).parents[3] / "deploy" / "undo.sh"
PROJECTS = """\
projects:
  velo-club: {quotas: {cpu: 2, memory: 1G, database: 1G, allow: hard}, enforce: [cpu, database], share: 3}
  chorale: {}
apps:
  blog: {shared_by: {velo-club: 1}, folders: [/var/www/blog], user: blog, units: [blog.service]}
  wiki: {shared_by: {velo-club: 1, chorale: 1}, folders: [/var/www/wiki], user: wiki, units: [wiki.service]}
"""
LAID_OUT = {
    "coloc.slice",
    "coloc-velo\\x2dclub.slice",
    "coloc-velo\\x2dclub-blog.slice",
    "coloc-chorale.slice",
    "blog.service.d/50-coloc-agent.conf",
}


class Server:
    """A root in a folder, with its coloc.yml."""

    def __init__(self, folder: Path) -> None:
        self.root, self.config = folder / "root", folder / "coloc.yml"
        self.helper = self.root / "var/lib/coloc-agent-helper"
        self.units = self.root / "etc/systemd/system"
        for path in (self.units, self.root / "run/systemd/system.control", self.root / "var/www/blog"):
            path.mkdir(parents=True)
        (self.root / "etc/passwd").write_text("root:x:0:0::/:\nblog:x:1001:1001::/:\nwiki:x:1002:1002::/:\n")
        (self.units / "blog.service").write_text("[Service]\nExecStart=/bin/true\n")
        (self.units / "blog.service.d").mkdir()
        (self.units / "blog.service.d/10-mine.conf").write_text("[Service]\nNice=5\n")
        self.write("enforce: slices\nstage: enforce\n")

    def write(self, text: str, projects: str = PROJECTS) -> None:
        paths = f"paths: {{helper: {self.helper}, state: {self.root}/state, requests: {self.root}/requests}}\n"
        self.config.write_text(f"coloc: {{name: c}}\nroot: {self.root}\n{paths}{text}{projects}")

    def do(self, *argv: str, code: int = 0) -> Result:
        done = CliRunner().invoke(cli, ["--config", str(self.config), *argv], standalone_mode=False)
        found = getattr(done.exception, "exit_code", 1) if done.exception else done.return_value or 0
        assert found == code, (done.output, done.exception)
        return done

    def tree(self) -> dict[str, str]:
        files = (path for path in self.root.rglob("*") if path.is_file() and self.helper not in path.parents)
        return {str(path.relative_to(self.root)): path.read_text() for path in files}

    def laid_out(self) -> set[str]:
        return {str(path.relative_to(self.units)) for path in self.units.rglob("*") if "coloc" in path.name}

    def bound(self) -> None:
        """What systemd keeps of `set-property --runtime`, ours and somebody else's."""
        for name in ("coloc-velo\\x2dclub.slice", "nginx.service"):
            folder = self.root / f"run/systemd/system.control/{name}.d"
            folder.mkdir()
            (folder / "50-CPUQuota.conf").write_text("[Slice]\nCPUQuota=100%\n")

    def undo_by_command(self) -> None:
        self.do("quota", "undo", "--all")

    def undo_by_sh(self) -> None:
        env = {"PATH": os.environ["PATH"], "DESTDIR": str(self.root)}
        subprocess.run(["sh", str(UNDO)], env=env, check=True, capture_output=True, timeout=60)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["", "stage: enforce\n", "stage: enforce\nenforce:\n", "enforce: slices\n", "enforce: slices\nstage: alert\n"],
)
def test_without_asking_for_it_nothing_outside_our_own_folders_changes(server: Server, text: str) -> None:
    server.write(text, PROJECTS if "enforce: slices" in text else PROJECTS.replace(", enforce: [cpu, database]", ""))
    before = server.tree()
    assert server.do("quota", "agree").output == "nothing to change\n"
    assert server.tree() == before
    assert json.loads(server.do("traces", "--json").output) == []


def test_agreeing_lays_out_slices_with_the_weight_of_shares_and_leaves_shared_apps_alone(server: Server) -> None:
    said = server.do("quota", "agree").output
    assert "agreed.json: written" in said
    assert server.laid_out() == LAID_OUT
    assert (server.units / "blog.service.d/50-coloc-agent.conf").read_text() == (
        f"{MARK}\n[Service]\nSlice=coloc-velo\\x2dclub-blog.slice\n"
    )
    assert "CPUWeight=300\n" in (server.units / "coloc-velo\\x2dclub.slice").read_text()
    assert "CPUWeight=200\n" in (server.units / "coloc.slice").read_text()
    agreed = read_agreed(server.helper, writer=os.geteuid())
    assert agreed is not None
    assert set(agreed.projects["velo-club"].apps) == {"blog"}
    assert (server.helper / "agreed.json").stat().st_mode & 0o777 == 0o600
    assert server.do("quota", "agree").output == "nothing to change\n"


def test_a_dry_run_says_the_same_and_does_nothing(server: Server) -> None:
    before = server.tree()
    said = server.do("quota", "agree", "--dry-run").output
    assert all(line.startswith("would be: ") for line in said.splitlines())
    assert server.tree() == before
    assert not (server.helper / "agreed.json").exists()


def test_what_is_asked_for_no_longer_is_taken_away(server: Server) -> None:
    before = server.tree()
    server.do("quota", "agree")
    server.write("", PROJECTS.replace(", enforce: [cpu, database]", ""))
    assert "nothing is enforced any more" in server.do("quota", "agree").output
    assert server.tree() == before
    assert not (server.helper / "agreed.json").exists()


def test_a_file_of_somebody_else_s_is_left_alone(server: Server) -> None:
    (server.units / "coloc.slice").write_text("[Slice]\nCPUWeight=7\n")
    assert "somebody else's" in str(server.do("quota", "agree", code=1).exception)
    assert (server.units / "coloc.slice").read_text() == "[Slice]\nCPUWeight=7\n"


@pytest.mark.parametrize("undo", [Server.undo_by_command, Server.undo_by_sh])
def test_everything_is_taken_back_by_its_traces_also_when_all_memory_is_lost(
    server: Server, undo: Callable[[Server], None]
) -> None:
    before = server.tree()
    server.do("quota", "agree")
    server.bound()
    foreign = "run/systemd/system.control/nginx.service.d/50-CPUQuota.conf"
    (server.units / "coloc-mine.slice").write_text("[Slice]\n")
    (server.helper / "held.json").write_text("{damaged")
    (server.helper / "agreed.json").unlink()
    traces = json.loads(server.do("traces", "--json").output)
    assert len(traces) == len(LAID_OUT) + 1
    undo(server)
    found = server.tree()
    assert found.pop(foreign)
    assert found.pop("etc/systemd/system/coloc-mine.slice")
    assert found == before
    assert not (server.helper / "held.json").exists()
    assert json.loads(server.do("traces", "--json").output) == []
    undo(server)  # again is harmless


def test_undoing_says_beforehand_what_it_would_take_back(server: Server) -> None:
    server.do("quota", "agree")
    before = server.tree()
    assert server.do("quota", "undo", "--all", "--dry-run").output.count("would be taken back") == len(LAID_OUT)
    assert server.tree() == before
    assert "rm " in server.do("traces").output


def test_undoing_works_with_a_coloc_yml_that_cannot_be_read(server: Server) -> None:
    server.config.write_text("{")
    # The real root is looked at then, which only root may.
    done = server.do("quota", "undo", "--all", "--dry-run", code=0 if os.geteuid() == 0 else 1)
    assert done.exception is None or "only root" in str(done.exception)


def test_a_step_is_confirmed_for_what_may_be_acted_on_only(server: Server) -> None:
    server.do("quota", "agree")
    server.do("quota", "confirm", "velo-club", "database")
    server.do("quota", "confirm", "velo-club", "cpu", "--step", "hard")
    assert read_confirmed(server.helper, now_utc()) == {
        ("velo-club", "", "database", "throttle"),
        ("velo-club", "", "cpu", "hard"),
    }
    for argv in (("velo-club", "memory"), ("velo-club/blog", "cpu"), ("nobody", "cpu"), ("velo-club/wiki", "cpu")):
        assert "may not be acted on" in str(server.do("quota", "confirm", *argv, code=1).exception)
    refused = server.do("quota", "confirm", "velo-club", "cpu", "--step", "throttle", code=1)
    assert "needs no confirmation" in str(refused.exception)


def test_a_release_is_asked_of_the_daemon_for_a_project_that_is_there(server: Server) -> None:
    (server.root / "requests").mkdir()
    server.do("quota", "release", "velo-club", "--for", "2h")
    (file,) = (server.root / "requests").iterdir()
    assert json.loads(file.read_text()) == {
        "kind": "quota_release",
        "values": {"project": "velo-club", "seconds": 7200.0},
    }
    assert "did you mean 'velo-club'" in str(server.do("quota", "release", "velo", code=1).exception)
    assert "write a time span" in str(server.do("quota", "release", "velo-club", "--for", "soon", code=1).exception)
