"""How mistakes in coloc.yml are told: their line, what is wrong, what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, get_args, get_origin

import yaml

from coloc.config.values import Described, as_word


def by_line(problem: str) -> tuple[int, str]:
    """The order in which people mend them: the line that a sentence begins with."""
    match = re.match(r"line (\d+)", problem)
    return int(match[1]) if match else 0, problem


# What to write, by the pattern that was missed; a test holds that every pattern has its words.
EXAMPLES = {
    r"^[a-z0-9][a-z0-9_-]{0,39}$": "a short name of small letters, digits, - and _, such as velo-club",
    r"^(age1[0-9a-z]+|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( .*)?)$": "a public key: age1… or ssh-ed25519 AAAA…",
    r"^@[^:\s]+:\S+$": "a Matrix id such as '@lea:example.org'",
    r"^[!#]\S+$": "a room such as '#coloc:example.org' or '!id:example.org'",
    r"^ssh://[^\s-][^\s]*$": "a place such as ssh://coloc@friend.example.org/./backup",
    r"^[A-Za-z0-9_./-]+$": "a program such as borg-1.4 or /usr/bin/borg",
    r"^https?://\S+$": "an address such as https://forum.example.org",
    r"^[A-Za-z0-9._+=-]+@[A-Za-z0-9.-]+$": "a mail address such as root@example.org",
    r"^[A-Za-z0-9.:-]+$": "the name or address of a server, such as localhost",
    r"^[^:\x00-\x1f]{1,100}$": "a name without colons",  # of web-config's users
    r"^[a-z_]{1,40}(/[a-z_]{1,40})?$": "a category of YunoHost's catalog, such as communication or communication/chat",
    r"^/": "an absolute path such as /var/www/site",
}
_BOUNDS = {
    "greater_than": "above",
    "greater_than_equal": "of at least",
    "less_than": "below",
    "less_than_equal": "of at most",
}
_WORDS = {
    "float_type": "write a number",
    "float_parsing": "write a number",
    "int_parsing": "write a whole number",
    "int_from_float": "write a whole number",
    "finite_number": "write a number that has an end",
    "string_too_short": "is empty; write a text",
    "missing": "is missing; add it",
    "unexpected_keyword_argument": "is not a key that I know",
    "int_type": "write a whole number",
    "string_type": "write a text, in quotes if it looks like a number",
    "bool_type": "write true or false",
    "dict_type": "write keys below it, indented",
    "tuple_type": "write a list: [a, b]",
    "dataclass_type": "write keys below it, indented",
}


def mistake(item: Any, node: yaml.Node, model: type[Described]) -> str:
    """One mistake that pydantic found below `model`, as a sentence with its line."""
    place = [part for part in item["loc"] if part != "[key]"]
    kind, message = item["type"], str(item["msg"])
    words = _WORDS.get(kind)
    if kind == "unexpected_keyword_argument":
        words = f"is not a key that I know{nearest(short(place[-1]), _keys_at(place[:-1], model))}"
    elif kind == "literal_error":
        words = f"is {shown(item['input'])}; write one of {item['ctx']['expected']}"
    elif kind in _BOUNDS:
        (bound,) = item["ctx"].values()
        words = f"is {shown(item['input'])}; write a number {_BOUNDS[kind]} {bound:g}"
    elif kind == "string_pattern_mismatch":
        words = f"is {shown(item['input'])}; write {EXAMPLES.get(item['ctx']['pattern'], 'something else')}"
    elif kind == "value_error":
        words = message.removeprefix("Value error, ")
    return at_line(node, place, words or message.lower())


def at_line(node: yaml.Node, place: list[Any], words: str) -> str:
    """`words` behind the line and the key that they speak of."""
    dotted = ".".join(short(part) for part in place) or "the file"
    return f"line {_line_of(node, place)}: {dotted}: {words}"


def shown(value: object) -> str:
    """A wrong value as it was written, if it is one word or number; a list has no end."""
    return repr(short(value)) if isinstance(value, str) else short(as_word(value) or "a list or a mapping")


def short(value: object) -> str:
    """At most 80 characters of a value, for a sentence."""
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _line_of(node: yaml.Node | None, place: list[Any]) -> int:
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if str(key.value) == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _keys_at(place: list[Any], model: type[Described]) -> list[str]:
    """The keys that are known at a place: follow the types from the model downwards."""
    is_name = False  # the next part is a name that people chose, below a dict
    for part in place:
        if is_name:
            is_name = False
            continue
        kinds = list(_types_in(model.types().get(str(part))))
        models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Described)]
        if not models:
            return []
        model = models[0]
        is_name = any(get_origin(kind) is dict for kind in kinds)
    return list(model.types())


def _types_in(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _types_in(part)


def nearest(word: str, known: Any) -> str:
    """The end of a sentence: which known name was meant, or which there are."""
    names = sorted(short(name) for name in islice(known, 500))
    match = difflib.get_close_matches(short(word), names, n=1)
    if match:
        return f"; did you mean {match[0]!r}?"
    return f"; known: {', '.join(names[:12])}" if names else ""
