"""How the agent logs: one line a record, its values behind it, control characters made harmless. Never a secret."""

from __future__ import annotations

import logging
import sys
from typing import TextIO

_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class OneLine(logging.Formatter):
    """`WARNING agent.daemon the clock jumped seconds=3600`; systemd adds the time."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line; a traceback follows on lines of its own."""
        values = {key: value for key, value in vars(record).items() if key not in _PLAIN}
        words = [record.levelname, record.name, record.getMessage()]
        words += [f"{key}={_harmless(str(value))}" for key, value in values.items()]
        line = " ".join(words)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def log_to(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Send every logger of the program to a stream (stderr when none is given)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(OneLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("schedule").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.WARNING)


def _harmless(text: str) -> str:
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)[:1000]
