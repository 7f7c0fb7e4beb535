"""An address from coloc.yml or a file, taken apart with care: it may be a secret, so no sentence of ours repeats it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from coloc.errors import ConfigError
from coloc.secrets import Secret


def split_address(url: Secret, key: str) -> tuple[str, str]:
    """Server and path of the address that `key` of coloc.yml gives.

    Raises ConfigError unless it is https, or http to this very machine.
    """
    try:
        parts = urlsplit(url.reveal())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or (parts.scheme == "http" and not is_loopback(host)):
        # Not chained: the library's words hold parts of it.
        raise ConfigError(
            f"{key}: this address is neither https nor on this machine",
            hint="write https://…, or http://127.0.0.1:PORT/… for a program of this server",
        ) from None
    return f"{parts.scheme}://{parts.netloc}", (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def is_loopback(host: str) -> bool:
    """True for this very machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
