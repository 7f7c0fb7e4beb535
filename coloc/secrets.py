"""Secrets: read once from a file that only we can read, wrapped so that no log, metric or message can show them."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path
from typing import final

from coloc.errors import ConfigError

_MAX_BYTES = 64 * 1024


def forbid_core_dumps() -> None:
    """From now on neither we nor what we start (borg, ssh) leave a core dump: memory is where secrets are readable.

    One byte and not none: it is too small for any file, and the kernel starts no program that collects dumps for it.
    """
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 1 if most == resource.RLIM_INFINITY else min(1, most)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))


@final
class Secret:
    """A text that shows itself only when asked by `reveal()`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not pickled")


def read_secret(path: Path) -> Secret:
    """The first line of a secret's file. Raises ConfigError when it is missing, empty or readable by everybody."""
    return read_secrets(path)[0]


def read_secrets(path: Path) -> list[Secret]:
    """Every line of a secret's file, the first never empty. Raises ConfigError as `read_secret` does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"the secret {path} cannot be read: {getattr(error, 'strerror', None) or 'that is no path'}",
            hint=f"create it with mode 0600: install -m 600 /dev/stdin {path}",
        ) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"the secret {path} is not a file", hint="name the file itself in coloc.yml")
        if stat.S_IMODE(mode) & 0o007:
            raise ConfigError(f"the secret {path} can be read by everybody", hint=f"run: chmod 600 {path}")
        lines = [line.strip(b"\r") for line in os.read(descriptor, _MAX_BYTES).split(b"\n")]
    finally:
        os.close(descriptor)
    try:
        # The lines after the first are not ours to judge unless somebody asks for them.
        texts = [lines[0].decode("utf-8"), *(line.decode("utf-8", "replace") for line in lines[1:])]
    except UnicodeDecodeError:
        texts = ["\0"]
    if "\0" in texts[0]:
        # Not chained: the error would carry the bytes of the secret.
        raise ConfigError(f"the secret {path} is not a line of UTF-8 text", hint="write the secret again") from None
    if not texts[0]:
        raise ConfigError(f"the secret {path} is empty", hint="write the secret on its first line")
    return [Secret(text) for text in texts]


def find_secret(name: str, file: Path | None) -> Path:
    """Where a secret lies: the file the config names, else systemd's credential folder (LoadCredential=`name`)."""
    if file is not None:
        return file
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not folder:
        raise ConfigError(
            f"no file for the secret {name!r}", hint=f"name a file in coloc.yml, or LoadCredential={name}:… in the unit"
        )
    return Path(folder) / name
