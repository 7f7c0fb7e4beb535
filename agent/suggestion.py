"""Writes the coloc.yml that `coloc-agent init` suggests for a server: pure, from its inventory to text.

Labels and names are other people's: they only ever stand inside quoted YAML. A `#` followed by one blank is prose; a
`#` followed by none, or by more, is a setting to take up by removing the `#`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import yaml

from agent.terminal import harmless
from coloc.model import App, AppState, Inventory

_CMS = frozenset(
    {"wordpress", "spip", "dotclear2", "drupal", "drupal7", "grav", "pluxml", "ghost", "joomla", "my_webapp"}
)
_SIMPLE = re.compile(r"[a-z][a-z0-9_-]*")
_COMMON = "communs"


@dataclass(frozen=True, slots=True)
class Server:
    """What is known of the server besides its apps."""

    name: str
    timezone: str
    root: str = "/"


def suggest(inventory: Inventory, server: Server) -> str:
    """The whole file. It is valid as it is: it observes every app, and the rest waits behind `#`."""
    apps = [app for app in inventory.apps.values() if app.state is not AppState.STRAY]
    parts = [_head(server, apps), _projects(inventory, apps), _ADMINSYS, _BACKUP, _CHANNELS, _REST]
    return "\n".join(parts)


def scalar(text: str) -> str:
    """`text` as one YAML word on one line, in quotes unless it is plain; it cannot end the line or the quotes."""
    if _SIMPLE.fullmatch(text) and text not in {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}:
        return text
    dumped: str = yaml.safe_dump(harmless(text), default_style='"', allow_unicode=True, width=10**6)
    return dumped.strip()


def name_of(text: str, taken: Iterable[str] = ()) -> str:
    """A name that coloc.yml accepts, made from a domain or a label, unlike those that are taken."""
    letters = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:36].strip("-") or "projet"
    others = set(taken)
    return next(name for name in _numbered(plain) if name not in others)


def groups(inventory: Inventory, apps: Iterable[App]) -> Mapping[str, list[App]]:
    """Apps by the domain that they share, `""` for those without; a subdomain joins its parent when that is ours."""
    domains = {domain for domain in inventory.domains if domain != inventory.main_domain}
    found: dict[str, list[App]] = {}
    for app in sorted(apps, key=lambda app: (app.domain or "", app.id)):
        parts = (app.domain or "").split(".")
        parents = [".".join(parts[index:]) for index in range(1, len(parts))]
        home = next((parent for parent in reversed(parents) if parent in domains), app.domain or "")
        found.setdefault(home, []).append(app)
    return found


def kind_of(apps: Iterable[App]) -> str:
    """`cms` when most apps with an address are one, else `cloud`: the kind says what a server is meant for."""
    are_cms = [app.base_id in _CMS for app in apps if app.domain]
    return "cms" if 2 * sum(are_cms) > len(are_cms) else "cloud"


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _head(server: Server, apps: list[App]) -> str:
    root = f"root: {scalar(server.root)}\n" if server.root != "/" else ""
    return f"""\
# coloc.yml, écrit par `coloc-agent init` pour ce serveur ({len(apps)} apps). À relire, puis : coloc-agent check
# Written for this server by `coloc-agent init` ({len(apps)} apps found). Read it, then: coloc-agent check
# Un réglage derrière # est un exemple : enlever le #. / A setting behind # is an example: remove the #.
# Toutes les clés / every key: docs/reference/configuration.md

coloc:
  name: {scalar(name_of(server.name))}  # court, sur chaque mesure et message / short, on every metric and message
  kind: {kind_of(apps)}  # cms | cloud
  language: fr  # fr | en
  timezone: {scalar(server.timezone)}

# observe → backup → alert → enforce. Commencer par regarder / begin by looking.
stage: observe
listen: "127.0.0.1:9942"
{root}"""


def _projects(inventory: Inventory, apps: list[App]) -> str:
    lines = [
        "# Qui habite ici : une proposition, par domaine. Sans projet, les apps sont mesurées quand même.",
        "# Who lives here: a suggestion, by domain. Apps are measured without a project as well.",
        "#projects:",
    ]
    taken: list[str] = []
    for domain, members in groups(inventory, apps).items():
        name = name_of(domain or _COMMON, taken)
        taken.append(name)
        labels = ", ".join(dict.fromkeys(app.label for app in members if app.label))
        lines += [
            f"#  {scalar(name)}:",
            f"#    title: {scalar(harmless(labels, at_most=80) or name)}",
            "#    kind: association  # volunteer | informal | association | company",
            f"#    apps: [{', '.join(scalar(app.id) for app in members)}]",
        ]
    if not taken:
        lines += ["#  exemple:", "#    apps: [wordpress]"]
    return "\n".join([*lines, "#    adminsys: [lea]", "#    quotas: {disk: 20G, memory: 2G, cpu: 1}", ""])


_ADMINSYS = """\
# Qui s'en occupe. / Who looks after it.
#adminsys:
#  lea: {matrix: "@lea:example.org", forum: lea}
"""

_BACKUP = """\
# Chez qui sauvegarder, chaque nuit. Deux hôtes valent mieux qu'un. La phrase de passe ouvre les archives : en garder
# une copie ailleurs. / Where to back up, every night. Two hosts are better than one. The passphrase opens the archives:
# keep a copy elsewhere.
#backup:
#  at: "02:30"
#  passphrase_file: /etc/coloc-agent/secrets/passphrase
#  hosts:
#    alouette:
#      ssh: ssh://coloc@alouette.example.org/./backup
#      key_file: /etc/coloc-agent/secrets/ssh-alouette
#    merle:
#      path: /mnt/merle/coloc
"""

_CHANNELS = """\
# Où parler des incidents. / Where incidents are told.
#channels:
#  matrix:
#    homeserver: https://matrix.example.org
#    room: "!abcdef:example.org"
#    token_file: /etc/coloc-agent/secrets/matrix-token
# Quand Matrix se tait. / When Matrix is silent:
#  mail: {sender: coloc-agent@example.org, to: [root@example.org]}
"""

_REST = """\
# Une app utilisée par plusieurs projets, et leurs parts. / An app that several projects use, and their shares.
#apps:
#  nextcloud:
#    shared_by: {exemple: 3, autre: 1}
# Sans YunoHost, une app se déclare. / Without YunoHost, an app is declared:
#  wiki:
#    folders: [/srv/wiki]
#    user: wiki
#    units: [wiki.service]
"""
