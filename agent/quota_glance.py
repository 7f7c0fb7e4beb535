"""Turns a Status into what `coloc-agent quota` and `quota plan` print. Pure; text from outside is made harmless."""

from __future__ import annotations

from collections.abc import Mapping

from agent.glance import Glance
from agent.page.figures import amount
from agent.status import HeldStatus, QuotaStatus
from agent.terminal import bad, columns, harmless, heading

FRENCH: Mapping[str, str] = {
    "No quota is declared yet": "Aucun quota n'est encore déclaré",
    "since": "depuis",
    "soft limit": "limite souple",
    "hard limit": "limite ferme",
    "resource": "ressource",
    "used": "utilisé",
    "step": "palier",
    "would do": "ferait",
    "would have acted": "aurait agi",
    "times": "fois",
    "Simulation: nothing is done to any project": "Simulation : rien n'est fait à aucun projet",
    "does not hold": "ne tient pas",
    "why: due": "sera fait",
    "why: nothing": "rien à faire pour l'instant",
    "why: simulation": "simulation",
    "why: simulated first": "simulation d'abord : encore {detail} jours",
    "why: gives way": "cède la place : {detail}",
    "why: cannot enforce here": "inapplicable ici : {detail}",
    "why: released by hand": "laissé en paix à la demande de quelqu'un",
    "why: not measured": "non mesuré : rien ne change",
    "why: grace": "attend la fin du délai",
    "why: waits for a human": "attend un accord humain ({detail}) : coloc-agent quota confirm",
    "why: refused": "refusé : {detail}",
    "nothing": "rien",
    "tell the project": "prévenir le projet",
    "bound its CPU time to the hard limit (CPUQuota)": "plafonner son temps processeur à la limite ferme (CPUQuota)",
    "bound its CPU time to the soft limit (CPUQuota)": "plafonner son temps processeur à la limite souple (CPUQuota)",
    "hold its memory back (MemoryHigh)": "retenir sa mémoire (MemoryHigh)",
    "bound its memory (MemoryMax), in steps, above its use": (
        "plafonner sa mémoire (MemoryMax), par paliers, au-dessus de son usage"
    ),
    "let its files grow a little more, for a while (quota of the filesystem)": (
        "laisser ses fichiers grandir encore un peu, un temps (quota du système de fichiers)"
    ),
    "let its files grow no more": "ne plus laisser grandir ses fichiers",
    "let it make few more files, for a while (quota of the filesystem)": (
        "laisser créer encore quelques fichiers, un temps (quota du système de fichiers)"
    ),
    "let it make no more files": "ne plus laisser créer de fichiers",
    "limit its database connections": "limiter ses connexions aux bases de données",
    "limit its database connections to the soft limit": (
        "limiter ses connexions aux bases de données à la limite souple"
    ),
    "stop writes to its databases; reading and deleting stay": (
        "suspendre l'écriture dans ses bases ; lire et supprimer restent possibles"
    ),
    "bound its processes (TasksMax)": "plafonner ses processus (TasksMax)",
    "bound its processes to the soft limit (TasksMax)": "plafonner ses processus à la limite souple (TasksMax)",
    "bound what it reads and writes a second": "plafonner ce qu'il lit et écrit par seconde",
    "bound what it reads and writes a second to the soft limit": (
        "plafonner ce qu'il lit et écrit par seconde à la limite souple"
    ),
    "tell the project again: nothing here can slow it": "prévenir de nouveau : rien ici ne peut le ralentir",
    "hold its mail in the queue": "retenir son courrier dans la file",
}


class QuotaGlance(Glance):
    """The limits of one status, for one reader."""

    def _(self, text: str) -> str:
        if self._language == "fr" and text in FRENCH:
            return FRENCH[text]
        return super()._(_ENGLISH.get(text, text))

    def quotas(self) -> list[str]:
        """Every project against its limits: what `coloc-agent quota` prints."""
        rows = [self._quota(quota) for quota in self._quotas()]
        if not rows:
            return [self._("No quota is declared yet")]
        heads = (
            "Project",
            "resource",
            "used",
            "soft limit",
            "hard limit",
            "step",
            "since",
            "would do",
            "would have acted",
        )
        table = columns([[heading(self._(head).lower()) for head in heads], *rows], indent="")
        held = [line for quota in self._quotas() if quota.held for line in self._evidence(quota, quota.held)]
        held += [f"  {harmless(sentence, at_most=400)}" for sentence in self._status.enforcement]
        return [*table, *(held or [self._("Simulation: nothing is done to any project")])]

    def plan(self) -> list[str]:
        """What would be done next, and what it waits for: what `coloc-agent quota plan` prints."""
        rows = [
            [
                harmless(_whose(quota)),
                self._(quota.resource),
                self._(quota.step),
                self._(quota.would_do),
                self._(_why(quota)).format(detail=harmless(quota.detail)),
            ]
            for quota in self._quotas()
        ]
        return columns(rows, indent="") if rows else [self._("No quota is declared yet")]

    def _quotas(self) -> list[QuotaStatus]:
        of_projects = [quota for project in self._status.projects for quota in project.quotas]
        return [*of_projects, *self._status.app_quotas]

    def _evidence(self, quota: QuotaStatus, held: HeldStatus) -> list[str]:
        """What is held: value, limit, since when, what was done, by which call, what the kernel's file says now."""
        resource = quota.resource
        first = f"{heading(harmless(_whose(quota)))} {self._(resource)}: {bad(self._(held.step))} {self._('since')} "
        first += (
            f"{self._time(held.since)}, {amount(resource, held.used)} {self._('of')} {amount(resource, held.limit)}"
        )
        says = harmless(held.pending) if held.pending else f"{harmless(held.file)}: {harmless(held.says)}"
        stands = "" if held.stands else f" {bad(self._('does not hold'))}"
        return [first, f"  {harmless(held.did)}: {harmless(held.call)}", f"  {says}{stands}"]

    def _quota(self, quota: QuotaStatus) -> list[str]:
        step = self._(quota.step)
        return [
            harmless(_whose(quota)),
            self._(quota.resource),
            amount(quota.resource, quota.used),
            amount(quota.resource, quota.soft),
            amount(quota.resource, quota.hard),
            step if quota.step == "fine" else bad(step),
            self._time(quota.since),
            self._(quota.would_do),
            f"{quota.would_have_acted} {self._('times')}",
        ]


def _whose(quota: QuotaStatus) -> str:
    return f"{quota.project}/{quota.app}" if quota.app else quota.project


def _why(quota: QuotaStatus) -> str:
    if quota.why:
        return f"why: {quota.why}"
    return "why: nothing" if quota.step in {"fine", "warn"} and quota.held is None else "why: due"


_ENGLISH: Mapping[str, str] = {
    "why: due": "is done when due",
    "why: nothing": "nothing to do now",
    "why: simulation": "simulation",
    "why: simulated first": "simulated first: {detail} more days",
    "why: gives way": "gives way: {detail}",
    "why: cannot enforce here": "cannot enforce here: {detail}",
    "why: released by hand": "left alone, by somebody's word",
    "why: not measured": "not measured: nothing changes",
    "why: grace": "waits for the grace to end",
    "why: waits for a human": "waits for a human ({detail}): coloc-agent quota confirm",
    "why: refused": "refused: {detail}",
}
