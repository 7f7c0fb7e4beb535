"""The door before the page with real certificates and clients: who comes in, who does not, who is not held up."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests

from agent.client import AgentSilent, ask_status
from agent.door import Door
from agent.status import to_json
from agent.web import Request, Response, Web
from coloc.command import run
from coloc.config.places import Listen
from coloc.errors import ColocError
from tests.fakes.daemon_page import sample_status
from tests.fakes.pki import Pki
from tests.fakes.waiting import until

LEA = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
USERS = f"basic_auth_users: {{lea: '{LEA}'}}\n"


def hello(_: Request) -> Response:
    return Response(b"hello")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("pki"))
    for name in ("server", "other"):
        made.sign(name, "DNS:localhost,IP:127.0.0.1")
    made.sign("prometheus", "DNS:prometheus.test")
    made.sign("stranger", "DNS:stranger.test")
    return made


@pytest.fixture
def opened(pki: Pki) -> Iterator[Callable[..., Web]]:
    with ExitStack() as after:

        def opened(text: str, *, settle: float = 0.0, seconds: float = 15.0) -> Web:
            (pki.folder / "web.yml").write_text(text)
            door = Door(pki.folder / "web.yml", settle_seconds=settle)
            web = Web("127.0.0.1", 0, {"/": hello, "/-/healthy": hello}, door=door, connection_seconds=seconds)
            web.start()
            after.callback(web.stop)
            return web

        yield opened


def get(web: Web, pki: Pki, path: str = "/", **options: object) -> requests.Response:
    return requests.get(f"{web.url}{path}", timeout=30, **{"verify": str(pki.ca), **options})  # type: ignore[arg-type]


def test_tls_serves_who_trusts_the_authority(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(TLS)
    assert web.url.startswith("https://")
    assert get(web, pki).content == b"hello"


def test_curl_is_content_too(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(TLS + USERS)
    argv = ["curl", "-sS", "--cacert", str(pki.ca), "-u", "lea:secret", web.url]
    assert run(argv, timeout=60).stdout == "hello"


def test_a_client_in_clear_gets_nothing_from_a_tls_page(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(TLS)
    with socket.create_connection(web.address, timeout=30) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b"hello" not in everything(client)
    assert get(web, pki).ok


def everything(client: socket.socket) -> bytes:
    found = b""
    try:
        while more := client.recv(4096):
            found += more
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize("path", ["/", "/-/healthy", "/nowhere"])
def test_without_the_right_password_every_path_says_no(opened: Callable[..., Web], pki: Pki, path: str) -> None:
    web = opened(USERS)
    for auth in (None, ("lea", "wrong"), ("nobody", "secret"), ("lea", ""), ("", "secret"), ("lea", "secret\0")):
        answer = get(web, pki, path, auth=auth)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Basic")
    assert get(web, pki, path, auth=("lea", "secret")).status_code == (404 if path == "/nowhere" else 200)


@pytest.mark.parametrize("header", ["Basic", "Basic %%%", "Basic bGVh", "Bearer x", "Basic " + "A" * 5000, "basic é"])
def test_a_strange_header_is_no_way_in(opened: Callable[..., Web], header: str) -> None:
    web = opened(USERS)
    with socket.create_connection(web.address, timeout=30) as client:
        client.sendall(b"GET / HTTP/1.0\r\nAuthorization: " + header.encode() + b"\r\n\r\n")
        assert b" 401 " in everything(client).split(b"\r\n")[0]


def test_the_word_basic_in_other_letters_is_the_same(opened: Callable[..., Web], pki: Pki) -> None:
    headers = {"Authorization": "bAsIc " + b64encode(b"lea:secret").decode()}
    assert get(opened(USERS), pki, headers=headers).ok


def test_headers_of_the_file_are_on_every_answer(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(USERS + "http_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n")
    assert get(web, pki).headers["X-Frame-Options"] == "deny"
    assert get(web, pki, auth=("lea", "secret")).headers["X-Content-Type-Options"] == "nosniff"


ASKING = TLS.replace("}", ", client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert}")


def certificate(pki: Pki, name: str) -> tuple[str, str]:
    return str(pki.folder / f"{name}.pem"), str(pki.folder / f"{name}.key")


def test_a_client_needs_a_certificate_of_the_authority(opened: Callable[..., Web], pki: Pki, tmp_path: Path) -> None:
    web = opened(ASKING)
    assert get(web, pki, cert=certificate(pki, "stranger")).ok
    foreign = Pki(tmp_path)
    foreign.sign("prometheus", "DNS:prometheus.test")
    for cert in (None, certificate(foreign, "prometheus")):
        with pytest.raises(requests.ConnectionError):
            get(web, pki, cert=cert)


def test_only_the_names_that_the_file_allows_come_in(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(ASKING.replace("}", ", client_allowed_sans: [prometheus.test]}"))
    assert get(web, pki, cert=certificate(pki, "prometheus")).ok
    with pytest.raises(requests.ConnectionError):
        get(web, pki, cert=certificate(pki, "stranger"))


def test_the_oldest_version_is_the_file_s(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(TLS.replace("}", ", min_version: TLS13}"))
    context = ssl.create_default_context(cafile=str(pki.ca))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection(web.address, timeout=30) as client,
        pytest.raises(ssl.SSLError),
        context.wrap_socket(client, server_hostname="localhost"),
    ):
        pass


def test_silent_clients_hold_up_nobody(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(TLS + USERS)
    with ExitStack() as silent:
        for _ in range(10):
            silent.enter_context(socket.create_connection(web.address, timeout=30))
        assert get(web, pki, auth=("lea", "secret")).ok


def test_a_handshake_that_does_not_end_is_ended(opened: Callable[..., Web]) -> None:
    web = opened(TLS, seconds=0.5)
    with socket.create_connection(web.address, timeout=30) as client:
        client.sendall(b"\x16\x03\x01")
        assert everything(client) == b""


def test_a_renewed_certificate_is_taken_up(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(TLS)
    first = peer(web, pki)
    (pki.folder / "web.yml").write_text(TLS.replace("server.", "other."))
    until(lambda: peer(web, pki) != first, seconds=60)


def peer(web: Web, pki: Pki) -> object:
    context = ssl.create_default_context(cafile=str(pki.ca))
    with (
        socket.create_connection(web.address, timeout=30) as client,
        context.wrap_socket(client, server_hostname="localhost") as inner,
    ):
        found = inner.getpeercert()
        return found and found["subject"]


def test_new_users_are_known_and_old_ones_forgotten(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(USERS)
    assert get(web, pki, auth=("lea", "secret")).ok
    (pki.folder / "web.yml").write_text(USERS.replace("lea", "camille"))
    until(lambda: get(web, pki, auth=("camille", "secret")).ok, seconds=60)
    assert get(web, pki, auth=("lea", "secret")).status_code == 401


def test_a_broken_file_leaves_the_old_one_at_work(opened: Callable[..., Web], pki: Pki) -> None:
    web = opened(USERS)
    for text in ("", "basic_auth_users:\n", "basic_auth_users: {lea: secret}\n", "\0", "tls_server_config: {}\n"):
        (pki.folder / "web.yml").write_text(text)
        for _ in range(3):
            answers = get(web, pki, auth=("lea", "secret")), get(web, pki)
            assert [answer.status_code for answer in answers] == [200, 401]


def test_commands_ask_over_a_socket_file_when_the_page_is_closed(pki: Pki, tmp_path: Path) -> None:
    (pki.folder / "web.yml").write_text(TLS + USERS)
    listen = Listen(port=1, web_config=pki.folder / "web.yml")
    body = json.dumps(to_json(sample_status())).encode()
    with pytest.raises(AgentSilent):
        ask_status(listen, tmp_path)
    routes = {"/api/v1/status": lambda _: Response(body)}
    web = Web("127.0.0.1", 0, routes, door=Door(listen.web_config), beside=tmp_path / "status.sock")
    web.start()
    try:
        assert ask_status(listen, tmp_path, timeout=30).coloc == "hautepierre"
        assert (tmp_path / "status.sock").stat().st_mode & 0o777 == 0o660
    finally:
        web.stop()
    assert not (tmp_path / "status.sock").exists()


def test_a_socket_file_that_cannot_be_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ColocError, match="cannot listen on"):
        Web("127.0.0.1", 0, {}, beside=tmp_path / ("x" * 200) / "status.sock")


def test_a_socket_file_of_a_killed_daemon_is_replaced(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as old:
        old.bind(str(tmp_path / "status.sock"))
    web = Web("127.0.0.1", 0, {"/": hello}, beside=tmp_path / "status.sock")
    web.start()
    try:
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(30)
            client.connect(str(tmp_path / "status.sock"))
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = http.client.HTTPResponse(client)
            answer.begin()
            with closing(answer):
                assert answer.read() == b"hello"
    finally:
        web.stop()
