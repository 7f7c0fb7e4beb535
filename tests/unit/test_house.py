"""The rules of the house that no tool checks: who may start programs, what each file says first, what a wheel holds."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("coloc", "collectors", "backup", "alerts", "agent", "helper")
STARTERS = {"system", "popen", "fork", "forkpty", "posix_spawn", "posix_spawnp", "startfile"}
STARTER_PREFIXES = ("spawn", "exec")


def tracked() -> list[Path]:
    """The files of the project, as git knows them (new ones too, ignored ones not)."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, check=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def sources(*folders: str) -> list[Path]:
    wanted = {ROOT / folder for folder in folders}
    return [path for path in tracked() if path.suffix == ".py" and (not folders or wanted & set(path.parents))]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def starts_programs(tree: ast.AST) -> list[str]:
    """What in a module starts a program, or could."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in {"subprocess", "pty"}]
        elif isinstance(node, ast.ImportFrom):
            bad = node.module in {"subprocess", "pty"} or (
                node.module == "os" and any(is_starter(alias.name) for alias in node.names)
            )
            found += [node.module or ""] if bad else []
            bad = node.module == "asyncio" and any("subprocess" in alias.name for alias in node.names)
            found += ["asyncio"] if bad else []
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "os" and is_starter(node.attr):
                found.append(f"os.{node.attr}")
            if node.value.id == "asyncio" and "subprocess" in node.attr:
                found.append(f"asyncio.{node.attr}")
        elif isinstance(node, ast.keyword) and node.arg == "shell":
            found.append("shell=")
    return found


def is_starter(name: str) -> bool:
    return name in STARTERS or name.startswith(STARTER_PREFIXES)


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess",
        "import subprocess as s",
        "from subprocess import run",
        "import os\nos.system('x')",
        "import os\nos.popen('x')",
        "import os\nos.execvp('x', [])",
        "from os import posix_spawn",
        "import pty",
        "import asyncio\nasyncio.create_subprocess_exec('x')",
        "run('x', shell=True)",
    ],
)
def test_the_check_below_sees_every_way_to_start_a_program(code: str) -> None:
    assert starts_programs(ast.parse(code))


def test_only_one_module_starts_programs() -> None:
    guilty = {shown(path): starts_programs(ast.parse(path.read_text())) for path in sources(*PACKAGES)}
    assert {path: what for path, what in guilty.items() if what} == {"coloc/command.py": ["subprocess"]}


def test_every_file_begins_with_what_it_is_for() -> None:
    wrong = []
    for path in sources():
        first = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]
        line = path.read_text().split("\n", 1)[0]
        if len(first.split()) < 3 or not line.startswith('"""') or len(line) > 120:
            wrong.append(f"{shown(path)}: {line[:60]}")
    assert wrong == []


def test_a_package_holds_one_docstring_and_nothing_else() -> None:
    wrong = []
    for path in sources(*PACKAGES):
        if path.name == "__init__.py":
            body = ast.parse(path.read_text()).body
            if len(body) != 1 or not isinstance(body[0], ast.Expr):
                wrong.append(shown(path))
    assert wrong == []


def test_nothing_is_left_to_do_and_no_path_of_a_machine_is_written_down() -> None:
    # Written in two halves, so that this file does not hold what it looks for.
    marks = re.compile(
        "|".join((r"\bTO" + "DO\\b", r"\bFIX" + "ME\\b", r"/work" + "/", r"/tmp/w" + "t\\b", "/root/" + r"\.pyenv"))
    )
    wrong = []
    for path in tracked():
        if "captured" in path.parts or path.suffix in {".png", ".mo", ".gz"}:
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if marks.search(line):
                wrong.append(f"{shown(path)}:{number}: {line.strip()[:80]}")
    assert wrong == []


def test_the_layers_are_written_down_for_import_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert layers == ["agent", "collectors | backup | alerts", "coloc"]


def test_no_part_of_the_house_is_named_after_nothing() -> None:
    shapeless = {"utils", "util", "helpers", "common", "manager", "misc", "base"}
    assert [shown(path) for path in sources(*PACKAGES) if path.stem in shapeless] == []


def test_a_wheel_holds_the_packages_and_nothing_else(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for path in tracked():
        if path.relative_to(ROOT).parts[0] in {*PACKAGES, "pyproject.toml", "README.md", "LICENSE", ".gitignore"}:
            target = copy / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "dist"],
        cwd=copy,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        info = next(name.split("/")[0] for name in names if name.endswith(".dist-info/METADATA"))
        entry = content.read(f"{info}/entry_points.txt").decode()
    assert re.fullmatch(r"coloc_agent-[0-9.]+\.dist-info", info)
    assert {name.split("/")[0] for name in names} == {*PACKAGES, info}
    assert "coloc-agent = agent.cli:main" in entry
    in_wheel = {name for name in names if name.endswith(".py")}
    assert in_wheel == {shown(path) for path in sources(*PACKAGES)}
