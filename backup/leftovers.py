"""What a killed run left in staging: cleared before a run and after it, under the lock. Ours alone."""

from __future__ import annotations

import shutil

from coloc.config.whole import Config
from coloc.errors import StateError


def clear_leftovers(config: Config) -> None:
    """Empty staging, and make the folder of Borg. Raises StateError."""
    shutil.rmtree(config.paths.journal / "staging", ignore_errors=True)
    try:
        (config.paths.journal / "borg").mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StateError(
            f"{config.paths.journal} cannot be written: {error.strerror}", hint="run it as root; is its disk full?"
        ) from error
