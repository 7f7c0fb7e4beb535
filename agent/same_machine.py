"""Points out a channel whose server runs on this very machine: when the machine is down, nobody would be told."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

import psutil

from agent.checks import Point
from coloc.config.whole import Config
from coloc.language import n_

Resolve = Callable[[str], Iterable[str]]


def addresses_of_name(host: str) -> set[str]:
    """What the resolver says of a name; nothing when it does not know it."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        return set()


def own_addresses() -> set[str]:
    """The addresses of this machine's interfaces."""
    found = (address.address.partition("%")[0] for each in psutil.net_if_addrs().values() for address in each)
    return {address for address in found if "." in address or ":" in address}


def same_machine_points(
    config: Config,
    domains: Iterable[str],
    *,
    own: Callable[[], set[str]] = own_addresses,
    resolve: Resolve = addresses_of_name,
) -> Iterator[Point]:
    """One warning for each channel that lives here. `domains`: those that this server serves."""
    matrix, forum = config.channels.matrix, config.channels.forum
    urls = {"matrix": matrix.homeserver if matrix else "", "forum": forum.url if forum else ""}
    served = frozenset(domain.casefold() for domain in domains)
    for channel, url in urls.items():
        host = urlsplit(url).hostname or ""
        if host and _is_here(host.casefold(), served, own, resolve):
            yield Point(
                f"channels.{channel}",
                True,
                n_("{host} runs on this very machine: when it is down, nobody hears of it there"),
                n_("have another machine's server, or a second channel, tell you"),
                {"host": host},
                warns=True,
            )


def _is_here(host: str, served: frozenset[str], own: Callable[[], set[str]], resolve: Resolve) -> bool:
    if host in served or host == "localhost":
        return True
    found = {host} if _is_address(host) else set(resolve(host))
    return any(_is_loopback(address) for address in found) or bool(found & own())


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    return _is_address(text) and ipaddress.ip_address(text).is_loopback
