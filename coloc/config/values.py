"""What people write as a value: sizes, time spans, times of day, names, limits; each says what to write instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, dataclass_transform, get_type_hints
from zoneinfo import ZoneInfo

from coloc.config.marks import ReadBy, Within

_TEN_YEARS = 3650 * 86400.0


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Described:
    """Something written by a human: immutable, and a misspelt key is an error.

    Each class below it is a frozen dataclass with its marks beside the types. Only reading a file needs pydantic, which
    the daemon therefore never loads (docs/decisions/014): it would be a fourth of what it holds.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    @classmethod
    def model_validate(cls, data: object) -> Self:
        """From data as it was written. Raises pydantic's ValidationError; for a file take coloc.config.reading."""
        value: Self = _reader_of(cls).validate_python(data)  # type: ignore[arg-type]  # a class is hashable
        return value

    @classmethod
    def types(cls) -> dict[str, Any]:
        """Its keys, in order, and the type of each."""
        known = get_type_hints(cls)
        return {each.name: known[each.name] for each in fields(cls)}  # type: ignore[arg-type]  # as below

    def as_data(self) -> dict[str, Any]:
        """As dicts and tuples all the way down."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]  # each class below is a dataclass


@cache
def _reader_of(model: type[Described]) -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415 - heavy, and only reading needs it

    return TypeAdapter(model)


_UNITS = {"": 1, "B": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_UNITS |= {f"{unit}B": value for unit, value in _UNITS.items() if unit in "KMGT" and unit}
_UNITS |= {f"{unit[0]}o": value for unit, value in _UNITS.items() if unit in ("K", "M", "G", "T")}  # French "Go"


def parse_bytes(value: object) -> int:
    """`10G` → 10_000_000_000 bytes; `10GiB` → 2**30 times ten; `10 Go` as well; a plain number is bytes."""
    if isinstance(value, bool):
        raise ValueError("write a size such as 10G or 500M")
    if isinstance(value, int):
        size = float(value) if value.bit_length() < 64 else 2.0**64
    else:
        match = re.fullmatch(r"\s*(\d{1,20}(?:[.,]\d{1,20})?)\s*([A-Za-z]*)\s*", as_word(value))
        if not match or match[2] not in _UNITS:
            raise ValueError("write a size such as 10G or 500M")
        size = float(match[1].replace(",", ".")) * _UNITS[match[2]]
    if size < 1:
        raise ValueError("write a size above zero")
    if size >= 2**63:
        raise ValueError("write a size that a disk can have")
    return int(size)


def as_word(value: object) -> str:
    """A text or number as it was written; never a list or a mapping, which could be written out without end."""
    if isinstance(value, int) and value.bit_length() > 128:
        return ""  # a number without end
    return str(value) if isinstance(value, str | int | float) else ""


_SPANS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "j": 86400, "w": 604800}


def parse_seconds(value: object) -> float:
    """`90s`, `15m`, `2h`, `7d` → seconds; a plain number is seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value) if abs(value) < _TEN_YEARS else _TEN_YEARS + 1
    else:
        match = re.fullmatch(r"\s*(\d{1,20}(?:[.,]\d{1,20})?)\s*([a-z]*)\s*", as_word(value))
        if not match or match[2] not in {*_SPANS, ""}:
            raise ValueError("write a time span such as 90s, 15m, 2h or 7d")
        seconds = float(match[1].replace(",", ".")) * _SPANS.get(match[2], 1)
    if seconds < 0:
        raise ValueError("write a time span that is not negative")
    if not seconds <= _TEN_YEARS:
        raise ValueError("write a time span of ten years at most")
    return seconds


def _parse_clock(value: object) -> object:
    # YAML 1.1 reads an unquoted 22:30 as the number 1350 (base 60).
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 24 * 60:
        return f"{value // 60:02d}:{value % 60:02d}"
    if not re.fullmatch(r"([01]?[0-9]|2[0-3]):[0-5][0-9]", as_word(value)):
        raise ValueError("write a time of day such as 02:30")
    return as_word(value).zfill(5)


