"""`restore --domain`: an app that was saved on one domain comes back on another. Only its settings are rewritten.

Addresses inside databases and an app's own files are its own affair: they are told as left to do, never guessed at.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from backup.manifest import Manifest
from backup.restore_files import walk
from backup.restore_plan import Target
from coloc.errors import ColocError

_NGINX = "etc/nginx/conf.d/"
_DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_MAX_BYTES = 4 * 1024 * 1024


def domain_of(manifest: Manifest) -> str:
    """The domain that an app was saved on, from where its nginx file lay; "" for none."""
    for path in manifest.extra_paths:
        folder, _, _ = path.removeprefix(_NGINX).partition("/")
        if path.startswith(_NGINX) and folder.endswith(".d"):
            return folder.removesuffix(".d")
    return ""


def require_domain(manifest: Manifest, domain: str) -> str:
    """The domain that it was saved on. Raises ColocError when nothing ties the app to one, or for no domain's name."""
    if not _DOMAIN.fullmatch(domain):
        raise ColocError(f"{domain[:80]!r} is no domain", hint="write it in small letters, such as blog.example.org")
    before = domain_of(manifest)
    if not before:
        raise ColocError(f"{manifest.app} was saved without a domain", hint="leave --domain out")
    return before


def moved(member: str, before: str, domain: str) -> str:
    """Where a setting lies on the new domain."""
    folder = f"{_NGINX}{before}.d/"
    return f"{_NGINX}{domain}.d/{member.removeprefix(folder)}" if member.startswith(folder) else member


def moved_targets(targets: Sequence[Target], before: str, domain: str) -> tuple[Target, ...]:
    """The targets with the new places of settings."""
    return tuple(
        replace(target, place=moved(target.member, before, domain)) if target.is_setting else target
        for target in targets
    )


def rewrite(top: Path, before: str, domain: str) -> int:
    """Write the new domain into every text file at or below `top`, a staged setting. Returns in how many."""
    word = re.compile(rb"(?<![A-Za-z0-9.-])" + re.escape(before.encode()) + rb"(?![A-Za-z0-9-]|\.[A-Za-z0-9])")
    return sum(_rewrite_file(path, word, domain.encode()) for path in list(walk(top)))


def _rewrite_file(path: Path, word: re.Pattern[bytes], domain: bytes) -> bool:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_BYTES:
        return False
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "r+b") as file:
        content = file.read()
        changed = word.sub(lambda _: domain, content)
        if b"\0" in content or changed == content:
            return False
        file.seek(0)
        file.write(changed)
        file.truncate()
    return True
