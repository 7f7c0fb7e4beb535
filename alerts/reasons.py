"""Why a message was not said, as a sentence that can still be put into the reader's language when it is told."""

from __future__ import annotations

from alerts.plain import plain
from coloc.language import translator

_LONGEST = 200


class Reason(str):
    """The sentence in English, for logs; it remembers what it was made of."""

    __slots__ = ("pattern", "values")
    pattern: str
    values: dict[str, str]


def reason(pattern: str, **values: object) -> Reason:
    """A sentence whose values may come from outside."""
    harmless = {name: plain(str(value), longest=_LONGEST) for name, value in values.items()}
    made = Reason(pattern.format(**harmless))
    made.pattern, made.values = pattern, harmless
    return made


def in_language(why: str, language: str) -> str:
    """The sentence for people; one that was not made by `reason` as it is."""
    if isinstance(why, Reason):
        return translator(language)(why.pattern).format(**why.values)
    return plain(why)
