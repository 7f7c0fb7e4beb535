"""Whether the keys are in other hands, as a fact for the daemon; and the monthly proof of it, after a night."""

from __future__ import annotations

import logging
from datetime import datetime

from backup import escrow
from backup.journal import Journal
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.facts import Spool

logger = logging.getLogger(__name__)


def tell_escrow(config: Config, journal: Journal, spool: Spool, now: datetime) -> None:
    """Look, and report it. Raises StateError."""
    standing = _look(config, journal, now)
    spool.write("escrow", now, ok=standing.ok, why=standing.why)


def prove_when_due(config: Config, journal: Journal, spool: Spool, now: datetime) -> str:
    """After a night: once a month open every repository with the sheet alone; then one fact. "" or why not."""
    standing = _look(config, journal, now)
    failure = _prove(config, journal, now) if standing.is_proof_due else ""
    if failure:
        logger.warning("the recovery sheet was not proven", extra={"why": failure})
        standing = escrow.Standing(False, f"the recovery sheet does not open a repository: {failure}")
    spool.write("escrow", now, ok=standing.ok, why=standing.why)
    return f"recovery sheet: {failure}" if failure else ""


def _look(config: Config, journal: Journal, now: datetime) -> escrow.Standing:
    try:
        return escrow.standing(escrow.fingerprint(config, journal), escrow.remembered(journal), now)
    except (ColocError, OSError) as error:
        return escrow.Standing(False, f"what opens the backups cannot be read: {error}")


def _prove(config: Config, journal: Journal, now: datetime) -> str:
    """Why the very sheet that was given away does not open a repository; "" when it opens them all."""
    try:
        identity, _ = escrow.prover(journal)
        sheet = escrow.decrypt(journal.folder / "escrow" / f"{config.coloc.name}.age", identity)
        outcome = escrow.prove(escrow.read_sheet(sheet), journal.folder)
        failures = [why for why in outcome.values() if why]
        if not failures:
            escrow.remember(journal, "escrow-proven", escrow.fingerprint(config, journal), now)
    except (ColocError, OSError) as error:
        failures = [str(error)]
    return failures[0] if failures else ""
