"""The secret links of projects' public pages: read once, compared without telling by the time it takes."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

from coloc.config.whole import Config
from coloc.errors import ConfigError
from coloc.secrets import Secret, read_secret

_FORM = re.compile(r"[A-Za-z0-9_-]{24,200}")


@dataclass(frozen=True, slots=True, repr=False)
class PublicLinks:
    """(digest of the secret, project): the secrets themselves are not kept."""

    digests: tuple[tuple[bytes, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.digests)

    def project_of(self, asked: str) -> str | None:
        """Whose page is meant. Every link is looked at each time, wherever the right one stands."""
        digest, found = _digest(asked), None
        for known, project in self.digests:
            if hmac.compare_digest(known, digest):
                found = project
        return found


def public_links(config: Config) -> PublicLinks:
    """The links of coloc.yml. Raises ConfigError when a file cannot be used, or when two projects have the same."""
    found: dict[bytes, str] = {}
    for name, project in config.projects.items():
        if project.public_link_file is None:
            continue
        digest = _digest(read_link(project.public_link_file).reveal())
        if digest in found:
            raise ConfigError(
                f"projects {found[digest]} and {name} have the same public link", hint="make a secret for each"
            )
        found[digest] = name
    return PublicLinks(tuple(found.items()))


def read_link(path: Path) -> Secret:
    """The secret of a link: long, and of signs that need no quoting in an address. Raises ConfigError."""
    secret = read_secret(path)
    if not _FORM.fullmatch(secret.reveal()):
        raise ConfigError(
            f"the secret {path} is no link: it wants 24 to 200 letters, digits, - or _",
            hint=f"head -c 24 /dev/urandom | base64 | tr +/ -_ | install -m 600 /dev/stdin {path}",
        )
    return secret


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
