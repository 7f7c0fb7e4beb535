"""Which app answers a request: the longest prefix of domain and path that an app has, on whole parts of the path. Pure.

Prefixes come from the URLs of its permissions, from those of its patterns that are plain prefixes, and from the
locations in its nginx files. `/yunohost` is YunoHost's own on every domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from posixpath import normpath
from urllib.parse import unquote_to_bytes

from coloc.model import App

NOBODY = "_none"
_CORE = "/yunohost"
_MOST_PREFIXES = 200  # of one domain
_MOST_BYTES = 4096
_LOCATION = re.compile(r"^\s*location\s+(?:(?:=|\^~)\s+)?(/[^\s{~]*)\s*\{?", re.MULTILINE)
_FOLDER = re.compile(r"/etc/nginx/conf\.d/([^/]+)\.d/")
_PATTERN = re.compile(r"(?:[\w/~%-]|\\[./-]|\.(?![*+?{]))+")

Prefixes = dict[str, dict[str, str]]  # domain → prefix without last slash → app


class Routes:
    """The routes of one domain.

    `quick`: what stands between the first two slashes of a request (`GET /blog/x HTTP/1.1`) → its app where that
    decides, None where `app_of` must.
    """

    def __init__(self, prefixes: Mapping[str, str]) -> None:
        ordered = sorted({**prefixes, _CORE: NOBODY}.items(), key=lambda item: -len(item[0]))
        self.default = prefixes.get("", NOBODY)
        self._deep: dict[bytes, list[tuple[bytes, str]]] = {}
        for prefix, app in ordered[: _MOST_PREFIXES + 1]:
            if prefix:
                path = prefix.encode()
                self._deep.setdefault(path.split(b"/", 2)[1], []).append((path, app))
        self.quick: dict[bytes, str | None] = {b"": None, b".": None, b"..": None}
        for first, deep in self._deep.items():
            apps = {app for _, app in deep}
            whole = any(path == b"/" + first for path, _ in deep) or apps == {self.default}
            self.quick[first] = apps.pop() if whole and len(apps) == 1 else None
        # A path of one part is followed by ` HTTP/1.1`.
        self.quick |= {word + b" HTTP": known for word, known in self.quick.items()}
        self.quick[b" HTTP"] = self.default

    def app_of(self, request: bytes) -> str:
        """The slow way, right for every request line."""
        words = request.split(b" ", 2)
        path = _path(words[1]) if len(words) > 1 else None
        if path is None:
            return NOBODY
        for prefix, app in self._deep.get(path.split(b"/", 2)[1], ()):
            if path == prefix or path.startswith(prefix + b"/"):
                return app
        return self.default


def _path(target: bytes) -> bytes | None:
    """The path as nginx sees it: decoded, without `.` and `..` and double slashes; None when there is none."""
    target = target[:_MOST_BYTES]
    if target[:1] != b"/":
        scheme, colon, rest = target.partition(b"://")
        if not colon or scheme.lower() not in {b"http", b"https"}:
            return None
        target = b"/" + rest.partition(b"/")[2]
    path = unquote_to_bytes(re.split(rb"[?#]", target, maxsplit=1)[0])
    return b"/" + normpath(path).lstrip(b"/") if b"//" in path or b"/." in path else path


def routes_by_domain(apps: Iterable[App], nginx_files: Mapping[str, str]) -> dict[str, Routes]:
    """Every domain that an app answers on. `nginx_files`: path on the server → what the file holds."""
    prefixes: Prefixes = {}
    ordered = sorted(apps, key=lambda app: app.id)
    for app in ordered:
        for url in app.urls:
            _add(prefixes, url, app.id)
        if app.domain and app.path:
            _add(prefixes, f"{app.domain}{app.path}", app.id)
    for app in ordered:
        for pattern in app.url_patterns:
            prefix = plain_prefix(pattern)
            if prefix is not None:
                _add(prefixes, prefix, app.id)
        for file in app.nginx_conf:
            folder = _FOLDER.match(file)
            if folder is not None:
                for path in _LOCATION.findall(nginx_files.get(file, "")):
                    _add(prefixes, f"{folder[1]}{path}", app.id)
    return {domain: Routes(found) for domain, found in prefixes.items()}


def plain_prefix(pattern: str) -> str | None:
    r"""`re:dom\.tld\/x\/.*` → `dom.tld/x`; None for a pattern that is more than a prefix."""
    text = pattern.removeprefix("re:").removeprefix("^").removesuffix("$").removesuffix(".*")
    if not _PATTERN.fullmatch(text):
        return None
    return text.replace("\\", "").rstrip("/")


def _add(prefixes: Prefixes, url: str, app: str) -> None:
    """The first that claims a place has it."""
    domain, _, path = url.partition("/")
    path = path.strip("/")
    if domain:
        prefixes.setdefault(domain.lower(), {}).setdefault(f"/{path}" if path else "", app)
