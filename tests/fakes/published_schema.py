"""The published schema of Discourse's answers: fills what a stand-in does not care for, and checks what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parents[1] / "captured" / "discourse" / "openapi.json"
_EMPTY: Mapping[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False, "array": [], "null": None}
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


@cache
def answer_schema(path: str, method: str) -> dict[str, Any]:
    """The schema of a 200 answer."""
    answers = json.loads(_FILE.read_text())["paths"][path][method]["responses"]
    schema: dict[str, Any] = answers["200"]["content"]["application/json"]["schema"]
    return schema


def filled(schema: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values`, and something empty for every other required property."""
    names = schema.get("required") or schema.get("properties", {})
    return {name: _empty(schema["properties"][name]) for name in names if name not in values} | dict(values)


def _empty(schema: Mapping[str, Any]) -> Any:
    kind = schema.get("type", "null")
    if isinstance(kind, list):
        return None if "null" in kind else _EMPTY[kind[0]]
    return filled(schema, {}) if kind == "object" else _EMPTY[kind]


def mistakes(value: Any, schema: Mapping[str, Any], place: str = "answer") -> Iterator[str]:
    """Where `value` is not what the schema says: types, required and unknown properties, items."""
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind] if kind else []
    allowed = tuple(one for name in kinds for one in _TYPES[name])
    if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)):
        yield f"{place}: {type(value).__name__} instead of {kind}"
    elif isinstance(value, dict):
        known = schema.get("properties", {})
        yield from (f"{place}.{name} is missing" for name in schema.get("required", []) if name not in value)
        for name, inner in value.items():
            if name in known:
                yield from mistakes(inner, known[name], f"{place}.{name}")
            elif schema.get("additionalProperties") is False:
                yield f"{place}.{name} is not known"
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from mistakes(inner, schema.get("items", {}), f"{place}[{number}]")
