"""Limits as people are shown them: where each stands, what is done about it, by which call, and why not more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.enforcing import Enforced
from agent.quota_agreements import limit_of
from agent.quotas import Standing, would_do
from agent.status import HeldStatus, QuotaStatus
from coloc.config.whole import Config
from coloc.verbs import Held, by_key


class QuotaPicture:
    """Standings and what is enforced, brought together for one moment."""

    def __init__(self, config: Config, enforced: Enforced) -> None:
        self._config, self._enforced = config, enforced
        self._held = by_key(enforced.answer.held)
        self._verdicts = {each.agreement.key: each for each in enforced.verdicts}

    def of(self, standings: Iterable[Standing]) -> tuple[QuotaStatus, ...]:
        """Each limit that coloc.yml still has."""
        return tuple(self._limits(standings))

    def _limits(self, standings: Iterable[Standing]) -> Iterator[QuotaStatus]:
        for item in standings:
            limit = limit_of(self._config, item.project, item.app, item.resource)
            if limit is None:
                continue
            held, verdict = self._held.get(item.key), self._verdicts.get(item.key)
            refused = self._enforced.refused.get(item.key, "")
            yield QuotaStatus(
                resource=item.resource,
                used=item.used,
                soft=limit.soft,
                hard=limit.hard,
                step=str(item.step),
                since=item.since,
                would_do=would_do(item),
                would_have_acted=item.would_have_acted,
                app=item.app,
                project=item.project,
                watched_since=item.watched_since,
                held=_shown(held) if held else None,
                why="refused" if refused else (verdict.why if verdict else "simulation"),
                detail=refused or (verdict.detail if verdict else ""),
            )

    def troubles(self) -> tuple[str, ...]:
        """What is wrong, or waits, with enforcement as a whole."""
        pending = [f"{unit}: {why}" for unit, why in sorted(self._enforced.answer.pending.items())]
        return (*([self._enforced.trouble] if self._enforced.trouble else []), *pending)


def _shown(held: Held) -> HeldStatus:
    return HeldStatus(
        held.step,
        held.since,
        held.used,
        held.limit,
        held.did,
        held.call,
        held.file,
        held.says,
        held.stands,
        held.pending,
    )
