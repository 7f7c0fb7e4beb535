"""Reads an app's settings.yml and manifest, whatever state they are in. Values of a wrong type are absent.

The whole of settings.yml stays here: it is full of secrets, and errors never quote it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from coloc.inventory.root import Root

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """A file as a mapping; `problem` says why it is not one, `missing` that it is not there at all."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    problem: str = ""
    missing: bool = False

    def text(self, *keys: str) -> str | None:
        """The first of `keys` that holds a text (numbers count), without surrounding blanks."""
        for key in keys:
            value = self.values.get(key)
            if isinstance(value, str | int | float) and not isinstance(value, bool) and str(value).strip():
                return str(value).strip()
        return None

    def number(self, key: str) -> int | None:
        """A whole number, also when it was written as text (the helpers do)."""
        return as_number(self.values.get(key))

    def mapping(self, *keys: str) -> Mapping[str, Any]:
        """The mapping at a path of keys; {} when there is none."""
        here: Any = self.values
        for key in keys:
            here = here.get(key) if isinstance(here, Mapping) else None
        return here if isinstance(here, Mapping) else {}

    def flag(self, key: str) -> bool:
        """True for true, 1, "1", "true", "yes"."""
        return str(self.values.get(key, "")).strip().lower() in {"1", "true", "yes"}


def as_number(value: object) -> int | None:
    """`4000`, `"4000"` → 4000; anything else → None."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def read_settings(root: Root, path: str) -> Document:
    """settings.yml of an app."""
    name = path.rsplit("/", 1)[-1]
    try:
        raw = root.read(path)
    except FileNotFoundError:
        return Document(problem=f"{name} is missing", missing=True)
    except (OSError, ValueError) as error:
        return Document(problem=f"{name} cannot be read: {getattr(error, 'strerror', None) or 'not a file'}")
    try:
        values = yaml.load(raw.decode("utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader, in C when it is there
    except UnicodeDecodeError:
        return Document(problem=f"{name} is not UTF-8 text")
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError, TypeError):
        return Document(problem=f"{name} is not valid YAML")
    if values is None:
        return Document(problem=f"{name} is empty")
    if not isinstance(values, dict):
        return Document(problem=f"{name} holds no settings")
    return Document({key: value for key, value in values.items() if isinstance(key, str)})


def read_manifest(root: Root, folder: str) -> Document:
    """manifest.toml, which wins, else manifest.json."""
    toml, old = f"{folder}/manifest.toml", f"{folder}/manifest.json"
    name = toml if root.is_file(toml) or not root.is_file(old) else old
    short = name.rsplit("/", 1)[-1]
    try:
        text = root.read(name).decode("utf-8")
    except FileNotFoundError:
        return Document(problem="the manifest is missing", missing=True)
    except (OSError, ValueError):
        return Document(problem=f"{short} cannot be read")
    try:
        values = tomllib.loads(text) if name == toml else json.loads(text)
    except (ValueError, RecursionError):
        return Document(problem=f"{short} is not valid {'TOML' if name == toml else 'JSON'}")
    return Document(values) if isinstance(values, dict) else Document(problem=f"{short} holds no manifest")
