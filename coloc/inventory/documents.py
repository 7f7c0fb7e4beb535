"""From the bytes of a YAML, TOML or JSON file to a mapping, whatever the bytes are. Reasons never quote the file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import yaml

from coloc.inventory.tree import Tree, Unreadable

Document = dict[str, Any]
_MAX_DEPTH = 50
_MAX_ALIASES = 200
_MAX_NUMBER = 1000
_MAX_DOTS = 1000
# What PyYAML's constructors let through for bad values (dates, numbers, tags), beside its own errors.
_ERRORS = (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError)


class Damaged(Unreadable):
    """A file that was read but makes no sense."""


def parse_yaml(data: bytes) -> Document:
    """A YAML mapping with text keys. Raises Damaged."""
    text = _decode(data)
    if not text.strip():
        raise Damaged("is empty")
    try:
        _refuse_bombs(text)
        value = yaml.load(text, Loader=yaml.CSafeLoader)
    except _ERRORS:
        raise Damaged("is not valid YAML") from None  # the error quotes the file, which holds passwords
    return _mapping(value)


def parse_toml(data: bytes) -> Document:
    """A TOML document. Raises Damaged."""
    text = _decode(data)
    # tomllib takes a time that grows with the square of a dotted key's length.
    if any(line.count(".") > _MAX_DOTS for line in text.split("\n")):
        raise Damaged("is not valid TOML")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError, TypeError, LookupError, OverflowError):
        raise Damaged("is not valid TOML") from None


def parse_json(data: bytes) -> Document:
    """A JSON object. Raises Damaged."""
    try:
        value = json.loads(_decode(data))
    except (ValueError, RecursionError):
        raise Damaged("is not valid JSON") from None
    return _mapping(value)


def read_document(tree: Tree, path: str, parse: Callable[[bytes], Document]) -> Document | Unreadable:
    """The document at `path`, or why there is none (as a value, so that it is remembered as well)."""

    def load(name: str) -> Document | Unreadable:
        try:
            return parse(tree.read(name))
        except Unreadable as problem:
            return problem

    return tree.cached(path, load, key=parse)


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Damaged("is not UTF-8 text") from None


def _refuse_bombs(text: str) -> None:
    """Deep nesting overflows the C loader's stack and kills the process; aliases of aliases grow without end."""
    depth = aliases = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        elif isinstance(event, yaml.ScalarEvent) and not event.style and _is_bomb(event.value):
            raise ValueError("too dear")
        if depth > _MAX_DEPTH or aliases > _MAX_ALIASES:
            raise ValueError("too deep")


def _is_bomb(plain: str) -> bool:
    """A merge key copies mappings; a very long number, mostly one in base 60 (1:2:3…), takes seconds to read."""
    return plain == "<<" or (len(plain) > _MAX_NUMBER and not plain.strip("+-.:_0123456789"))


def _mapping(value: object) -> Document:
    if not isinstance(value, dict):
        raise Damaged("is not a mapping")
    return {key: item for key, item in value.items() if isinstance(key, str)}
