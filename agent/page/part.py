"""A part of the page: one entry of its navigation, with a page of its own and perhaps one for each thing in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.page.paper import Paper


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a page says: its heading and all below it, as HTML that is already escaped."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Part:
    """`path` is its place below the root; `entry`, a word of ours, its name in the navigation.

    `one` makes `/path/NAME`; None when there is no thing of that name.
    """

    path: str
    entry: str
    sheet: Callable[[Paper], Sheet]
    one: Callable[[Paper, str], Sheet | None] | None = None
