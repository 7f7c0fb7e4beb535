"""Programs that a test plays: what they say is given, what they were asked is kept."""

from __future__ import annotations

from typing import Any

from coloc.command import Output


class Saying:
    """Every program says this and ends well."""

    def __init__(self, stdout: str) -> None:
        self._stdout = stdout
        self.asked: list[tuple[list[str], dict[str, Any]]] = []

    def __call__(self, argv: Any, **options: Any) -> Output:
        self.asked.append((list(argv), options))
        return Output(0, self._stdout, "")
