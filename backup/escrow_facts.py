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


def tell_escrow(config: Config, journal: Journal, spool: Spool, now: datetime) -> escrow.Standing:
    """Look, and report it. Raises StateError."""
    try:
        mark = escrow.fingerprint(config, journal)
        standing = escrow.standing(mark, escrow.remembered(journal), now)
    except (ColocError, OSError) as error:
        standing = escrow.Standing(False, f"what opens the backups cannot be read: {error}")
    spool.write("escrow", now, ok=standing.ok, why=standing.why)
    return standing


def prove_when_due(config: Config, journal: Journal, spool: Spool, now: datetime) -> str:
    """After a night: tell, and once a month open every repository with the sheet alone; "" or why not."""
    if not tell_escrow(config, journal, spool, now).is_proof_due:
        return ""
    try:
        identity, _ = escrow.prover(journal)
        sheet = escrow.decrypt(journal.folder / "escrow" / f"{config.coloc.name}.age", identity)
        outcome = escrow.prove(escrow.read_sheet(sheet), journal.folder)
        failures = [why for why in outcome.values() if why]
    except (ColocError, OSError) as error:
        failures = [str(error)]
    if not failures:
        escrow.remember(journal, "escrow-proven", escrow.fingerprint(config, journal), now)
        return ""
    logger.warning("the recovery sheet was not proven", extra={"why": failures[0]})
    spool.write("escrow", now, ok=False, why=f"the recovery sheet does not open a repository: {failures[0]}")
    return f"recovery sheet: {failures[0]}"
