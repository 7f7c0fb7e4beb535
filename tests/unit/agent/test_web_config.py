"""The web-config file: what it may say, what its mistakes are told as, and that no mistake opens the door."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.door import Door, Verdicts, _credentials
from agent.web_config import headers_of, read_web_config, tls_context
from coloc import bcrypt
from coloc.errors import ConfigError

HASH = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
CERTIFICATE = "cert_file: a, key_file: b"


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "web.yml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("basic_auth_users: {lea: hunter2hunter2}", "basic_auth_users.lea: is not a bcrypt hash"),
        (f"basic_auth_users: {{lea: '{HASH.replace('$04', '$15')}'}}", "of cost 15"),
        (f"basic_auth_users: {{lea: '{HASH.replace('$04', '$03')}'}}", "of cost 03"),
        (f"basic_auth_users: {{'l:a': '{HASH}'}}", "write a name without colons"),
        ("basic_auth_users: {lea: 1234}", "basic_auth_users.lea: write a text"),
        ("basic_auth_user: {}", "did you mean 'basic_auth_users'?"),
        ("http_server_config: {headers: {X-Frame-Option: deny}}", "did you mean 'X-Frame-Options'?"),
        ('http_server_config: {headers: {X-Frame-Options: "a\\nb"}}', "on one line"),
        (f"tls_server_config: {{{CERTIFICATE}, min_version: TLS10}}", "write TLS12 or TLS13"),
        (f"tls_server_config: {{{CERTIFICATE}, min_version: TLS13, max_version: TLS12}}", "min_version is above"),
        (f"tls_server_config: {{{CERTIFICATE}, client_auth_type: RequireAnyClientCert}}", "that nobody verifies"),
        (f"tls_server_config: {{{CERTIFICATE}, client_auth_type: RequireAndVerifyClientCert}}", "write client_ca_file"),
        (f"tls_server_config: {{{CERTIFICATE}, client_ca_file: c}}", "nobody is asked"),
        (f"tls_server_config: {{{CERTIFICATE}, client_allowed_sans: [a]}}", "client_allowed_sans needs"),
        (f"tls_server_config: {{{CERTIFICATE}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}}", "the weak ones"),
        ("tls_server_config: {cert_file: a}", "key_file: is missing"),
        ("", "holds no configuration"),
        (b"\xff", "is not UTF-8"),
        (b"a: " * 5000, "YAML"),
        (b"#" * 300_000, "not a file of settings"),
    ],
)
def test_a_mistake_is_told_without_what_was_written(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_web_config(written(tmp_path, text))
    assert words in caught.value.sentence()
    assert "hunter2" not in caught.value.sentence()
    assert HASH[10:] not in caught.value.sentence()


def test_what_exporters_read_is_read(tmp_path: Path) -> None:
    text = (
        f"tls_server_config: {{{CERTIFICATE}, client_ca_file: c, client_auth_type: VerifyClientCertIfGiven,\n"
        "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,\n"
        "    TLS_AES_128_GCM_SHA256], prefer_server_cipher_suites: false}\n"
        "http_server_config: {http2: true, headers: {Strict-Transport-Security: max-age=9, X-Frame-Options: ''}}\n"
        f"basic_auth_users: {{lea: '{HASH}'}}\n"
    )
    config = read_web_config(written(tmp_path, text))
    assert config.tls_server_config is not None
    assert config.tls_server_config.cipher_suites == (
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "",
    )
    assert headers_of(config) == {"Strict-Transport-Security": "max-age=9"}


def test_a_file_that_is_none_is_an_error_at_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "gone", tmp_path, tmp_path / "fifo"):
        with pytest.raises(ConfigError):
            Door(path)


def test_a_certificate_that_is_none_is_told_by_its_name(tmp_path: Path) -> None:
    for content in (None, "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        if content is not None:
            (tmp_path / "a").write_text(content)
            (tmp_path / "b").write_text(content)
        config = read_web_config(written(tmp_path, f"tls_server_config: {{{CERTIFICATE}}}"))
        with pytest.raises(ConfigError, match=str(tmp_path / "a")):
            tls_context(config, tmp_path)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def basic(name: str) -> str:
    from base64 import b64encode

    return "Basic " + b64encode(f"{name}:secret".encode()).decode()


def test_a_change_counts_once_it_stayed_for_a_moment(tmp_path: Path) -> None:
    clock, users = Clock(), f"basic_auth_users: {{lea: '{HASH}'}}\n"
    path = written(tmp_path, users)
    door = Door(path, settle_seconds=2, clock=clock)
    path.write_text(users.replace("lea", "camille"))
    assert door.refresh() is None
    clock.now = 1.9
    assert door.refresh() is None
    assert door.admits(basic("lea"))
    clock.now = 2.0
    assert door.refresh() is None
    assert (door.admits(basic("camille")), door.admits(basic("lea"))) == (True, False)


def test_a_file_that_breaks_is_told_until_it_is_mended(tmp_path: Path) -> None:
    clock, users = Clock(), f"basic_auth_users: {{lea: '{HASH}'}}\n"
    path = written(tmp_path, users)
    door = Door(path, settle_seconds=0, clock=clock)
    path.unlink()
    assert "cannot be read" in str(door.refresh())
    assert door.admits(basic("lea"))
    assert not door.admits("")
    path.write_text(users)
    assert door.refresh() is None


def test_without_a_file_the_door_is_open() -> None:
    door = Door()
    assert (door.refresh(), door.scheme, door.admits(""), dict(door.headers)) == (None, "http", True, {})


def test_bcrypt_is_asked_once_for_each_password_and_its_verdicts_are_few() -> None:
    asked: list[bytes] = []

    def check(password: bytes, hashed: str) -> bool:
        asked.append(password)
        return password == b"right"

    verdicts = Verdicts(most=3, check=check)
    assert verdicts.of("lea", b"right", HASH)
    for number in range(20):
        assert not verdicts.of("lea", b"guess %d" % number, HASH)
    assert verdicts.of("lea", b"right", HASH)
    assert (len(asked), len(verdicts)) == (21, 4)


def test_names_and_passwords_do_not_run_into_each_other() -> None:
    verdicts = Verdicts(check=lambda password, _: password == b"bc")
    assert verdicts.of("a", b"bc", HASH)
    assert not verdicts.of("ab", b"c", HASH)


@pytest.mark.parametrize("kind", ["$2a$", "$2b$", "$2y$"])
def test_libcrypt_knows_every_kind_of_hash(kind: str) -> None:
    assert bcrypt.matches(b"secret", HASH.replace("$2y$", kind))
    assert not bcrypt.matches(b"Secret", HASH.replace("$2y$", kind))
    assert not bcrypt.matches(b"secret\0", HASH.replace("$2y$", kind))


def test_libcrypt_passes_its_own_test() -> None:
    bcrypt.require_bcrypt()


@given(st.one_of(st.text(), st.binary().map(lambda raw: "Basic " + raw.decode("latin-1"))))
def test_no_header_makes_the_door_raise(header: str) -> None:
    found = _credentials(header)
    assert found is None or (isinstance(found[0], str) and isinstance(found[1], bytes))
