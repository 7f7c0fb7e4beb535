"""A small `yunohost` below another root: `yunohost_program.py ROOT ARGV…`. It does and says what the real one did.

Built from the outputs in tests/captured/yunohost/commands: lines for people before the JSON, a method that nobody has
is a success, one failing app is exit code 0, the lock waits for ever without --timeout, a failed restore removes the
app. Each call is noted in var/log/yunohost.calls.
"""

from __future__ import annotations

import argparse
import csv
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import yaml

HELPERS = r"""
ynh_backup() {
  local source="$1" destination="${2:-${1#/}}"
  [ -e "$ROOT$source" ] || { echo "Source path '$source' does not exist" >&2; return 1; }
  case "$source" in
    "$data_dir"* | /var/log/$app*)
      if [ -n "$data_dir" ] && [ "$do_not_backup_data" = 1 ]; then
        echo "INFO $source will not be saved, because 'do_not_backup_data' is set."
        return 0
      fi ;;
  esac
  echo "\"$source\",\"apps/$app/backup/$destination\"" >> "$YNH_BACKUP_CSV"
}
"""
SYSTEM = {"conf_ldap": "conf/ldap", "conf_ynh_settings": "conf/ynh", "data_home": "data/home", "data_mail": "data/mail"}


class Failure(Exception):
    """A sentence after ERROR, and exit code 1."""


