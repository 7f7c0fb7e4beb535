"""The slices on disk: a unit for each project, a drop-in that lets each app's units start in it. Root lays them out.

Nobody's app is restarted for it. Every file begins with our mark: by it they are found again, whatever else was lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from coloc.agreed import Agreed, slice_name
from coloc.command import CommandFailed, Run, run
from coloc.errors import ColocError
from coloc.facts import write_whole

MARK = "# Written by coloc-agent; `coloc-agent quota undo --all` takes it away."
UNITS = Path("etc/systemd/system")
RUNTIME = Path("run/systemd/system.control")
DROP_IN = "50-coloc-agent.conf"
_OURS = re.compile(r"coloc(-[A-Za-z0-9_\\-]+)?\.slice")
_SECONDS = 60.0
BOUNDS = (
    "CPUQuota",
    "MemoryHigh",
    "MemoryMax",
    "TasksMax",
    "IOReadBandwidthMax",
    "IOWriteBandwidthMax",
)


def wanted_files(agreed: Agreed, weight: int) -> dict[Path, str]:
    """Path below the root → text; `weight`: of all projects together, beside the rest of the system."""
    if not agreed.slices:
        return {}
    files = {UNITS / "coloc.slice": _slice("all projects", weight)}
    for project, block in agreed.projects.items():
        files[UNITS / slice_name(project)] = _slice(f"project {project}", block.weight)
        for app, each in block.apps.items():
            name = slice_name(project, app)
            files[UNITS / name] = _slice(f"{app} of {project}", 100)
            for unit in each.units:
                if unit.endswith(".service"):
                    files[UNITS / f"{unit}.d" / DROP_IN] = f"{MARK}\n[Service]\nSlice={name}\n"
    return files


def found_files(root: Path) -> Iterator[Path]:
    """What of it lies on the disk, below the root: by name and mark, not by what we remember."""
    folder = root / UNITS
    for path in sorted([*folder.glob("coloc*.slice"), *folder.glob(f"*.d/{DROP_IN}")]):
        if not path.is_symlink() and _is_marked(path):
            yield path.relative_to(root)


def runtime_folders(root: Path) -> Iterator[Path]:
    """Where systemd keeps the properties that it was given for our slices until the next start of the machine."""
    for path in sorted((root / RUNTIME).glob("coloc*.slice.d")):
        if _OURS.fullmatch(path.name.removesuffix(".d")):
            yield path.relative_to(root)


def lay_out(root: Path, wanted: Mapping[Path, str], *, dry_run: bool = False) -> list[str]:
    """Write what is missing or different, remove what is wanted no longer; what was done, a sentence each."""
    said = []
    for path, text in wanted.items():
        target = root / path
        if target.is_file() and target.read_text(errors="replace") == text:
            continue
        if target.exists() and not _is_marked(target):
            raise ColocError(f"{target} is somebody else's; it was left alone", hint="move it away, then try again")
        said.append(f"{target}: written")
        if not dry_run:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, text, mode=0o644)
    for path in found_files(root):
        if path not in wanted:
            said.append(f"{root / path}: removed")
            if not dry_run:
                _remove(root / path)
    return said


def take_away(root: Path, *, run: Run | None = run) -> list[str]:
    """Every slice as systemd has it without us: bounds of now first, then files. `run` is None where no systemd runs.

    Raises ColocError.
    """
    said = []
    for folder in list(runtime_folders(root)):
        name = folder.name.removesuffix(".d")
        if run is not None:
            with suppress(CommandFailed):  # what systemd knows no longer holds nothing any more
                orders = [f"{each}=" for each in BOUNDS]
                run(["systemctl", "set-property", "--runtime", "--", name, *orders], timeout=_SECONDS)
        for path in sorted((root / folder).glob("*")):
            path.unlink()
        with suppress(FileNotFoundError):  # systemd removes an empty one by itself
            (root / folder).rmdir()
        said.append(f"{root / folder}: removed")
    for path in list(found_files(root)):
        _remove(root / path)
        said.append(f"{root / path}: removed")
    if said and run is not None:
        run(["systemctl", "daemon-reload"], timeout=_SECONDS)
    return said


def _slice(what: str, weight: int) -> str:
    kept = "CPUAccounting=yes\nMemoryAccounting=yes\nTasksAccounting=yes\nIOAccounting=yes"
    return (
        f"{MARK}\n[Unit]\nDescription=coloc-agent: {what}\n\n[Slice]\nCPUWeight={weight}\nIOWeight={weight}\n{kept}\n"
    )


def _remove(path: Path) -> None:
    path.unlink()
    if path.parent.suffix == ".d" and not any(path.parent.iterdir()):
        path.parent.rmdir()


def _is_marked(path: Path) -> bool:
    try:
        with path.open(errors="replace") as file:
            return file.readline().rstrip("\n") == MARK
    except OSError:
        return False
