"""Turns the documents of one app into an `App`. Only the fields named here leave settings.yml."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from coloc.inventory.documents import Document, as_number
from coloc.inventory.units import Candidate
from coloc.model import AppState, Database, DatabaseKind, PhpPool

_ID = re.compile(r"(?P<base>[\w-]+?)(__(?P<number>[1-9][0-9]*))?", re.ASCII)
_PATH = re.compile(r"/[^\x00-\x1f\x7f]{0,500}")
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Papers:
    """The two documents of an app, and its folder's name."""

    id: str
    settings: Document
    manifest: Document


def is_app_id(name: str) -> bool:
    """True for what YunoHost takes for the name of an app's instance."""
    return len(name) <= 80 and _ID.fullmatch(name) is not None


def base_and_instance(app_id: str) -> tuple[str, int]:
    """`wordpress__2` → ("wordpress", 2)."""
    match = _ID.fullmatch(app_id)
    return (match["base"], int(match["number"] or 1)) if match else (app_id, 1)


def candidate(papers: Papers, users: Iterable[str]) -> Candidate:
    """What is known of an app before units are given out."""
    keys = frozenset(key.removeprefix("checksum_") for key in papers.settings.values if key.startswith("checksum_"))
    return Candidate(papers.id, papers.id if papers.id in users else None, install_dir(papers.settings), keys)


def label(papers: Papers) -> str:
    """What people call the app."""
    return one_line(papers.settings.text("label") or papers.manifest.text("name") or papers.id)


def one_line(text: str) -> str:
    """A text from outside as one line of bounded length."""
    return " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * _LONGEST]).split())[:_LONGEST]


def version(manifest: Document) -> tuple[str | None, str | None]:
    """The package's version, and upstream's, before the `~`."""
    text = manifest.text("version")
    if text is None:
        return None, None
    text = one_line(text)
    return text, text.split("~", 1)[0]


def packaging(manifest: Document) -> int | None:
    """1 or 2; a manifest that says nothing is of the first format."""
    if not manifest.values:
        return None
    found = manifest.values.get("packaging_format", 1)
    return int(found) if isinstance(found, float) and found == found // 1 else as_number(found)


def install_dir(settings: Document) -> str | None:
    """The folder of the app's code."""
    return _path(settings, "install_dir", "final_path")


def data_dir(settings: Document) -> str | None:
    """The folder of the app's data."""
    return _path(settings, "data_dir", "datadir")


def web_path(settings: Document) -> str | None:
    """`/` or `/x`; None for what is no web app."""
    text = _path(settings, "path")
    return text if text in {None, "/"} else str(text).rstrip("/") or "/"


def _path(settings: Document, *keys: str) -> str | None:
    text = settings.text(*keys)
    if text is None or not _PATH.fullmatch(text) or ".." in text.split("/"):
        return None
    return text.rstrip("/") or "/"


def domain(settings: Document) -> str | None:
    """The app's domain."""
    text = settings.text("domain")
    return text if text and re.fullmatch(r"[\w.-]{1,253}", text) else None


def ports(settings: Document, manifest: Document) -> dict[str, int]:
    """`port` is main, `port_x` is x; packages of the first format write `x_port`."""
    found = {}
    old = packaging(manifest) == 1
    for key in sorted(settings.values):
        number = settings.number(key)
        if number is None or not 0 < number < 65536:
            continue
        if key == "port":
            found["main"] = number
        elif key.startswith("port_") and len(key) > 5:
            found[one_line(key[5:])] = number
        elif old and key.endswith("_port") and len(key) > 5:
            found.setdefault(one_line(key[:-5]), number)
    return found


def php_version(settings: Document) -> str | None:
    """The version of PHP; packages may say `none`."""
    text = settings.text("php_version", "phpversion")
    return text if text and re.fullmatch(r"\d+\.\d+", text) else None


