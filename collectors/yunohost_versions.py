"""What YunoHost's catalog says: the version it would offer of an app, compared as it does, and the kind of each app."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_GOOD_LEVEL = 5  # below it YunoHost offers no upgrade
_LONGEST = 100
_WORD = re.compile(r"[a-z_]{1,40}")
_decode = json.JSONDecoder().raw_decode
_space = re.compile(r"[ \t\r\n]*").match
_NUMBER = r"[0-9]{1,15}"
# PEP 440, which YunoHost has decide: 1.10 is above 1.9, 2.0rc1 below 2.0, 1.0 is 1.
_UPSTREAM = re.compile(
    rf"v?(?:(?P<epoch>{_NUMBER})!)?(?P<release>{_NUMBER}(?:\.{_NUMBER}){{0,10}})"
    rf"(?:[-_.]?(?P<stage>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?P<stage_number>{_NUMBER})?)?"
    rf"(?P<post>-(?P<dash>{_NUMBER})|[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>{_NUMBER})?)?"
    rf"(?P<dev>[-_.]?dev[-_.]?(?P<dev_number>{_NUMBER})?)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?",
    re.IGNORECASE | re.ASCII,
)
_STAGES = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}

Order = tuple[Any, ...]


def order_of(version: str) -> Order | None:
    """What `1.2~ynh3` is sorted by; None for what is no version."""
    if version in {"?", "-"}:
        version = "0"
    upstream, _, rest = version[:_LONGEST].partition("~")
    package = rest.split("~")[0].replace("ynh", "")
    match = _UPSTREAM.fullmatch(upstream.strip())
    if not match or ("~" in version and not re.fullmatch(_NUMBER, package, re.ASCII)) or len(version) > _LONGEST:
        return None
    release = [int(part) for part in match["release"].split(".")]
    while release and release[-1] == 0:
        release.pop()
    stage = (match["stage"] or "").lower()
    before: Order = (1,) if match["post"] or not match["dev"] else (-1,)
    if stage:
        before = (0, _STAGES.get(stage, stage), int(match["stage_number"] or 0))
    post = int(match["dash"] or match["post_number"] or 0) if match["post"] else -1
    dev = int(match["dev_number"] or 0) if match["dev"] else math.inf
    return int(match["epoch"] or 0), tuple(release), before, post, dev, int(package or 0)


def is_upgradable(installed: str | None, offered: str | None) -> bool | None:
    """True when the catalog's version is newer; None when one of them is unknown or none."""
    here, there = order_of(installed or ""), order_of(offered or "")
    return here < there if here and there else None


@dataclass(frozen=True, slots=True)
class Catalog:
    """App → version that YunoHost would offer; app → kind: `communication/chat`, or the category alone."""

    versions: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


def read_catalog(text: str) -> Catalog:
    """A catalog (megabytes of JSON). Raises ValueError.

    One app at a time is made into objects and dropped: the whole would be three times the text in memory.
    """
    found = Catalog()

    def take_app(app: str, at: int) -> int:
        value, end = _decode(text, at)
        offered, kind = _offered(value), _kind(value)
        if offered is not None:
            found.versions[app] = offered
        if kind:
            found.kinds[app] = sys.intern(kind)
        return end

    def take(key: str, at: int) -> int:
        return _members(text, at, take_app) if key == "apps" else int(_decode(text, at)[1])

    try:
        _members(text, _after_space(text, 0), take)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return found


def _offered(value: object) -> str | None:
    """The version of an entry, if YunoHost finds the app good enough to offer it."""
    if not isinstance(value, Mapping) or value.get("state") != "working" or "git" not in value:
        return None
    level, manifest = value.get("level"), value.get("manifest")
    if not isinstance(level, int) or level < _GOOD_LEVEL or not isinstance(manifest, Mapping):
        return None
    version = manifest.get("version")
    return version if isinstance(version, str) and len(version) <= _LONGEST else None


def _kind(value: object) -> str:
    """The category of an entry and the first of its parts; empty when it has none that is a word."""
    if not isinstance(value, Mapping):
        return ""
    category, parts = value.get("category"), value.get("subtags")
    words = [category, *(parts[:1] if isinstance(parts, list) else ())]
    if not all(isinstance(word, str) and _WORD.fullmatch(word) for word in words):
        words = words[:1]
    return "/".join(words) if isinstance(category, str) and _WORD.fullmatch(category) else ""


def _members(text: str, at: int, take: Callable[[str, int], int]) -> int:
    """Call `take(key, place of its value)` for each member of the object at `at`; where the object ends."""
    end = _after_space(text, _after(text, at, "{"))
    if text[end : end + 1] == "}":
        return end + 1
    while True:
        key, end = _decode(text, end)
        if not isinstance(key, str):
            raise ValueError("a key is no text")
        end = take(key, _after_space(text, _after(text, _after_space(text, end), ":")))
        end = _after_space(text, end)
        if text[end : end + 1] == "}":
            return end + 1
        end = _after_space(text, _after(text, end, ","))


def _after(text: str, at: int, sign: str) -> int:
    if text[at : at + 1] != sign:
        raise ValueError(f"no {sign} where one must be")
    return at + 1


def _after_space(text: str, at: int) -> int:
    match = _space(text, at)
    return match.end() if match else at
