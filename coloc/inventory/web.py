"""Where apps answer on the web: domains, urls by their permissions, and nginx's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from coloc.inventory.documents import Document
from coloc.inventory.root import Root
from coloc.inventory.units import Candidate, checksum_name, owner_by_name

NGINX = "/etc/nginx/conf.d"
_MOST = 500


def domains(root: Root) -> tuple[str, ...]:
    """The domains that nginx serves: a `<domain>.conf` and its folder. A folder alone is left from a removed domain."""
    names = set(root.names(NGINX))
    return tuple(
        name.removesuffix(".d")
        for name in sorted(names)
        if name.endswith(".d")
        and "." in name[:-2]
        and f"{name[:-2]}.conf" in names
        and root.is_folder(f"{NGINX}/{name}")
    )


def permissions(settings: Document) -> dict[str, tuple[str, ...]]:
    """Who may use each part of an app: groups and users, sorted."""
    found = {}
    for name, values in list(settings.mapping("_permissions").items())[:_MOST]:
        if isinstance(name, str) and isinstance(values, Mapping):
            allowed = values.get("allowed")
            groups = allowed if isinstance(allowed, list) else [allowed]
            found[name] = tuple(sorted({group for group in groups[:_MOST] if isinstance(group, str)}))
    return found


def urls(settings: Document, manifest: Document, domain: str | None, path: str | None) -> tuple[str, ...]:
    """The places that an app answers at, as `domain/path`: main first, in the manifest's order.

    Regular expressions and single scripts are no places, and a relative additional url lies below one already.
    """
    known = settings.mapping("_permissions")
    order = [name for name in manifest.mapping("resources", "permissions") if name in known]
    order += [name for name in known if name not in order]
    order.sort(key=lambda name: name != "main")
    found = list(_places(known, order, domain, path))
    for name in order:
        extra = known[name].get("additional_urls") if isinstance(known[name], Mapping) else None
        for url in (extra if isinstance(extra, list) else [])[:_MOST]:
            if isinstance(url, str) and url and not url.startswith(("/", "re:")):
                found.append(url)
    return tuple(dict.fromkeys(found))


def _places(known: Mapping[str, Any], order: list[str], domain: str | None, path: str | None) -> Iterator[str]:
    for name in order[:_MOST]:
        url = known[name].get("url") if isinstance(known[name], Mapping) else None
        if not isinstance(url, str) or not url or url.startswith("re:") or url.endswith(".php"):
            continue
        if not url.startswith("/"):
            yield url
        elif domain is not None and path is not None:
            base = f"{domain}{path.rstrip('/')}"
            yield base + url if url != "/" or path == "/" else base


def nginx_files(
    root: Root, apps: Mapping[str, Candidate], homes: Mapping[str, str | None]
) -> dict[str, tuple[str, ...]]:
    """nginx's files of each app, those of its own domain first. `homes`: each app's domain."""
    found: dict[str, list[str]] = {}
    for folder in (name for name in root.names(NGINX) if name.endswith(".d")):
        for path in _files_below(root, f"{NGINX}/{folder}"):
            owner = _owner(path, f"{NGINX}/{folder}", apps, homes)
            if owner is not None:
                found.setdefault(owner, []).append(path)
    return {
        app_id: tuple(sorted(paths, key=lambda path: (not path.startswith(f"{NGINX}/{homes.get(app_id)}.d/"), path)))
        for app_id, paths in found.items()
    }


def _files_below(root: Root, folder: str) -> Iterator[str]:
    for name in root.names(folder):
        path = f"{folder}/{name}"
        if name.endswith(".conf") and root.is_file(path):
            yield path
        elif name.endswith(".d") and root.is_folder(path):
            yield from (f"{path}/{file}" for file in root.names(path) if root.is_file(f"{path}/{file}"))


def _owner(path: str, folder: str, apps: Mapping[str, Candidate], homes: Mapping[str, str | None]) -> str | None:
    """By checksum anywhere; by name only in the folder of the app's own domain."""
    key = checksum_name(path)
    for app_id, app in apps.items():
        if key in app.checksums:
            return app_id
    name = path[len(folder) + 1 :].split("/", maxsplit=1)[0].rsplit(".", 1)[0]
    owner = owner_by_name(name, apps)
    return owner if owner is not None and folder == f"{NGINX}/{homes[owner]}.d" else None