def mail(papers: Papers) -> tuple[bool, str | None]:
    """Whether the app may send mail through postfix, and as whom."""
    settings, home = papers.settings, domain(papers.settings)
    if settings.text("mail_pwd") is None or home is None:
        return False, None
    user, where = settings.text("mail_user") or papers.id, settings.text("mail_domain") or home
    return True, one_line(f"{user}@{where}")


def databases(papers: Papers, mysql_names: Iterable[str]) -> tuple[Database, ...]:
    """The database that the settings name. `mysql_names`: those that MariaDB keeps, where its folder can be read."""
    name = papers.settings.text("db_name")
    kind = _database_kind(papers, name, frozenset(mysql_names))
    if name is None or kind is None or not name.isprintable() or len(name) > 128:
        return ()
    return (Database(kind, name),)


def _database_kind(papers: Papers, name: str | None, mysql_names: frozenset[str]) -> DatabaseKind | None:
    words = {"mysql": DatabaseKind.MYSQL, "mariadb": DatabaseKind.MYSQL, "postgresql": DatabaseKind.POSTGRESQL}
    settings, resource = papers.settings, papers.manifest.mapping("resources", "database").get("type")
    if isinstance(resource, str) and resource in words:
        return words[resource]
    chosen = settings.text("database")
    if chosen in words:
        return words[chosen]
    if chosen == "none":
        return None
    if settings.text("mysqlpwd"):
        return DatabaseKind.MYSQL
    if settings.text("psqlpwd"):
        return DatabaseKind.POSTGRESQL
    if name in mysql_names:
        return DatabaseKind.MYSQL
    packages = str(papers.manifest.mapping("resources", "apt").get("packages", "")) + str(
        papers.manifest.values.get("services", "")
    )
    if "postgresql" in packages:
        return DatabaseKind.POSTGRESQL
    return DatabaseKind.MYSQL if "mariadb" in packages or "mysql" in packages else None


def user_of(app_id: str, users: frozenset[str], pools: Iterable[PhpPool], unit_users: Iterable[str]) -> str | None:
    """The account of an app: its own name; packages of the first format choose freely, as pools and units tell."""
    if app_id in users:
        return app_id
    for user in (*(pool.user for pool in pools), *unit_users):
        if user and user in users and user not in {"root", "www-data", "nobody"}:
            return user
    return None


def state(papers: Papers, problems: list[str]) -> AppState:
    """How far an app's files agree with an app that works."""
    settings, manifest = papers.settings, papers.manifest
    if settings.missing and manifest.missing:
        return AppState.STRAY
    own_id = settings.text("id")
    if settings.values and own_id is not None and own_id != papers.id:
        return AppState.STRAY
    if not settings.values or not manifest.values:
        return AppState.BROKEN
    return AppState.PARTIAL if problems else AppState.OK


def problems(papers: Papers, *, user: str | None, missing: Iterable[str], served: frozenset[str]) -> list[str]:
    """What is wrong, a sentence each, none of which quotes a file."""
    settings, manifest = papers.settings, papers.manifest
    found = [document.problem for document in (settings, manifest) if document.problem]
    own_id = settings.text("id")
    if settings.values and own_id is not None and own_id != papers.id:
        found.append("its settings are those of another app: a copy that somebody made?")
    if settings.values and manifest.values and not found:
        found += _unfinished(settings, manifest, user, served)
    found += [f"the folder {folder} is missing" for folder in missing]
    return found


def _unfinished(settings: Document, manifest: Document, user: str | None, served: frozenset[str]) -> Iterator[str]:
    resources: Mapping[str, object] = manifest.mapping("resources")
    for resource, value in (("install_dir", install_dir(settings)), ("data_dir", data_dir(settings))):
        if resource in resources and value is None:
            yield f"no {resource} setting though the manifest declares {resource}"
    if "database" in resources and settings.text("db_name") is None:
        yield "no database though the manifest declares one"
    if "system_user" in resources and user is None:
        yield "no system user"
    if not settings.mapping("_permissions"):
        yield "no _permissions"
    home = domain(settings)
    if home is not None and home not in served:
        yield "the domain is not served by this server"
