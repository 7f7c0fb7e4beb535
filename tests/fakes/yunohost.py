"""A small YunoHost-shaped tree for tests, built app by app below a temporary folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml


class FakeServer:
    """Writes the files that YunoHost would have written."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.users: list[str] = ["root", "www-data"]
        for folder in ("etc/yunohost/apps", "etc/nginx/conf.d", "etc/systemd/system", "etc/cron.d"):
            (root / folder).mkdir(parents=True)
        self.write("/etc/yunohost/current_host", "coloc.test\n")
        self.domain("coloc.test")

    def write(self, path: str, text: str | bytes) -> Path:
        """One file, as the server sees its path."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def domain(self, name: str) -> None:
        """A domain that is served."""
        self.write(f"/etc/nginx/conf.d/{name}.conf", f"server {{ server_name {name}; }}\n")
        (self.root / f"etc/nginx/conf.d/{name}.d").mkdir(exist_ok=True)

    def account(self, *names: str) -> None:
        """System accounts."""
        self.users += names
        lines = [f"{name}:x:{900 + n}:{900 + n}::/nonexistent:/bin/sh" for n, name in enumerate(self.users)]
        self.write("/etc/passwd", "\n".join(lines) + "\n")

    def app(self, app: str, *, manifest: str | None = None, **settings: Any) -> Path:
        """An app of packaging format 2 in good order; a setting that is None is left out."""
        base = app.split("__", maxsplit=1)[0]
        values: dict[str, Any] = {
            "id": app,
            "app": app,
            "install_time": 1700000000,
            "domain": "coloc.test",
            "path": f"/{app}",
            "install_dir": f"/var/www/{app}",
            "_permissions": {"main": {"url": "/", "allowed": ["visitors"], "additional_urls": []}},
        }
        values |= settings
        values = {key: value for key, value in values.items() if value is not None}
        folder = self.root / "etc/yunohost/apps" / app
        self.settings(app, values)
        (folder / "manifest.toml").write_text(
            manifest or f'packaging_format = 2\nname = "{base}"\nversion = "1~ynh1"\n'
        )
        if str(values.get("install_dir", "")).startswith("/"):
            self.write(f"{values['install_dir']}/index.php", "<?php\n")
        self.account(app)
        return folder

    def settings(self, app: str, values: dict[str, Any]) -> Path:
        """settings.yml alone, as core writes it."""
        return self.write(f"/etc/yunohost/apps/{app}/settings.yml", yaml.safe_dump(values))

    def noted(self, app: str, path: str, text: str) -> None:
        """A file that the package wrote and noted the checksum of."""
        file = self.root / "etc/yunohost/apps" / app / "settings.yml"
        values = yaml.safe_load(file.read_text())
        key = "checksum_" + path.replace("/", "_").replace(" ", "_")
        values[key] = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        self.write(path, text)
        self.settings(app, values)
