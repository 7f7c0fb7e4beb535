"""Reads coloc.yml and the web-config file in a program of its own that ends when it has answered.

The daemon holds what was read for months, but not the library that reads it, nor what reading left in the heap: a
fourth of its memory (docs/decisions/014). What comes back was made by our own code from our own account.
"""

from __future__ import annotations

import base64
import binascii
import pickle
import sys
from pathlib import Path
from typing import Any

from agent.web_config import WebConfig, read_web_config
from coloc.command import CommandFailed, Run, run
from coloc.config.reading import load_config
from coloc.config.whole import Config
from coloc.errors import ColocError, ConfigError

_TIMEOUT = 30.0  # below WatchdogSec
# What an answer that is cut, or of code that was upgraded meanwhile, can bring about.
_NOT_OURS = (pickle.UnpicklingError, binascii.Error, EOFError, ImportError, AttributeError, ValueError, TypeError)
_READERS = {"coloc.yml": load_config, "web-config": read_web_config}


def load_config_aside(path: Path, *, run: Run = run) -> Config:
    """As load_config. Raises ConfigError for what is wrong with the file, ColocError when nothing could read it."""
    config: Config = _aside("coloc.yml", path, run)
    return config


def read_web_config_aside(path: Path, *, run: Run = run) -> WebConfig:
    """As read_web_config. Raises ColocError as well when nothing could read it."""
    config: WebConfig = _aside("web-config", path, run)
    return config


def _aside(kind: str, path: Path, run: Run) -> Any:
    # -P: what lies in the folder where we were started is not ours to import.
    argv = [sys.executable, "-P", "-m", "agent.reading_aside", kind, str(path)]
    try:
        answer = run(argv, timeout=_TIMEOUT, env={"PYTHONPATH": _package_path()}).stdout
        value, problem, hint = pickle.loads(base64.b64decode(answer))  # noqa: S301 - what our own child has just said
    except CommandFailed as error:
        raise ColocError(
            f"{path} could not be read: the program that reads it: {error.sentence()}",
            hint="is there memory left (free -m)? then: coloc-agent check",
        ) from error
    except _NOT_OURS as error:
        raise ColocError(
            f"{path} could not be read: what the program that reads it answered makes no sense",
            hint="restart the agent after an upgrade: systemctl restart coloc-agent",
        ) from error
    if problem is not None:
        raise ConfigError(problem, hint=hint)
    return value


def _package_path() -> str:
    """The folder that holds our packages: the child takes the code that we run, wherever it was started from."""
    return str(Path(__file__).resolve().parent.parent)


def main() -> None:
    """In the child: the value, or the sentence and its hint."""
    kind, path = sys.argv[1:]
    try:
        answer: tuple[Any, str | None, str] = (_READERS[kind](Path(path)), None, "")
    except ColocError as error:
        answer = (None, str(error), error.hint)
    sys.stdout.write(base64.b64encode(pickle.dumps(answer)).decode())


if __name__ == "__main__":
    main()
