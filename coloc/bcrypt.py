"""Whether a password is the one behind a bcrypt hash, by the system's libcrypt: Python's own module for it is going."""

from __future__ import annotations

import ctypes
import hmac
import re
from functools import cache

from coloc.errors import ColocError

_HASH = re.compile(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_DEAREST = 14  # about a second; each step more doubles it
_WORK_BYTES = 32768  # sizeof(struct crypt_data): part of the library's ABI
_KNOWN = (
    "U*U",
    "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
)  # from the test vectors of bcrypt's author


def parse_hash(text: str) -> str:
    """A bcrypt hash that `matches` can try. Raises ValueError, and never repeats what was written."""
    match = _HASH.fullmatch(text)
    if not match:
        raise ValueError("is not a bcrypt hash; write what `htpasswd -nBC 10 NAME` prints behind the colon")
    if not 4 <= int(match[1]) <= _DEAREST:
        raise ValueError(f"is a bcrypt hash of cost {match[1]}; make one of cost 10, at most {_DEAREST}")
    return text


def matches(password: bytes, hashed: str) -> bool:
    """True when the password is the one that was hashed. Takes 50 ms at cost 10, with other threads running."""
    if b"\0" in password:  # C would see its beginning only
        return False
    work = ctypes.create_string_buffer(_WORK_BYTES)
    setting = hashed.encode()
    made: bytes | None = _library().crypt_rn(password, setting, work, _WORK_BYTES)
    return made is not None and hmac.compare_digest(made, setting)


def require_bcrypt() -> None:
    """Raises ColocError when this system's libcrypt does not know bcrypt."""
    try:
        works = matches(_KNOWN[0].encode(), _KNOWN[1])
    except (OSError, AttributeError) as error:
        raise ColocError("this system has no libcrypt that knows bcrypt", hint="apt install libcrypt1") from error
    if not works:
        raise ColocError("this system's libcrypt does not know bcrypt", hint="apt install libcrypt1")


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt_rn.restype = ctypes.c_char_p
    library.crypt_rn.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int]
    return library
