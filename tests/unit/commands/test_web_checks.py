"""What the check says of the door before the page, with certificates that openssl made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.web_checks import web_points
from coloc.certificates import parse_end
from coloc.config.reading import parse_config
from coloc.errors import ColocError
from tests.fakes.pki import Pki

HASH = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
USERS = f"basic_auth_users: {{lea: '{HASH}'}}\n"
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("pki"))
    made.sign("server", "DNS:localhost")
    made.sign("other", "DNS:localhost")
    return made


def told(pki: Pki, text: str, *, host: str = "127.0.0.1", mode: int = 0o640, days: float = 0) -> str:
    file = pki.folder / "web.yml"
    file.write_text(text)
    file.chmod(mode)
    return points(f"{{host: '{host}', web_config: {file}}}", days=days)


def points(listen: str, *, days: float = 0) -> str:
    config = parse_config(f"coloc: {{name: a}}\nlisten: {listen}\n".encode(), "coloc.yml")
    found = list(web_points(config, datetime.now(UTC) + timedelta(days=days)))
    assert all(point.hint() for point in found if not point.ok)
    return "\n".join(f"{point.ok} {point.sentence()}" for point in found)


def test_a_page_of_this_server_alone_needs_nothing() -> None:
    for listen in ("9942", "'[::1]:9942'", "{host: localhost}"):
        assert points(listen) == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "agent.example.org", "::"])
def test_a_page_of_everybody_is_told(host: str) -> None:
    assert "can be read by everybody who reaches it" in points(f"{{host: '{host}'}}")


def test_a_good_file_is_one_line(pki: Pki) -> None:
    assert told(pki, TLS + USERS, host="0.0.0.0").splitlines()[0].startswith("True")
    assert told(pki, TLS + USERS, host="0.0.0.0").endswith("TLS, 1 users")


def test_each_thing_that_is_wrong_is_told(pki: Pki) -> None:
    assert "nobody must say who they are" in told(pki, TLS, host="0.0.0.0")
    assert "cross the network in clear" in told(pki, USERS, host="0.0.0.0")
    assert "can be read by everybody" in told(pki, USERS, mode=0o644)
    assert "is not a bcrypt hash" in told(pki, "basic_auth_users: {lea: secret}")
    assert "the key is not the certificate's" in told(pki, TLS.replace("server.key", "other.key"))
    assert "cannot be used: No such file" in told(pki, TLS.replace("server.pem", "gone.pem"))


def test_a_certificate_that_ends_is_told(pki: Pki) -> None:
    assert told(pki, TLS).startswith("True")
    assert " ends " in told(pki, TLS, days=20)
    assert " ended " in told(pki, TLS, days=40)


def test_a_key_that_everybody_can_read_is_told(pki: Pki) -> None:
    key = pki.folder / "server.key"
    before = key.stat().st_mode
    key.chmod(0o644)
    assert "server.key can be read by everybody" in told(pki, TLS)
    key.chmod(before)


@pytest.mark.parametrize("text", ["", "notAfter=\n", "notAfter=Xyz 99 99:99:99 2030 GMT\n", "notAfter=Jan 1 2030", "é"])
def test_an_end_that_is_none_is_an_expected_failure(text: str) -> None:
    with pytest.raises(ColocError):
        parse_end(text)


def test_an_end_is_in_utc(tmp_path: Path) -> None:
    assert parse_end("notAfter=Jan  2 03:04:05 2030 GMT\n") == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
