"""An app's settings.yml as typed answers. It holds passwords: only what is asked by name leaves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from coloc.inventory.documents import Document

_DOMAIN = re.compile(r"(?=.{1,253}$)[\w]([\w-]*[\w])?(\.[\w]([\w-]*[\w])?)*\.?", re.IGNORECASE)
_MD5 = re.compile(r"[0-9a-f]{32}")
_MAX_TEXT = 300
_NOTHING = ("", "none", "null", "~")


class Settings:
    """What settings.yml says, asked key by key; `problems` names the keys whose values make no sense."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self.problems: list[str] = []

    def __repr__(self) -> str:
        return f"Settings({len(self._document)} keys)"

    def has(self, key: str) -> bool:
        """True when the key holds something."""
        return self._document.get(key) not in (None, "", [], {})

    def text(self, *keys: str) -> str | None:
        """The first of `keys` that holds something, as one printable line."""
        for key in keys:
            value = self._document.get(key)
            if value is None or value == "":
                continue
            line = as_text(value)
            if line is not None:
                return line
            self._wrong(key, "a text")
        return None

    def number(self, key: str) -> int | None:
        """A whole number, whether it was written by core (1) or by the shell helpers ('1')."""
        value = self._document.get(key)
        if value is None or value == "":
            return None
        number = as_number(value)
        if number is None:
            self._wrong(key, "a whole number")
        return number

    def is_on(self, key: str) -> bool:
        """True for 1, '1', true, 'yes'."""
        value = self._document.get(key)
        return isinstance(value, bool | int | str) and str(value).strip().lower() in ("1", "true", "yes", "on")

    def domain(self, key: str = "domain") -> str | None:
        """A domain name."""
        domain = self.text(key)
        if domain is not None and not _DOMAIN.fullmatch(domain):
            self._wrong(key, "a domain")
            return None
        return domain.rstrip(".").lower() if domain else None

    def url_path(self) -> str | None:
        """`/` or `/x`, without a slash at its end."""
        path = self.text("path")
        if path is None:
            return None
        if any(character.isspace() for character in path):
            self._wrong("path", "a path")
            return None
        return "/" + path.strip("/")

    def folder(self, *keys: str) -> str | None:
        """An absolute folder other than the whole disk."""
        for key in keys:
            folder = self.text(key)
            if folder is None:
                continue
            parts = [part for part in folder.split("/") if part]
            if folder.startswith("/") and parts and not {".", ".."} & set(parts):
                return "/" + "/".join(parts)
            self._wrong(key, "an absolute folder")
        return None

    def ports(self, *, legacy: bool) -> dict[str, int]:
        """`port` is main, `port_x` is x; old packages wrote `x_port` as well."""
        ports: dict[str, int] = {}
        for key in sorted(self._document):
            name = "main" if key == "port" else key.removeprefix("port_")
            if key != "port" and (name == key or not name):
                name = key.removesuffix("_port")
                if not legacy or name == key or not name:
                    continue
            number = as_number(self._document[key])
            if number is not None and 0 < number < 65536 and as_text(name):
                ports.setdefault(name, number)
            elif self.has(key) and name == "main":
                self._wrong(key, "a port")
        return ports

    def checksums(self) -> dict[str, str]:
        """Flattened path (slashes and spaces became `_`) → md5 of the file when YunoHost wrote it."""
        found = {}
        for key, value in self._document.items():
            if key.startswith("checksum_") and isinstance(value, str | int) and _MD5.fullmatch(str(value)):
                found[key.removeprefix("checksum_")] = str(value)
        return found

    def permissions(self) -> dict[str, Mapping[str, Any]] | None:
        """The raw `_permissions`, those that are mappings; None when the key is missing."""
        value = self._document.get("_permissions")
        if value is None:
            return None
        if not isinstance(value, dict):
            self._wrong("_permissions", "a mapping")
            return {}
        good = {name: body for name, body in value.items() if as_text(name) and isinstance(body, dict)}
        if len(good) < len(value):
            self._wrong("_permissions", "a mapping of mappings")
        return {str(name): body for name, body in good.items()}

    def _wrong(self, key: str, what: str) -> None:
        problem = f"settings.yml: {key} is not {what}"
        if problem not in self.problems:
            self.problems.append(problem)


def as_text(value: object) -> str | None:
    """One printable line of bounded length out of a text or a number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        line = str(value).strip()
    except ValueError:  # an integer of thousands of digits
        return None
    return line if line and len(line) <= _MAX_TEXT and line.isprintable() else None


def as_number(value: object) -> int | None:
    """A whole number below 2**63, out of a number or of digits."""
    line = as_text(value)
    return int(line) if line and re.fullmatch(r"-?\d{1,18}", line, re.ASCII) else None


def words(value: object) -> tuple[str, ...]:
    """A list of words, or a single one: both are written in the wild."""
    items = value if isinstance(value, list) else [value]
    return tuple(line for line in (as_text(item) for item in items[:1000]) if line)


def is_nothing(value: str | None) -> bool:
    """True for what packages write when there is no such thing (`phpversion: none`)."""
    return value is None or value.lower() in _NOTHING
