"""Which apps, projects and people the demo shows. Invented; any likeness is a compliment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoApp:
    """One app of the demo, in the words of its YunoHost package."""

    id: str
    label: str
    domain: str
    path: str
    version: str
    uid: int
    rows: int  # in its SQLite database
    files: int
    has_unit: bool = True
    work: str = "sleep 5"  # what its process does between two breaths


APPS = (
    DemoApp("wordpress", "Chorale du Port", "chorale.demo.test", "/", "6.9~ynh1", 61001, 300, 40),
    DemoApp("wordpress__2", "Blog du vélo", "velo.demo.test", "/blog", "6.9~ynh1", 61002, 200, 30),
    DemoApp("nextcloud", "Nuage", "nuage.demo.test", "/", "33.0.4~ynh1", 61003, 800, 120, work="sleep 2; : $((n=n+1))"),
    DemoApp("mattermost", "Tchat", "tchat.demo.test", "/", "11.7.0~ynh1", 61004, 500, 20),
    DemoApp("kanboard", "Tableau de l'atelier", "velo.demo.test", "/kanboard", "1.2.48~ynh2", 61005, 150, 10),
    DemoApp("my_webapp", "Accueil", "demo.test", "/", "1.0~ynh21", 61006, 20, 5, has_unit=False),
)

COLOC_YML = """\
# The demo colocation, written by `make run`. A real file looks the same; see docs/reference/configuration.md
coloc: {{name: demo, kind: cloud, language: {language}, timezone: Europe/Paris}}
stage: alert
listen: "{listen}"
root: "{folder}/root"
startup_quiet: 0s
adminsys:
  lea: {{forum: lea}}
  camille: {{forum: camille}}
projects:
  chorale:
    {{title: Chorale du Port, kind: association, apps: [wordpress], adminsys: [lea], quotas: {{disk: 20M}}}}
  velo:
    title: Atelier vélo
    kind: informal
    apps: ["wordpress__*", kanboard]
    adminsys: [camille]
    quotas: {{disk: 300K}}
  tiers-lieu: {{title: Tiers-lieu du quai, kind: association, apps: [mattermost, my_webapp], adminsys: [lea, camille]}}
apps:
  nextcloud: {{shared_by: {{chorale: 1, velo: 1, tiers-lieu: 2}}}}
  mattermost: {{service: high}}
backup:
  passphrase_file: "{folder}/secrets/passphrase"
  hosts:
    alouette: {{path: "{folder}/hosts/alouette"}}
    merle: {{path: "{folder}/hosts/merle"}}
channels:
  console: {{}}
{matrix}rules:
  key_not_escrowed: {{off: true}}  # nobody else is here to hold the keys of a demo
  app_down: {{wait: 2s, clear_after: 2s}}
sampling: {{every: 2s, disk_every: 20s, databases_every: 10s}}
paths:
  state: "{folder}/state"
  facts: "{folder}/facts"
  journal: "{folder}/journal"
  requests: "{folder}/requests"
  wake: "{folder}/wake"
"""
