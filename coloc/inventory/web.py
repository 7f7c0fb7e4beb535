"""What the web sees of each app: domains, nginx files, URLs and who may open them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from coloc.inventory.entries import Entry
from coloc.inventory.owners import Owners
from coloc.inventory.settings import as_text, words
from coloc.inventory.tree import Tree

_NGINX = "/etc/nginx/conf.d"
_CERTS = "/etc/yunohost/certs"
_DOMAIN = re.compile(r"[\w]([\w-]*[\w])?(\.[\w]([\w-]*[\w])?)+")
_MAX_PATTERNS = 20
_SCRIPT = re.compile(r"\.(php\d?|cgi|pl|py|aspx?|html?)$")


def read_domains(tree: Tree) -> tuple[str, ...]:
    """The domains that this server serves: those with an nginx file of their own, or a certificate."""
    names = [name.removesuffix(".conf") for name in tree.names(_NGINX) if name.endswith(".conf")]
    served = {name for name in names if _DOMAIN.fullmatch(name) and _serves(tree, name)}
    # YunoHost's installation leaves a certificate for `yunohost.org` on every server.
    held = {name for name in tree.names(_CERTS) if _DOMAIN.fullmatch(name) and name != "yunohost.org"}
    return tuple(sorted(served | {name for name in held if tree.is_file(f"{_CERTS}/{name}/crt.pem")}))


def _serves(tree: Tree, domain: str) -> bool:
    """Admins put files such as `gzip.tuning.conf` there as well: a domain's own names it, or has a folder beside it."""
    path = f"{_NGINX}/{domain}"
    if not tree.is_file(f"{path}.conf") or tree.is_folder(f"{path}.d"):
        return tree.is_file(f"{path}.conf")
    words = tree.text(f"{path}.conf").lower().replace(";", " ").split()
    return "server_name" in words and domain.lower() in words


def main_domain(tree: Tree) -> str | None:
    """The server's main domain."""
    name = tree.text("/etc/yunohost/current_host").strip()
    return name if _DOMAIN.fullmatch(name) and len(name) < 254 else None


def nginx_by_app(tree: Tree, owners: Owners, domains: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
    """App → its nginx files, those of its own domain first. `domains`: app → its domain."""
    served = read_domains(tree)
    found: dict[str, list[str]] = {}
    for folder in tree.names(_NGINX):
        if not folder.endswith(".d"):
            continue
        domain = folder.removesuffix(".d")
        for name in tree.names(f"{_NGINX}/{folder}"):
            for path in _files(tree, f"{_NGINX}/{folder}/{name}"):
                owner = owners.by_checksum(path)
                if owner is None and domain in served:  # default.d and the like are YunoHost's own
                    owner = _by_place(owners, domain, name, domains)
                if owner:
                    found.setdefault(owner, []).append(path)
    return {
        app: tuple(sorted(paths, key=lambda path: _is_elsewhere(path, domains[app]))) for app, paths in found.items()
    }


def _is_elsewhere(path: str, domain: str | None) -> bool:
    return not path.startswith(f"{_NGINX}/{domain}.d/")


def _files(tree: Tree, path: str) -> list[str]:
    if path.endswith(".conf") and tree.is_file(path):
        return [path]
    if not path.endswith(".d"):
        return []
    return [f"{path}/{name}" for name in tree.names(path) if name.endswith(".conf") and tree.is_file(f"{path}/{name}")]


def _by_place(owners: Owners, domain: str, name: str, domains: Mapping[str, str | None]) -> str | None:
    stem = name.removesuffix(".conf").removesuffix(".d")
    owner = owners.by_name(stem)
    # The app's own name in another domain's folder: left behind when the app moved.
    return None if owner == stem and domains[owner] != domain else owner


def permissions_of(permissions: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Permission → who has it, sorted."""
    return {name: tuple(sorted(set(words(body.get("allowed"))))) for name, body in sorted(permissions.items())}


def urls_of(
    entry: Entry, domain: str | None, path: str | None, permissions: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Where the app answers. Patterns (`re:`) are no places; a script or additional URL inside one adds nothing."""
    base = f"{domain}{path.rstrip('/')}" if domain and path else None
    order = {name: place for place, name in enumerate(entry.manifest.permissions)}
    names = sorted(permissions, key=lambda name: (name != "main", order.get(name, len(order)), name))
    main = [url for name in names if (url := _absolute(as_text(permissions[name].get("url")), base))]
    more = [
        url
        for name in names
        for item in words(permissions[name].get("additional_urls"))
        if (url := _absolute(item, base))
    ]
    found = [url for url in main if not _SCRIPT.search(url)]
    places = {url.rstrip("/") for url in found}
    for url in [url for url in main if _SCRIPT.search(url)] + more:
        if places.isdisjoint(_places(url)):
            found.append(url)
            places.add(url.rstrip("/"))
    return list(dict.fromkeys(found))


def patterns_of(permissions: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """The URLs that are patterns with a domain, as they are written."""
    found = [
        url
        for _, body in sorted(permissions.items())
        for url in (as_text(body.get("url")), *words(body.get("additional_urls")))
        if url and url.startswith("re:") and not url.startswith(("re:/", "re:^/"))
    ]
    return tuple(dict.fromkeys(found))[:_MAX_PATTERNS]


def _absolute(url: str | None, base: str | None) -> str | None:
    """`/x` is below the app's own place; `other.domain/x` is whole already."""
    if not url or url.startswith("re:") or any(character.isspace() for character in url):
        return None
    if url.startswith("/"):
        return f"{base}{url.rstrip('/')}" + ("" if "/" in f"{base}{url.rstrip('/')}" else "/") if base else None
    domain, _, path = url.partition("/")
    return f"{domain}/{path.rstrip('/')}" if _DOMAIN.fullmatch(domain) else None


def _places(url: str) -> list[str]:
    """The URL and every place that it lies in."""
    parts = url.rstrip("/").split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
