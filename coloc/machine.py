"""Which machine this is: so that a copy of the server notices that it is one, and does not act for the original."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

# Proxmox gives a clone a new product_uuid (root alone reads it), a cleaned template a new machine-id.
_PLACES = {"machine-id": "etc/machine-id", "product-uuid": "sys/class/dmi/id/product_uuid"}
Identity = Mapping[str, str]


def identity(root: Path) -> dict[str, str]:
    """What can be read of it, hashed: the number itself is not for other programs to see."""
    found = {}
    for name, place in _PLACES.items():
        try:
            text = (root / place).read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if text and text != "uninitialized":
            found[name] = hashlib.sha256(f"coloc-agent {name} {text}".encode()).hexdigest()[:32]
    return found


def is_another(before: Identity, now: Identity) -> bool:
    """True when something that was known then and is known now has changed. Pure."""
    return any(before[name] != now[name] for name in before.keys() & now.keys())


def as_text(known: Identity) -> str:
    """For keeping."""
    return json.dumps(dict(sorted(known.items())))


def from_text(text: str) -> dict[str, str]:
    """The reverse; what cannot be read is nothing known."""
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in data.items()} if isinstance(data, dict) else {}
