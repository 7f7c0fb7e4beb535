"""The files from which the state of a house is read, for the measured house: every figure is known."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collectors.certificates import CertificatesCollector
from collectors.guard import Collector
from collectors.upkeep import UpkeepCollector
from collectors.yunohost import YunohostCollector
from coloc.command import Output

MOMENT = int(datetime(2026, 11, 23, 6, tzinfo=UTC).timestamp())
APT = """Inst linux-image-amd64 [6.1.119-1] (6.1.123-1 Debian-Security:12/stable-security [amd64])
Inst libc6 [2.36-9] (2.36-10 Debian-Security:12/stable-security [amd64])
Inst bash [5.2.15-2+b8] (5.2.15-2+b13 Debian:12.15/stable [amd64])
Conf bash (5.2.15-2+b13 Debian:12.15/stable [amd64])
"""


def lay_out_house(root: Path) -> None:
    """What YunoHost, apt and the kernel leave on the disk."""
    for app in ("blog", "nuage"):
        (root / "etc/yunohost/apps" / app).mkdir(parents=True)
    put(root, "etc/yunohost/apps/borg/settings.yml", "id: borg\nstate: successful\nlast_run: '261123_0230'\n")
    items = [{"status": "SUCCESS"}, {"status": "WARNING"}, {"status": "WARNING"}]
    put(root, "var/cache/yunohost/diagnosis/services.json", json.dumps({"id": "services", "items": items}))
    put(root, "etc/yunohost/apps/blog/settings.yml", f"id: blog\ninstall_time: 1\nupdate_time: {MOMENT}\n")
    apps = {
        "wordpress": catalog_entry("6.10~ynh1", category="publishing", subtags=["website", "blog"]),
        "nextcloud": catalog_entry("33.0~ynh1", category="synchronization", subtags=[]),
    }
    put(root, "var/cache/yunohost/repo/default.json", json.dumps({"apps": apps, "from_api_version": 3}))
    for domain in ("chorale.test", "nuage.test"):
        put(root, f"etc/yunohost/certs/{domain}/crt.pem", "a certificate")
    put(root, "var/mail/camille/cur/1.eml", "a letter")
    (root / "var/mail/nobody/new").mkdir(parents=True)
    put(root, "var/lib/dpkg/status", "")
    put(root, "boot/vmlinuz-6.1.0-28-amd64", "")
    put(root, "boot/vmlinuz-6.1.0-30-amd64", "")
    (root / "run").mkdir()
    (root / "var/lib/apt/lists").mkdir(parents=True)
    os.utime(root / "var/lib/apt/lists", (MOMENT, MOMENT))


def catalog_entry(version: str, **changes: Any) -> dict[str, Any]:
    """An app as a catalog has it, of good quality."""
    return {"level": 8, "state": "working", "git": {}, "manifest": {"version": version}, **changes}


def put(root: Path, name: str, text: str) -> Path:
    """A file that was changed at MOMENT."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (MOMENT, MOMENT))
    return path


def house_collectors(root: Path) -> list[Collector]:
    """The collectors of the state of the house; openssl and apt answer the same each time."""
    return [
        YunohostCollector(root, zone=UTC),
        CertificatesCollector(root, ask=lambda _: datetime(2027, 1, 1, tzinfo=UTC)),
        UpkeepCollector(root, ask=apt, release="6.1.0-28-amd64", first_after_seconds=0.0),
    ]


def apt(*_: Any, **__: Any) -> Output:
    """What apt says of three packages."""
    return Output(0, APT, "")
