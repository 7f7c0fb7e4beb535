"""What pydantic is told of a value of coloc.yml, in words of ours: whoever only holds the values need not load it.

pydantic asks a mark for its schema when a file is read (see reading); until then a mark is a note beside a type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class ReadBy:
    """The value as written goes through a function before it is looked at; its ValueError is told to people."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy, and only reading needs it

        return core_schema.no_info_before_validator_function(self.function, handler(source))


class CheckedBy:
    """The value that was found good so far goes through a function; its ValueError is told to people."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy, and only reading needs it

        return core_schema.no_info_after_validator_function(self.function, handler(source))


class Within:
    """Bounds of a number or text, by pydantic's names: gt, ge, lt, le, min_length, pattern."""

    def __init__(self, **bounds: float | str) -> None:
        self.bounds = bounds

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        schema = handler(source)
        value = schema
        while value["type"].startswith("function-"):  # ReadBy, CheckedBy: the value itself is inside
            value = value["schema"]
        value.update(self.bounds)
        return schema
