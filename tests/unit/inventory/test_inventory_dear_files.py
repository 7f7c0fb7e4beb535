"""Files made so that a careless reader takes minutes or hours: each is read in a moment, or refused."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from coloc.inventory.yunohost import InventoryReader
from coloc.model import AppState
from tests.fakes.yunohost import FakeServer

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MANY = 250_000


class TooLong(BaseException):
    """Not an Exception, and no OSError: nothing on the way may catch it."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _urls(number: int) -> dict[str, object]:
    more = [f"other{number}.test/{item}" for item in range(50)]
    return {"url": f"/{number}", "allowed": [], "additional_urls": more}


def _ways_without_end(server: FakeServer) -> None:
    for name in ("a", "a_a"):
        (server.root / "var/www/odd" / name).symlink_to(".")
    server.app("odd", **{"checksum__var_www_odd" + "_a" * 150 + "_gone": "f" * 32})


def _wide_folder(server: FakeServer) -> None:
    for number in range(5000):
        (server.root / f"var/www/odd/file{number}").touch()
    server.app("odd", **{f"checksum__var_www_odd_gone{number}": "f" * 32 for number in range(1500)})


DEAR: dict[str, Callable[[FakeServer], object]] = {
    "empty lines": lambda server: server.write("/etc/logrotate.d/odd", "\n" * MANY + "x"),
    "words": lambda server: server.write("/etc/logrotate.d/odd", "/a/b " * (MANY // 5)),
    "blanks": lambda server: server.write("/etc/php/8.2/fpm/pool.d/odd.conf", "[" + " " * MANY + "x"),
    "paths": lambda server: server.write("/etc/systemd/system/odd.service", "ExecStart=" + "/a " * (MANY // 3)),
    "base 60": lambda server: server.write("/etc/yunohost/apps/odd/settings.yml", "x: " + "1:" * (MANY // 2) + "1\n"),
    "dots": lambda server: server.write("/etc/yunohost/apps/odd/manifest.toml", "a." * (MANY // 2) + "a = 1\n"),
    "urls": lambda server: server.app("odd", _permissions={f"p{number}": _urls(number) for number in range(150)}),
    "ways": _ways_without_end,
    "wide folder": _wide_folder,
}


@pytest.mark.parametrize("kind", DEAR)
def test_a_file_made_to_be_dear_is_not(server: FakeServer, kind: str) -> None:
    server.app("good")
    server.app("odd")
    DEAR[kind](server)

    with within(5):
        apps = InventoryReader(server.root).read(NOW).apps

    assert apps["good"].state is AppState.OK
    assert set(apps) == {"good", "odd"}
