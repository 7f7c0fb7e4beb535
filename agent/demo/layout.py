"""Lays the demo out: a root with the files that YunoHost would have written, real data, and a coloc.yml."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import yaml

from agent.demo.apps import APPS, COLOC_YML, DemoApp
from backup.journal import open_journal

_MARK = ".coloc-demo"  # we only ever empty a folder that we made


def lay_out(folder: Path, *, listen: str, language: str, matrix: str = "") -> Path:
    """Make the demo in `folder` anew (archives stay) and return the path of its coloc.yml. Raises OSError."""
    folder = folder.absolute()
    root = folder / "root"
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "root" / _MARK).exists() or not any(folder.iterdir()):
        folder.chmod(0o755)  # the demo's accounts must get in; a folder of somebody else's keeps its own rights
    (folder / "secrets").mkdir(exist_ok=True, mode=0o700)
    if (root / _MARK).exists():
        for name in ("root", "state", "facts"):  # what the agent remembered speaks of files that are made anew
            shutil.rmtree(folder / name, ignore_errors=True)
        _forget_nights(folder / "journal")
    root.mkdir()
    (root / _MARK).touch()
    _server_files(root)
    for app in APPS:
        _app_files(root, app)
    for name in ("hosts", "state", "facts", "requests", "wake", "bin", "run", "log"):
        (folder / name).mkdir(exist_ok=True)
    passphrase = folder / "secrets" / "passphrase"
    if not passphrase.exists():
        _write(passphrase, secrets.token_urlsafe(24) + "\n", 0o600)
    config = folder / "coloc.yml"
    quoted = json.dumps(str(folder))[1:-1]
    text = COLOC_YML.format(folder=quoted, listen=listen, language=language, matrix=matrix)
    _write(config, text, 0o600)
    return config


def write_programs(folder: Path, python: Sequence[str]) -> None:
    """Put into `folder/bin` a `systemctl` for the demo's units, and a `coloc-agent` that knows the demo alone."""
    folder = folder.absolute()
    words = shlex.join((*python, "-m", "agent.demo.systemctl", str(folder)))
    _write(folder / "bin" / "systemctl", f'#!/bin/sh\nexec {words} "$@"\n', 0o755)
    words = shlex.join((*python, "-m", "agent", "--config", str(folder / "coloc.yml")))
    path = shlex.quote(str(folder / "bin"))
    _write(folder / "bin" / "coloc-agent", f'#!/bin/sh\nPATH={path}:"$PATH" exec {words} "$@"\n', 0o755)


def _forget_nights(folder: Path) -> None:
    """Root's journal remembers tonight's run, and the archives; a new demo begins with a run all the same."""
    journal = open_journal(folder)
    journal.forget_nights()
    journal.close()


def _server_files(root: Path) -> None:
    lines = ["root:x:0:0:root:/root:/bin/bash", "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin"]
    lines += [f"{app.id}:x:{app.uid}:{app.uid}::/var/www/{app.id}:/usr/sbin/nologin" for app in APPS]
    _write(root / "etc/passwd", "\n".join(lines) + "\n")
    _write(root / "etc/yunohost/installed", "")
    _write(root / "etc/yunohost/current_host", "demo.test\n")
    _write(root / "usr/share/yunohost/conf/yunohost/services.yml", "nginx: {}\n")
    units = {app.id: {"log": f"/var/log/{app.id}/{app.id}.log"} for app in APPS if app.has_unit}
    _write(root / "etc/yunohost/services.yml", yaml.safe_dump(units))
    for domain in {app.domain for app in APPS}:
        _write(root / f"etc/nginx/conf.d/{domain}.conf", f"server {{ server_name {domain}; }}\n")
        (root / f"etc/yunohost/certs/{domain}").mkdir(parents=True, exist_ok=True)


def _app_files(root: Path, app: DemoApp) -> None:
    home = root / "etc/yunohost/apps" / app.id
    settings = {
        "id": app.id,
        "app": app.id,
        "label": app.label,
        "domain": app.domain,
        "path": app.path,
        "install_dir": f"/var/www/{app.id}",
        "data_dir": f"/home/yunohost.app/{app.id}",
        "install_time": 1760000000,
        "current_revision": "?",
        "demo_admin_password": secrets.token_urlsafe(9),
        "_permissions": {"main": {"allowed": ["visitors", "all_users"], "url": "/", "additional_urls": []}},
    }
    _write(home / "settings.yml", yaml.safe_dump(settings), 0o400)
    base = app.id.split("__")[0]
    manifest = f'packaging_format = 2\nid = "{base}"\nname = "{base.capitalize()}"\nversion = "{app.version}"\n'
    resources = "[resources.system_user]\n[resources.install_dir]\n[resources.data_dir]\n[resources.permissions]\n"
    _write(home / "manifest.toml", manifest + "[integration]\nyunohost = '>= 12.0'\n" + resources)
    for script in ("install", "remove", "upgrade", "backup", "restore"):
        _write(home / "scripts" / script, "#!/bin/bash\n", 0o755)
    location = f"location {app.path} {{ alias /var/www/{app.id}/; }}\n"
    _write(root / f"etc/nginx/conf.d/{app.domain}.d/{app.id}.conf", location)
    if app.has_unit:
        _write(root / f"etc/systemd/system/{app.id}.service", _unit(app))
    _data(root, app)


def _unit(app: DemoApp) -> str:
    return (
        f"[Unit]\nDescription={app.label}\n[Service]\nType=simple\nUser={app.id}\n"
        f"ExecStart=/bin/sh -c 'n=0; while :; do {app.work}; done'\n[Install]\nWantedBy=multi-user.target\n"
    )


def _data(root: Path, app: DemoApp) -> None:
    code, data = root / "var/www" / app.id, root / "home/yunohost.app" / app.id
    _write(code / "index.php", f"<?php // {app.label}\n")
    for number in range(app.files):
        _write(data / "files" / f"été {number:03d}.txt", f"{app.label}, page {number}\n" * 40)
    _write(data / "photo.bin", secrets.token_bytes(64 * 1024))
    with closing(sqlite3.connect(data / "data.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE posts (id INTEGER PRIMARY KEY, author TEXT, body TEXT)")
        rows = ((f"auteur {number % 7}", f"Message {number} — {app.label}. " * 4) for number in range(app.rows))
        connection.executemany("INSERT INTO posts (author, body) VALUES (?, ?)", rows)
    if os.geteuid() == 0:
        for folder in (code, data):
            for path in (folder, *folder.rglob("*")):
                os.chown(path, app.uid, app.uid)


def _write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
