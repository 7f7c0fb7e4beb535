"""What the daemon says on its own console (the journal, the demo's terminal) about what others reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coloc.facts import Fact


def announced(facts: Iterable[Fact], language: str) -> Iterator[str]:
    """A line for each run of the backups that ended."""
    for fact in facts:
        if fact.kind == "run_finished":
            yield _run_line(fact, french=language == "fr")


def _run_line(fact: Fact, *, french: bool) -> str:
    saved, failed = _count(fact, "saved"), _count(fact, "failed")
    good = fact.values.get("ok") is True
    told = f"{saved} sauvegardées et relues" if french else f"{saved} saved and read back"
    if failed:
        told += f", {failed} non sauvegardées" if french else f", {failed} not saved"
    if not good:
        told += " ; voir `coloc-agent status`" if french else "; see `coloc-agent status`"
    if fact.values.get("stopped") is True:
        return ("sauvegarde interrompue : " if french else "backup stopped: ") + told
    return ("sauvegarde terminée : " if french else "backup finished: ") + told


def _count(fact: Fact, name: str) -> int:
    value = fact.values.get(name)
    return value if isinstance(value, int) else 0
