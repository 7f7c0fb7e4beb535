"""An app's manifest, of either packaging format: its name, version and the resources that its package asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

from coloc.inventory.documents import Document, parse_json, parse_toml, read_document
from coloc.inventory.settings import as_number, as_text
from coloc.inventory.tree import Tree, Unreadable


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is used of a manifest. `resources` is empty for old packages, which declare none."""

    name: str | None = None
    version: str | None = None
    packaging_version: int | None = None
    resources: frozenset[str] = frozenset()
    database: str | None = None
    permissions: tuple[str, ...] = ()  # in the packager's order
    main_label: str | None = None
    problems: tuple[str, ...] = field(default=())

    @property
    def upstream_version(self) -> str | None:
        """The part before YunoHost's own `~ynhN`."""
        return self.version.split("~", 1)[0] if self.version else None


def read_manifest(tree: Tree, folder: str) -> Manifest | Unreadable:
    """The manifest in an app's folder; manifest.toml wins, as in YunoHost."""
    path = f"{folder}/manifest.toml"
    if "manifest.toml" in tree.names(folder):
        document = read_document(tree, path, parse_toml)
    else:
        document = read_document(tree, f"{folder}/manifest.json", parse_json)
    return document if isinstance(document, Unreadable) else parse_manifest(document)


def parse_manifest(document: Document) -> Manifest:
    """The same from a parsed document; wrong types are told, not raised."""
    packaging = as_number(_whole(document.get("packaging_format")))
    name, version = as_text(document.get("name")), as_text(document.get("version"))
    wrong = {"packaging_format": packaging, "name": name, "version": version}
    problems = tuple(f"its manifest has no usable {key}" for key, value in wrong.items() if value is None)
    # YunoHost invents resources for packages of format 1: none of theirs can be trusted.
    resources = _table(document, "resources") if (packaging or 1) >= 2 else {}
    permissions = _table(resources, "permissions")
    return Manifest(
        name,
        version,
        packaging,
        frozenset(resources),
        as_text(_table(resources, "database").get("type")),
        tuple(permissions),
        as_text(_table(permissions, "main").get("label")),
        problems,
    )


def _table(document: Document, key: str) -> Document:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
