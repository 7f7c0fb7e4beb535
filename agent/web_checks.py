"""What `coloc-agent check` says of the page's door: who can reach it, the web-config file, its certificate and key."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from agent.checks import Point, failed
from agent.web_config import WebConfig, read_web_config, tls_context
from coloc.certificates import expiry_of
from coloc.config.places import Listen
from coloc.config.whole import Config
from coloc.errors import ColocError
from coloc.language import n_
from coloc.times import for_people

_SOON = timedelta(days=14)


def web_points(config: Config, now: datetime) -> Iterator[Point]:
    """One line for who may come in, and one for each thing that is wrong."""
    listen, path = config.listen, config.listen.web_config
    is_far = not is_loopback(listen)
    if path is None:
        if is_far:
            hint = n_("write listen: 127.0.0.1:9942, or name users in listen.web_config")
            yield Point(
                "listen", False, n_("{listen} can be read by everybody who reaches it"), hint, {"listen": listen}
            )
        return
    subject = "listen.web_config"
    try:
        web = read_web_config(path)
        tls_context(web, path.parent)
    except ColocError as error:
        yield failed(subject, error)
        return
    problems = [*_openness(web, path, is_far=is_far), *_certificate(config, web, path, now)]
    yield from problems
    if not problems:
        told = n_("{file}: TLS, {users} users") if web.tls_server_config else n_("{file}: no TLS, {users} users")
        yield Point(subject, True, told, values={"file": path, "users": len(web.basic_auth_users)})


def is_loopback(listen: Listen) -> bool:
    """True when only this server reaches the address."""
    try:
        return ipaddress.ip_address(listen.host).is_loopback
    except ValueError:
        return listen.host == "localhost"


def _openness(web: WebConfig, path: Path, *, is_far: bool) -> Iterator[Point]:
    subject, tls = "listen.web_config", web.tls_server_config
    asks_certificate = tls is not None and tls.client_auth_type == "RequireAndVerifyClientCert"
    if is_far and not web.basic_auth_users and not asks_certificate:
        told = n_("nobody must say who they are, and others reach the address")
        yield Point(subject, False, told, n_("add basic_auth_users: to it"))
    if is_far and web.basic_auth_users and tls is None:
        yield Point(subject, False, n_("passwords cross the network in clear"), n_("add tls_server_config: to it"))
    if path.stat().st_mode & 0o007 and web.basic_auth_users:
        told = n_("{file} holds hashes of passwords and can be read by everybody")
        yield Point(subject, False, told, n_("run: chgrp coloc-agent {file} && chmod 640 {file}"), {"file": path})
    if tls is not None:
        key = path.parent / tls.key_file
        if key.stat().st_mode & 0o007:
            told = n_("the key {file} can be read by everybody")
            yield Point(subject, False, told, n_("run: chmod 640 {file}"), {"file": key})


def _certificate(config: Config, web: WebConfig, path: Path, now: datetime) -> Iterator[Point]:
    if web.tls_server_config is None:
        return
    subject, file = "listen.web_config", path.parent / web.tls_server_config.cert_file
    try:
        end = expiry_of(file.read_bytes())
    except ColocError as error:
        yield failed(subject, error)
        return
    if end < now + _SOON:
        values = {"file": file, "end": for_people(end, config.zone)}
        told = n_("the certificate {file} ended {end}") if end < now else n_("the certificate {file} ends {end}")
        yield Point(subject, False, told, n_("renew it; the new one is taken up by itself"), values)
