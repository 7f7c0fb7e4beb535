"""YAML read with care: few lines can stand for more than any memory holds, and equal keys hide each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import yaml

from coloc.config.mistakes import short, shown
from coloc.errors import ConfigError

_MAX_NODES = 50_000  # of the file once its aliases (*) are written out
MAX_TOLD = 50  # mistakes in one answer


def read_yaml(raw: bytes, name: str) -> tuple[yaml.Node, dict[Any, Any], list[str]]:
    """The file as nodes (for their lines), as data, and what can be told of its form alone. Raises ConfigError."""
    loader = None
    try:
        loader = _Loader(raw.decode("utf-8"))
        node = loader.get_single_node()
        _refuse_bombs(node, name)
        repeated = list(islice(_repeated_keys(node), MAX_TOLD + 1))
        data = loader.construct_document(node) if node else None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 text", hint="save it as UTF-8") from error
    except RecursionError as error:
        raise ConfigError(f"{name} is nested too deeply", hint="is it the right file?") from error
    except (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError, TypeError) as error:
        # PyYAML raises any of these for a tag (!!int, !!timestamp, …) before something that is not one.
        mark = getattr(error, "problem_mark", None)
        place = f"{name}, line {mark.line + 1}" if mark else name
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or "a value is not what its tag says"
        raise ConfigError(
            f"{place}: not valid YAML: {short(what)}", hint="check the indentation and the quotes there"
        ) from error
    finally:
        if loader is not None:
            loader.dispose()
    if node is None or not isinstance(data, dict):
        raise ConfigError(f"{name} holds no configuration", hint="begin with `coloc:` and `name:` below it")
    return node, data, repeated


class _Loader(yaml.SafeLoader):
    """YAML whose only booleans are true and false: by the older rule the key `off` and the name `no` are, too.

    Dates stay texts, so that the thirtieth of February is told with its line.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML has it
        first: [
            (tag, shape)
            for tag, shape in resolvers
            if tag != "tag:yaml.org,2002:timestamp" and (tag != "tag:yaml.org,2002:bool" or first in "tTfF")
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _refuse_bombs(root: yaml.Node | None, name: str) -> None:
    """Few lines of aliases (*) can stand for more than any memory holds, or for themselves: count before writing out.

    Raises ConfigError, also for characters that no name or file has and no terminal should be shown.
    """
    sizes: dict[int, int] = {}
    stack: list[tuple[yaml.Node, bool]] = [(root, False)] if root else []
    while stack:
        node, inner_is_known = stack.pop()
        inner = _inner(node)
        if inner_is_known:
            counted = [sizes[id(child)] for child in inner]
            if 0 in counted:
                raise ConfigError(f"{name} refers to itself", hint="remove the anchors (&, *)")
            sizes[id(node)] = 1 + sum(counted)
            if sizes[id(node)] > _MAX_NODES:
                raise ConfigError(f"{name} holds more than {_MAX_NODES} values", hint="remove the anchors (&, *)")
        elif id(node) not in sizes:
            sizes[id(node)] = 0  # being counted
            stack += [(node, True), *((child, False) for child in inner)]
            if isinstance(node, yaml.ScalarNode) and _UNPRINTABLE.search(node.value):
                line = node.start_mark.line + 1
                raise ConfigError(f"{name}, line {line}: an invisible character", hint="write that value again")


_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def _inner(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _repeated_keys(node: yaml.Node | None) -> Iterator[str]:
    """YAML keeps the last of two equal keys in silence: people would lose half a file without a word."""
    stack, seen_nodes = [node], set[int]()
    while stack:
        here = stack.pop()
        if here is None or id(here) in seen_nodes:
            continue
        seen_nodes.add(id(here))
        if isinstance(here, yaml.SequenceNode):
            stack += here.value
        if isinstance(here, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in here.value:
                stack.append(value)
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.value in seen:
                    yield f"line {key.start_mark.line + 1}: {shown(key.value)} stands twice; keep one"
                seen.add(key.value)
