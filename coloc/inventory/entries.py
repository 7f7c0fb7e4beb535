"""The entries of YunoHost's folder of apps: which are apps, and what each one's settings and manifest say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from coloc.inventory.documents import parse_yaml, read_document
from coloc.inventory.manifest import Manifest, read_manifest
from coloc.inventory.settings import Settings
from coloc.inventory.tree import Tree, Unreadable
from coloc.model import AppState

APPS = "/etc/yunohost/apps"
_ID = re.compile(r"(?P<base>\w[\w-]*?)(?:__(?P<number>[1-9][0-9]{0,5}))?", re.ASCII)


@dataclass(slots=True)
class Entry:
    """One app's own two files, read; `state` is what they alone say."""

    id: str
    base_id: str
    instance: int
    settings: Settings
    manifest: Manifest
    state: AppState = AppState.OK
    problems: list[str] = field(default_factory=list)

    @property
    def install_dir(self) -> str | None:
        """Where its code is; old packages call it final_path."""
        return self.settings.folder("install_dir", "final_path")

    @property
    def data_dir(self) -> str | None:
        """Where its data is; old packages call it datadir."""
        return self.settings.folder("data_dir", "datadir")


def read_entries(tree: Tree) -> tuple[dict[str, Entry], tuple[str, ...]]:
    """(apps by id, names that are no app: stray files, copies such as `wordpress.bak`)."""
    entries, not_apps = {}, []
    for name in tree.names(APPS):
        match = _ID.fullmatch(name)
        if match and tree.is_folder(f"{APPS}/{name}"):
            entries[name] = _read_entry(tree, name, match["base"], int(match["number"] or 1))
        else:
            not_apps.append(name)
    return entries, tuple(not_apps)


def _read_entry(tree: Tree, app: str, base: str, instance: int) -> Entry:
    folder = f"{APPS}/{app}"
    document = read_document(tree, f"{folder}/settings.yml", parse_yaml)
    manifest = read_manifest(tree, folder)
    entry = Entry(app, base, instance, Settings({}), Manifest())
    if not isinstance(manifest, Unreadable):
        entry.manifest = manifest
        entry.problems += manifest.problems
    else:
        entry.state = AppState.BROKEN
        entry.problems.append(f"its manifest {manifest}")
    if isinstance(document, Unreadable):
        _without_settings(tree, entry, str(document))
    elif document.get("id") == app:
        entry.settings = Settings(document)
    else:
        # YunoHost takes such settings for empty: mostly a copy that somebody made of another app's folder.
        has_id = document.get("id") is not None
        entry.state = AppState.STRAY if has_id else AppState.BROKEN
        entry.problems.append("settings.yml is another app's" if has_id else "settings.yml bears no id")
    return entry


def setting_keys(tree: Tree, app: str) -> frozenset[str]:
    """The names, never the values, of what is in its settings.yml."""
    document = read_document(tree, f"{APPS}/{app}/settings.yml", parse_yaml)
    return frozenset() if isinstance(document, Unreadable) else frozenset(document)


def _without_settings(tree: Tree, entry: Entry, reason: str) -> None:
    names = set(tree.names(f"{APPS}/{entry.id}"))
    is_gone = not names & {"settings.yml", "manifest.toml", "manifest.json"}
    entry.state = AppState.STRAY if is_gone else AppState.BROKEN
    entry.problems.append(f"settings.yml {reason}")