class Yunohost:
    """One call."""

    def __init__(self, root: Path, *, quiet: bool) -> None:
        self.root, self.quiet = root, quiet
        self.apps = root / "etc/yunohost/apps"
        self.home = root / "home/yunohost.backup"
        self.mounted: list[Path] = []

    def say(self, level: str, text: str) -> None:
        if level in {"INFO", "SUCCESS"}:
            if not self.quiet:
                print(level, text, flush=True)
        else:
            print(level, text, file=sys.stderr, flush=True)

    def settings(self, app: str) -> dict[str, Any]:
        return dict(yaml.safe_load((self.apps / app / "settings.yml").read_text()))

    def script(self, script: Path, app: str, where: Path, **env: str) -> bool:
        """An app's script, as root, with its settings in the environment."""
        settings = {key: str(value) for key, value in self.settings(app).items() if isinstance(value, str | int)}
        known = {"ROOT": str(self.root), "app": app, "data_dir": "", "YNH_APP_INSTANCE_NAME": app}
        done = subprocess.run(
            ["bash", "-e", "-c", f"{HELPERS}\n. {script}"],
            cwd=where,
            env={"PATH": os.environ["PATH"], **known, **settings, **env},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        for line in done.stdout.splitlines():
            self.say("INFO", line.removeprefix("INFO "))
        for line in done.stderr.splitlines():
            self.say("WARNING", line)
        return done.returncode == 0

    def backup_create(
        self, name: str, apps: list[str] | None, system: bool, methods: list[str], *, dry_run: bool
    ) -> Any:
        work = self.home / "tmp" / name
        archives = self.home / "archives"
        if any((archives / f"{name}{end}").exists() for end in (".tar", ".tar.gz")):
            raise Failure(f"A backup archive with the name '{name}' already exists.")
        self.unmount_below(work)
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True, mode=0o750)
        archives.mkdir(parents=True, exist_ok=True)
        try:
            return self._backup(name, work, apps or [], system, methods, dry_run=dry_run)
        finally:
            for path in reversed(self.mounted):
                subprocess.run(["umount", str(path)], check=True)
            shutil.rmtree(work, ignore_errors=True)

    def _backup(
        self, name: str, work: Path, apps: list[str], system: bool, methods: list[str], *, dry_run: bool
    ) -> Any:
        results: dict[str, dict[str, str]] = {"system": {}, "apps": {}}
        rows: list[tuple[str, str]] = []
        for part, member in SYSTEM.items() if system else ():
            (work / member).mkdir(parents=True)
            (work / member / part).write_text(f"{part} of this server\n")
            results["system"][part] = "Success"
        for app in apps:
            if not (self.apps / app / "settings.yml").exists():
                self.say("ERROR", f"{app} will not be saved")
                continue
            self.say("INFO", f"Collecting files to be backed up for {app}…")
            rows_of_app = self._collect(work, app)
            results["apps"][app] = "Error" if rows_of_app is None else "Success"
            if rows_of_app is None:
                self.say("ERROR", f"Failed to collect files to backed up for {app}.")
                shutil.rmtree(work / "apps" / app)
            else:
                rows += rows_of_app
        if "Success" not in {*results["apps"].values(), *results["system"].values()}:
            self.say("ERROR", "Failed to collect files to be backed up")
            self.say("INFO", "The operation 'Create a backup archive' could not be completed.")
            raise Failure("")
        good = [app for app, word in results["apps"].items() if word == "Success"]
        size = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
        self._write_info(work, rows, good, list(results["system"]), size)
        if dry_run:
            return {"size": size, "size_details": {"system": {}, "apps": dict.fromkeys(good, size)}}
        self.say("INFO", "Creating a backup archive from the collected files…")
        self.say("INFO", f"The archive will contain about {size // 1024}KB of data.")
        for method in methods:
            if method == "tar":
                self._tar(name, work, rows)
            else:
                self._custom(method, name, work, rows, size)
        self.say("SUCCESS", f"Backup created: {name}")
        return {"name": name, "size": size, "results": results}

    def _collect(self, work: Path, app: str) -> list[tuple[str, str]] | None:
        part = work / "apps" / app
        (part / "backup").mkdir(parents=True, mode=0o700)
        shutil.copytree(self.apps / app, part / "settings", symlinks=True)
        lines = work / f"{app}.csv"
        lines.touch()
        script = self.apps / app / "scripts/backup"
        env = {"YNH_BACKUP_DIR": str(work), "YNH_BACKUP_CSV": str(lines), "YNH_APP_BACKUP_DIR": str(part / "backup")}
        good = script.exists() and self.script(script, app, part / "backup", **env)
        with lines.open(newline="") as file:
            rows = [(row[0], row[1]) for row in csv.reader(file)]
        lines.unlink()
        return rows if good else None

    def _write_info(
        self, work: Path, rows: list[tuple[str, str]], apps: list[str], system: list[str], size: int
    ) -> None:
        own = [(f"/home/yunohost.backup/tmp/{work.name}/{name}", name) for name in ("backup.csv", "info.json")]
        own += [(f"/home/yunohost.backup/tmp/{work.name}/apps/{app}", f"apps/{app}") for app in apps]
        with (work / "backup.csv").open("w", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([*rows, *own])
        info = {
            "description": "",
            "created_at": int(time.time()),
            "size": size,
            "size_details": {"system": dict.fromkeys(system, 0), "apps": dict.fromkeys(apps, size)},
            "apps": {app: {"version": "1.0~ynh1", "name": app, "description": ""} for app in apps},
            "system": {part: [f"/usr/share/yunohost/hooks/backup/05-{part}"] for part in system},
            "from_yunohost_version": "12.1.25",
        }
        (work / "info.json").write_text(json.dumps(info))

    def _tar(self, name: str, work: Path, rows: list[tuple[str, str]]) -> None:
        target = self.home / "archives" / f"{name}.tar"
        with tarfile.open(target, "w") as tar:
            for source, member in rows:
                tar.add(self.root / source.lstrip("/"), member)
            for path in sorted(work.iterdir()):
                tar.add(path, path.name)

    def _custom(self, method: str, name: str, work: Path, rows: list[tuple[str, str]], size: int) -> None:
        arguments = [str(work), name, str(self.home / "archives"), str(size), ""]
        hooks = self.hooks("backup_method", method)
        if any(self.hook(hook, ["need_mount", *arguments]) for hook in hooks):
            self._organize(work, rows)
        went_well = [self.hook(hook, ["backup", *arguments]) for hook in hooks]
        if not all(went_well):
            raise Failure("The custom backup method could not get past the 'backup' step")

    def _organize(self, work: Path, rows: list[tuple[str, str]]) -> None:
        """Folders are bound read-only where they belong in the backup, files copied."""
        for source, member in rows:
            real, target = self.root / source.lstrip("/"), work / member
            if not real.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(real, target)
                continue
            target.mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "--bind", str(real.resolve()), str(target)], check=True)
            self.mounted.append(target)
            subprocess.run(["mount", "-o", "remount,ro,bind", str(target)], check=True)

    def hooks(self, action: str, name: str = "") -> list[Path]:
        folder = self.root / "etc/yunohost/hooks.d" / action
        found = sorted(folder.glob("*-*")) if folder.is_dir() else []
        names = {path: path.name.split("-", 1)[1] for path in found}
        return [path for path in found if not name or names[path] == name or names[path].startswith(f"{name}_")]

    def hook(self, hook: Path, arguments: list[str], **env: str) -> bool:
        done = subprocess.run(
            ["/bin/bash", "-x", f"./{hook.name}", *arguments],
            cwd=hook.parent,
            env={**{key: value for key, value in os.environ.items() if key != "HOME"}, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        for line in done.stderr.splitlines():
            if not line.startswith("+"):
                self.say("WARNING", line)
        return done.returncode == 0

    def backup_restore(self, name: str, apps: list[str], *, system: bool) -> Any:
        archive = Path(name) if name.startswith("/") else self.home / "archives" / f"{name}.tar"
        if not archive.exists():
            raise Failure(f"Could not find the backup archive '{name}'")
        there = [app for app in apps if (self.apps / app).exists()]
        if there:
            raise Failure(
                f"The following apps can't be restored because they are already installed: {', '.join(there)}"
            )
        self.say("INFO", "Preparing archive for restoration…")
        work = self.home / "tmp" / f"restore-{archive.stem}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        with tarfile.open(archive) as tar:
            tar.extractall(work, filter="fully_trusted")
        parts = {part: "Success" for part, member in SYSTEM.items() if system and (work / member / part).exists()}
        for part in parts:
            shutil.copytree(work / SYSTEM[part], self.root / "restored" / SYSTEM[part], dirs_exist_ok=True)
        results = {}
        for app in apps:
            self.say("INFO", f"Restoring {app}…")
            shutil.copytree(work / "apps" / app / "settings", self.apps / app)
            env = {"YNH_BACKUP_DIR": str(work), "YNH_APP_BACKUP_DIR": str(work / "apps" / app / "backup")}
            script = self.apps / app / "scripts/restore"
            good = self.script(script, app, work / "apps" / app / "backup", **env)
            results[app] = "Success" if good else "Error"
            if not good:
                self.say("ERROR", f"Could not restore {app}: An error occured inside the app restore script")
                self.app_remove(app)
        shutil.rmtree(work)
        if "Success" not in {*results.values(), *parts.values()}:
            raise Failure("Nothing was restored")
        self.say("SUCCESS", "Restoration completed")
        return {"system": parts, "apps": results}

    def app_remove(self, app: str) -> None:
        if not (self.apps / app).exists():
            raise Failure(f"Could not find {app} in the list of installed apps")
        self.say("INFO", f"Removing {app}…")
        self.script(self.apps / app / "scripts/remove", app, self.root)
        shutil.rmtree(self.apps / app)
        for hook in (self.root / "etc/yunohost/hooks.d").glob("*/*"):
            if hook.name.endswith(app):
                hook.unlink()
        self.say("SUCCESS", f"{app} uninstalled")

    def app_upgrade(self, app: str) -> None:
        for hook in self.hooks("pre_app_upgrade"):
            self.hook(hook, [], YNH_APP_INSTANCE_NAME=app, YNH_APP_ID=app.split("__")[0])
        if not self.script(self.apps / app / "scripts/upgrade", app, self.root):
            raise Failure(f"Could not upgrade {app}: An error occurred inside the app upgrade script")
        self.say("SUCCESS", f"{app} upgraded")

    def unmount_below(self, work: Path) -> None:
        """What a killed call left mounted."""
        places = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
        for place in reversed([each for each in places if each.startswith(f"{work}/")]):
            subprocess.run(["umount", place], check=True)


class Lock:
    """One operation at a time; children of the one that holds it pass."""

    def __init__(self, root: Path, timeout: float | None) -> None:
        self.path, self.timeout = root / "var/run/moulinette_yunohost.lock", timeout

    def take(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        end = None if self.timeout is None else time.monotonic() + self.timeout
        self.file = self.path.open("a+")
        while True:
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self._is_ours():
                    return
                if end is not None and time.monotonic() >= end:
                    raise Failure("There is already a YunoHost operation running. Please wait.") from None
                time.sleep(0.1)
                continue
            self.file.seek(0)
            self.file.truncate()
            self.file.write(str(os.getpid()))
            self.file.flush()
            return

    def _is_ours(self) -> bool:
        holder, process = self.path.read_text().strip(), os.getpid()
        while process > 1:
            process = int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
            if str(process) == holder:
                return True
        return False


def parse(argv: list[str]) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--output-as", default="plain")
    common.add_argument("--quiet", action="store_true")
    parser = argparse.ArgumentParser(prog="yunohost", parents=[common])
    parser.add_argument("--timeout", type=float)
    subjects = parser.add_subparsers(dest="subject", required=True)
    backup = subjects.add_parser("backup").add_subparsers(dest="verb", required=True)
    create = backup.add_parser("create", parents=[common])
    create.add_argument("-n", "--name", required=True)
    create.add_argument("--methods", nargs="+", default=["tar"])
    create.add_argument("--apps", nargs="*")
    create.add_argument("--system", nargs="*")
    create.add_argument("--dry-run", action="store_true")
    restore = backup.add_parser("restore", parents=[common])
    restore.add_argument("name")
    restore.add_argument("--apps", nargs="*", default=[])
    restore.add_argument("--system", nargs="*")
    restore.add_argument("--force", action="store_true")
    app = subjects.add_parser("app").add_subparsers(dest="verb", required=True)
    remove = app.add_parser("remove", parents=[common])
    remove.add_argument("app")
    remove.add_argument("--purge", action="store_true")
    upgrade = app.add_parser("upgrade", parents=[common])
    upgrade.add_argument("app")
    return parser.parse_args(argv)


def main() -> int:
    root, wish = Path(sys.argv[1]), parse(sys.argv[2:])
    yunohost = Yunohost(root, quiet=wish.quiet)
    try:
        Lock(root, wish.timeout).take()
        (root / "var/log").mkdir(parents=True, exist_ok=True)
        with (root / "var/log/yunohost.calls").open("a") as calls:
            calls.write(" ".join(sys.argv[2:]) + "\n")
        if wish.subject == "app":
            (yunohost.app_remove if wish.verb == "remove" else yunohost.app_upgrade)(wish.app)
            return 0
        if wish.verb == "create":
            answer = yunohost.backup_create(
                wish.name, wish.apps, wish.system is not None, wish.methods, dry_run=wish.dry_run
            )
        else:
            answer = yunohost.backup_restore(wish.name, wish.apps, system=wish.system is not None)
    except Failure as failure:
        if str(failure):
            yunohost.say("ERROR", str(failure))
        return 1
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
