"""Names in coloc.yml that stand for nobody: projects and people that no block describes; thresholds of no rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from coloc.config.enforcement import wrong_enforcement
from coloc.config.mistakes import nearest, shown
from coloc.config.register import wrong_relaxations
from coloc.config.rules import wrong_thresholds


def strangers(data: Mapping[Any, Any]) -> Iterator[tuple[list[Any], str]]:
    """Names that stand for nobody: (place, words). It takes data as it was written, whatever its shape."""
    people, projects = _mapping(data.get("adminsys")), _mapping(data.get("projects"))
    for name, project in projects.items():
        listed = _mapping(project).get("adminsys")
        for number, person in enumerate(listed if isinstance(listed, list | tuple) else ()):
            if isinstance(person, str) and person not in people:
                words = f"names {shown(person)}, who is not in adminsys:{nearest(person, people)}"
                yield ["projects", name, "adminsys", number], words
    for app, entry in _mapping(data.get("apps")).items():
        for name in _mapping(_mapping(entry).get("shared_by")):
            if name not in projects:
                words = f"names {shown(name)}, which is not in projects:{nearest(str(name), projects)}"
                yield ["apps", app, "shared_by", name], words
    for name, host in _mapping(_mapping(data.get("backup")).get("hosts")).items():
        project = _mapping(host).get("project")
        if isinstance(project, str) and project not in projects:
            words = f"names {shown(project)}, which is not in projects:{nearest(project, projects)}"
            yield ["backup", "hosts", name, "project"], words
    yield from wrong_enforcement(data)
    yield from wrong_relaxations(data)
    yield from wrong_thresholds(_mapping(data.get("rules")))


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
