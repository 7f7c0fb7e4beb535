"""The parts of the page in the order of its navigation: a new one is a file of its own, and a name here."""

from __future__ import annotations

from agent.page.apps import APPS
from agent.page.backups import BACKUPS
from agent.page.charter import CHARTER
from agent.page.maintenance import MAINTENANCE
from agent.page.now import NOW
from agent.page.part import Part
from agent.page.projects import PROJECTS

PARTS: tuple[Part, ...] = (NOW, PROJECTS, APPS, BACKUPS, MAINTENANCE, CHARTER)
