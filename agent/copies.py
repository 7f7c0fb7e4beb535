"""A copy of the server (a clone) speaks to its own console alone: the original speaks, until the copy is adopted."""

from __future__ import annotations

import logging
from dataclasses import replace

from coloc.config.channels import Channels, ConsoleChannel
from coloc.config.whole import Config
from coloc.machine import as_text, from_text, identity, is_another
from coloc.state import State

logger = logging.getLogger(__name__)
MACHINE = "machine"  # key of the state's meta


def speaking(config: Config, state: State) -> Config:
    """The configuration to speak with: as it is, or without the channels of the original. Raises StateError."""
    known, now = from_text(state.get(MACHINE) or ""), identity(config.root)
    if is_another(known, now):
        logger.error("this server is a copy: nothing is posted and nothing backed up before `coloc-agent adopt`")
        return replace(config, channels=Channels(console=ConsoleChannel()), heartbeat=None, alertmanager=None)
    if now.keys() - known.keys():
        with state.transaction():
            state.put(MACHINE, as_text(known | now))
    return config
