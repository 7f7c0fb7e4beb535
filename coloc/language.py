"""Languages: English is written in the code, French in `locale/`, read by the standard gettext.

Messages say "tu", commands use the infinitive: so each has a catalogue of its own. A .po file is compiled in memory
when first used, so that nothing binary lies in the tree and nothing is built.
"""

from __future__ import annotations

import ast
import gettext
import io
import struct
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources

LANGUAGES = ("fr", "en")
Translate = Callable[[str], str]


def n_(text: str) -> str:
    """Marks a text that is translated later, where it is said."""
    return text


@cache
def translator(language: str, catalogue: str = "") -> Translate:
    """The function that turns an English text of the code into `language`; English for what is not translated.

    catalogue: "" for messages in rooms, "commands" for what a command prints.
    """
    if language == "en":
        return str
    name = f"{catalogue}.{language}.po" if catalogue else f"{language}.po"
    text = resources.files("coloc").joinpath("locale", name).read_text(encoding="utf-8")
    say = gettext.GNUTranslations(io.BytesIO(compile_po(parse_po(text)))).gettext
    return lambda words: say(words) if words else ""  # gettext answers nothing with the catalogue's own head


def parse_po(text: str) -> dict[str, str]:
    """The (msgid, msgstr) pairs of a .po file without plurals and contexts. Raises ValueError for anything else."""
    entries: dict[str, str] = {}
    parts: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in [*text.splitlines(), ""]:
        if not line.strip():
            if parts:
                entries["".join(parts["msgid"])] = "".join(parts["msgstr"])
            parts, current = {}, None
        elif line.startswith("#"):
            continue
        elif line.startswith(("msgid ", "msgstr ")):
            word, _, quoted = line.partition(" ")
            current = parts[word] = [ast.literal_eval(quoted)]
        elif line.startswith('"') and current is not None:
            current.append(ast.literal_eval(line))
        else:
            raise ValueError(f"not a line of our .po files: {line!r}")
    return entries


def compile_po(entries: Mapping[str, str]) -> bytes:
    """The same as a .mo file (GNU gettext manual, "The Format of GNU MO Files")."""
    pairs = sorted((source.encode(), target.encode()) for source, target in entries.items() if target)
    head, count = 28, len(pairs)
    offset = head + 16 * count
    tables: list[tuple[int, int]] = []
    body = b""
    for column in (0, 1):
        for pair in pairs:
            tables.append((len(pair[column]), offset + len(body)))
            body += pair[column] + b"\0"
    table = b"".join(struct.pack("<II", *entry) for entry in tables)
    return struct.pack("<7I", 0x950412DE, 0, count, head, head + 8 * count, 0, 0) + table + body