def parse_window(value: object) -> object:
    """`22:00-08:00` as it is; `off` (which YAML reads as false) is no window at all."""
    if value is False or value is None or value == "off":
        return None
    begin, _, end = as_word(value).partition("-")
    try:
        return f"{_parse_clock(begin.strip())}-{_parse_clock(end.strip())}"
    except ValueError as error:
        raise ValueError("write two times of day such as 22:00-08:00, or off") from error


def parse_threshold(value: object) -> float:
    """`0.9`, `90%`, `15m`, `10G`, `200` → a number: a part of the whole, seconds, bytes, pieces."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) < 2.0**63 else float("inf")
    text = as_word(value).strip()
    if re.fullmatch(r"\d{1,9}([.,]\d{1,9})?\s*%", text):
        return float(text.rstrip("% ").replace(",", ".")) / 100
    for parse in (parse_seconds, parse_bytes):
        try:
            return float(parse(text))
        except ValueError:
            continue
    raise ValueError("write a threshold such as 0.9, 90%, 15m, 10G or 200")


def with_other_names(data: Any) -> Any:
    """`for` and `clear_for`, as other tools call them, are `wait` and `clear_after`."""
    if not isinstance(data, Mapping):
        return data
    names = {"for": "wait", "clear_for": "clear_after"}
    return {names.get(key, key) if names.get(key) not in data else key: value for key, value in data.items()}


def _parse_zone(value: object) -> object:
    try:
        ZoneInfo(as_word(value) or "?")
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("write a time zone such as Europe/Paris") from error
    return value


def _absolute(value: object) -> object:
    """The value is not repeated: somebody may have typed the secret itself where its file belongs."""
    if not isinstance(value, Path) and not as_word(value).startswith("/"):
        raise ValueError("write the absolute path of a file or folder, such as /etc/coloc-agent/passphrase")
    return value


def nothing_means_defaults(value: object) -> object:
    """`console:` with nothing behind it is how people write `console: {}`; it does not mean "no console"."""
    return {} if value is None else value


Bytes = Annotated[int, ReadBy(parse_bytes)]
Seconds = Annotated[float, ReadBy(parse_seconds)]
ClockTime = Annotated[str, ReadBy(_parse_clock)]
Threshold = Annotated[float, ReadBy(parse_threshold)]
DayWindow = Annotated[str | None, ReadBy(parse_window)]
Zone = Annotated[str, ReadBy(_parse_zone)]
Place = Annotated[Path, ReadBy(_absolute)]
# Names become labels, archive names and folder names: short, plain, never an option or a path.
Name = Annotated[str, Within(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


SOFT_PART = 0.8  # of the hard limit, where no soft one was written


class Limit(Described):
    """A quota's two marks: told from `soft`, acted on (when that is agreed) from `hard`.

    `grace` and `allow`: of this resource alone, where they differ from what holds for all.
    """

    soft: Annotated[float, Within(gt=0)]
    hard: Annotated[float, Within(gt=0)]
    grace: Seconds | None = None
    allow: Literal["warn", "throttle", "hard"] | None = None

    def __post_init__(self) -> None:
        if self.hard < self.soft:
            raise ValueError("hard is below soft: write the larger value as hard")


def _limit_of(parse: Any) -> Any:
    def read(value: object) -> object:
        if isinstance(value, Mapping):
            marks = {str(key): parse(mark) if key in {"soft", "hard"} else mark for key, mark in value.items()}
            return {"soft": marks["hard"] * SOFT_PART} | marks if "hard" in marks else marks
        hard = parse(value)
        return {"soft": hard * SOFT_PART, "hard": hard}

    return read


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise ValueError("write a number above zero")
    return float(value)


ByteLimit = Annotated[Limit, ReadBy(_limit_of(parse_bytes))]
NumberLimit = Annotated[Limit, ReadBy(_limit_of(_number))]
