"""Until when a certificate on disk is good, asked of openssl: Python's ssl only reads those of a connection."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime

from coloc.command import Run, run
from coloc.errors import ColocError

_SECONDS = 10.0


def expiry_of(pem: bytes, *, ask: Run = run) -> datetime:
    """The end of the first certificate of a PEM file, in UTC. Raises ColocError."""
    answer = ask(["openssl", "x509", "-noout", "-enddate"], timeout=_SECONDS, stdin=pem)
    return parse_end(answer.stdout)


def parse_end(text: str) -> datetime:
    """`notAfter=Nov 24 03:52:07 2036 GMT` as a time. Raises ColocError for anything else."""
    match = re.match(r"notAfter=([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT)\s*\Z", text, re.ASCII)
    try:
        if match:
            return datetime.fromtimestamp(ssl.cert_time_to_seconds(match[1]), UTC)
    except (ValueError, OverflowError, OSError):
        pass
    raise ColocError("openssl told no end of the certificate")
