"""The web-config file, as Prometheus' exporters read it: certificate, headers, users. Reading it changes nothing."""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Annotated

from coloc.bcrypt import parse_hash, require_bcrypt
from coloc.config.marks import CheckedBy, Within
from coloc.config.mistakes import nearest
from coloc.config.reading import parse_as
from coloc.config.values import Described
from coloc.errors import ConfigError

_MAX_BYTES = 256 * 1024
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_ASKS = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_CIPHER = re.compile(r"TLS_(ECDHE)_(RSA|ECDSA)_WITH_(AES_(?:128|256)_GCM_SHA(?:256|384)|CHACHA20_POLY1305(?:_SHA256)?)")
_HEADERS = (
    "Content-Security-Policy",
    "X-Frame-Options",
    "X-Content-Type-Options",
    "X-XSS-Protection",
    "Strict-Transport-Security",
)
_HEADER = re.compile(r"[\x20-\x7e]{1,2000}")


def _old_version(value: str) -> str:
    if value in {"TLS10", "TLS11"}:
        raise ValueError("write TLS12 or TLS13: older ones are broken")
    if value not in _VERSIONS:
        raise ValueError("write TLS12 or TLS13")
    return value


def _asked_of_clients(value: str) -> str:
    if value not in _ASKS:
        raise ValueError(f"write one of {', '.join(_ASKS)}: a certificate that nobody verifies says nothing")
    return value


def _cipher(name: str) -> str:
    """Go's name of a cipher of TLS 1.2 as OpenSSL's; those of 1.3 cannot be chosen, in Go neither."""
    if name.startswith(("TLS_AES_", "TLS_CHACHA20_")):
        return ""
    match = _CIPHER.fullmatch(name)
    if not match:
        raise ValueError("write suites such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256; the weak ones are not offered")
    rest = match[3].removesuffix("_SHA256") if "CHACHA" in match[3] else match[3]
    return f"{match[1]}-{match[2]}-{rest.replace('AES_', 'AES').replace('_', '-')}"


def _header_name(name: str) -> str:
    if name not in _HEADERS:
        raise ValueError(f"is not a header that may be added{nearest(name, _HEADERS)}")
    return name


def _header(value: str) -> str:
    if value and not _HEADER.fullmatch(value):
        raise ValueError("write a header of plain letters on one line")
    return value


Version = Annotated[str, CheckedBy(_old_version)]
HeaderName = Annotated[str, CheckedBy(_header_name)]
Header = Annotated[str, CheckedBy(_header)]
Hash = Annotated[str, CheckedBy(parse_hash)]
User = Annotated[str, Within(pattern=r"^[^:\x00-\x1f]{1,100}$")]


class TlsServer(Described):
    """Our certificate, and what is asked of a client's."""

    cert_file: Annotated[str, Within(min_length=1)]
    key_file: Annotated[str, Within(min_length=1)]
    client_auth_type: Annotated[str, CheckedBy(_asked_of_clients)] = "NoClientCert"
    client_ca_file: str = ""
    client_allowed_sans: tuple[str, ...] = ()
    min_version: Version = "TLS12"
    max_version: Version = "TLS13"
    cipher_suites: tuple[Annotated[str, CheckedBy(_cipher)], ...] = ()
    prefer_server_cipher_suites: bool = True

    def __post_init__(self) -> None:
        verifies = self.client_auth_type != "NoClientCert"
        if verifies and not self.client_ca_file:
            raise ValueError("client_auth_type wants certificates of clients: write client_ca_file")
        if self.client_ca_file and not verifies:
            raise ValueError("client_ca_file is there, but nobody is asked: write client_auth_type")
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            raise ValueError("client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert")
        if self.min_version > self.max_version:
            raise ValueError("min_version is above max_version")


class HttpServer(Described):
    """How answers are sent. `http2` is known and without effect: we speak HTTP/1."""

    http2: bool = True
    headers: dict[HeaderName, Header] = field(default_factory=dict)  # an empty one is not sent

    def __post_init__(self) -> None:
        if self.headers.get("X-Content-Type-Options", "") not in {"", "nosniff"}:
            raise ValueError("write nosniff in X-Content-Type-Options, or take it out")


class WebConfig(Described):
    """The whole file."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: dict[User, Hash] = field(default_factory=dict)


def read_web_config(path: Path) -> WebConfig:
    """The file as it is now. Raises ConfigError; a hash or a password is never part of its words."""
    config = parse_as(WebConfig, _read(path), str(path))
    if config.basic_auth_users:
        require_bcrypt()
    return config


def tls_context(config: WebConfig, folder: Path) -> ssl.SSLContext | None:
    """What connections are wrapped in, or None without TLS. Files are named from `folder` on. Raises ConfigError."""
    tls = config.tls_server_config
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    if not tls.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    ciphers = [name for name in tls.cipher_suites if name]
    if ciphers:
        _told("cipher_suites", lambda: context.set_ciphers(":".join(ciphers)))
    certificate, key = folder / tls.cert_file, folder / tls.key_file
    # A key with a passphrase would have OpenSSL ask on the terminal: an empty one makes that an error.
    _told(f"{certificate} with {key}", lambda: context.load_cert_chain(certificate, key, password=""))
    if tls.client_ca_file:
        authority = folder / tls.client_ca_file
        _told(str(authority), lambda: context.load_verify_locations(authority))
    context.verify_mode = _ASKS[tls.client_auth_type]
    return context


def files_of(config: WebConfig, folder: Path) -> tuple[Path, ...]:
    """The files that the file names."""
    tls = config.tls_server_config
    names = (tls.cert_file, tls.key_file, tls.client_ca_file) if tls else ()
    return tuple(folder / name for name in names if name)


def headers_of(config: WebConfig) -> dict[str, str]:
    """What is added to every answer."""
    return {name: value for name, value in config.http_server_config.headers.items() if value}


_WORDS = {
    "KEY_VALUES_MISMATCH": "the key is not the certificate's",
    "NO_START_LINE": "it is not PEM",
    "EE_KEY_TOO_SMALL": "the key is too short",
}


def _told(what: str, act: Callable[[], object]) -> None:
    try:
        act()
    except (OSError, ValueError) as error:  # SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "OpenSSL refuses it"
        raise ConfigError(
            f"{what} cannot be used: {_WORDS.get(str(reason), str(reason))}",
            hint="name a certificate in PEM with its chain, and its key without a passphrase",
        ) from error


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            raw = file.read(_MAX_BYTES + 1) if is_file else b""
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}", hint="write it, or take listen.web_config out of coloc.yml"
        ) from error
    if not is_file or len(raw) > _MAX_BYTES:
        raise ConfigError(f"{path} is not a file of settings", hint="name the file itself in listen.web_config")
    return raw
