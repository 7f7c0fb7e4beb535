"""When to stop hearing: an exit storm (a build, a fork loop) would make the watcher the noisy neighbour. Pure.

The rules:
* more than `per_second` exits a second for `seconds` on end is a storm: stop, for `pause` seconds;
* then hear again, and judge afresh;
* when the kernel refuses, ask it again after `refused` seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """What a storm is. Threads count as exits: they cost as much."""

    per_second: float = 1000.0
    seconds: float = 10.0
    pause: float = 60.0
    refused: float = 600.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Where we stand. `hot_since`: when it became too many; `deaf_until`: when to hear again, None while hearing."""

    hot_since: float | None = None
    deaf_until: float | None = None
    storms: int = 0


def judge(watch: Watch, limits: Limits, *, exits: int, since: float, now: float) -> Watch:
    """After the `exits` between `since` and `now`, while hearing."""
    if now <= since or exits / (now - since) <= limits.per_second:
        return replace(watch, hot_since=None)
    hot_since = since if watch.hot_since is None else watch.hot_since
    if now - hot_since < limits.seconds:
        return replace(watch, hot_since=hot_since)
    return Watch(deaf_until=now + limits.pause, storms=watch.storms + 1)


def refused(watch: Watch, limits: Limits, now: float) -> Watch:
    """The kernel does not want to tell."""
    return replace(watch, hot_since=None, deaf_until=now + limits.refused)


def hear_again(watch: Watch, now: float) -> bool:
    """Is it time?"""
    return watch.deaf_until is not None and now >= watch.deaf_until


def heard_again(watch: Watch) -> Watch:
    """The kernel tells again."""
    return replace(watch, hot_since=None, deaf_until=None)
