"""Read coloc.yml: every key is known, every mistake is told at once. Reading changes nothing anywhere."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TypeVar

from coloc.config.documents import MAX_TOLD, read_yaml
from coloc.config.mistakes import at_line, by_line, mistake
from coloc.config.strangers import strangers
from coloc.config.values import Described
from coloc.config.whole import Config
from coloc.errors import ConfigError

_MAX_BYTES = 256 * 1024
_Model = TypeVar("_Model", bound=Described)


def load_config(path: Path) -> Config:
    """Read coloc.yml. Raises ConfigError with one line per mistake: place, what is wrong, what to write."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}",
            hint="write one with `coloc-agent init`, or name it with --config",
        ) from error
    if len(raw) > _MAX_BYTES:
        raise ConfigError(f"{path} is larger than {_MAX_BYTES // 1024} KiB", hint="is it the right file?")
    return parse_config(raw, str(path))


def parse_config(raw: bytes, name: str) -> Config:
    """The same from bytes; `name` is how messages call the file."""
    from pydantic import ValidationError  # noqa: PLC0415 - heavy, and only reading needs it

    node, data, repeated = read_yaml(raw, name)
    problems = repeated + [at_line(node, place, words) for place, words in islice(strangers(data), MAX_TOLD)]
    config = None
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        # Of the names that do not agree (a mistake without a place) every one is in the list already.
        found = [item for item in error.errors(include_url=False) if item["loc"] or item["type"] != "value_error"]
        problems += [mistake(item, node, Config) for item in found[:MAX_TOLD]]
    if config is None or problems:
        told = sorted(set(problems), key=by_line)
        lines = "\n".join(f"{name}, {problem}" for problem in told[:MAX_TOLD])
        more = f"\n{name}: and more" if len(told) > MAX_TOLD else ""
        raise ConfigError(lines + more, hint="nothing was changed; mend these lines and try again")
    return config


def parse_as(model: type[_Model], raw: bytes, name: str) -> _Model:
    """Another file that people write, read with the same care. Raises ConfigError with one line per mistake."""
    from pydantic import ValidationError  # noqa: PLC0415 - heavy, and only reading needs it

    node, data, problems = read_yaml(raw, name)
    try:
        if not problems:
            return model.model_validate(data)
    except ValidationError as error:
        problems = [mistake(item, node, model) for item in error.errors(include_url=False)[:MAX_TOLD]]
    told = sorted(set(problems), key=by_line)
    raise ConfigError("\n".join(f"{name}, {problem}" for problem in told[:MAX_TOLD]), hint="mend these lines")
