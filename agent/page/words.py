"""The page's few words in French and English, by the words of the charter's glossary."""

from __future__ import annotations

import re
from collections.abc import Mapping

FRENCH: Mapping[str, str] = {
    "Pages": "Pages",
    "Whoever has the address of this page can read it; it names nobody": (
        "Qui a l'adresse de cette page peut la lire ; elle ne nomme personne"
    ),
    "Backup hosts that hold it": "Serveurs amis qui l'ont",
    "Calendar of archives": "Calendrier des archives",
    "The history cannot be read now": "L'historique ne peut pas être lu pour l'instant",
    "apps saved": "apps sauvegardées",
    "apps that failed": "apps en échec",
    "nothing": "rien",
    "No archive in the last 31 days": "Aucune archive depuis 31 jours",
    "{days} days: {good} went well, {bad} with a failure, {none} without a backup": (
        "{days} jours : {good} sans échec, {bad} avec un échec, {none} sans sauvegarde"
    ),
    "One incident is open": "Un incident en cours",
    "{number} incidents are open": "{number} incidents en cours",
    "Proven on the same day": "Restauration vérifiée le même jour",
    "Failed": "Échecs",
    "Each app": "Chaque app",
    "Mo": "lun",
    "Tu": "mar",
    "We": "mer",
    "Th": "jeu",
    "Fr": "ven",
    "Sa": "sam",
    "Su": "dim",
    "Use over time": "Usage au fil du temps",
    "Mean of each day, shared apps by their share; three months at most": (
        "Moyenne de chaque jour, les apps partagées selon leur part ; trois mois au plus"
    ),
    "Disk and databases": "Disque et bases de données",
    "No day was kept yet": "Aucun jour n'est encore gardé",
    "last day": "dernier jour",
    "most": "maximum",
    "agreed (dashes)": "convenu (tirets)",
    "days without a measure": "jours sans mesure",
    "Maintenance": "Maintenance",
    "No maintenance is declared": "Aucune maintenance n'est annoncée",
    "To declare one": "Pour en annoncer une",
    "All of them": "Les voir toutes",
    "WHAT": "QUOI",
    "Now": "Maintenant",
    "To the content": "Aller au contenu",
    "There is no such page": "Cette page n'existe pas",
    "To type on the server": "À taper sur le serveur",
    "The same in a terminal": "La même chose dans un terminal",
    "YOUR-NAME": "TON-NOM",
    "APP": "APP",
    "To take one on": "Pour en prendre un en charge",
    "Its timeline": "Son déroulé",
    "To bring it back": "Pour la restaurer",
    "Its archives": "Ses archives",
    "Back it up now": "La sauvegarder maintenant",
    "Prove its backups now": "Faire un essai de restauration maintenant",
    "Keep its incidents quiet": "Mettre ses incidents en sourdine",
    "What an archive holds": "Voir ce que contient une archive",
    "Which drills are due": "Voir quels essais de restauration sont à faire",
    "What quotas say, and what they would do": "Voir où en sont les quotas, et ce qu'ils feraient",
    "A page for the meeting": "Une page pour la réunion",
    "apps running": "Apps en marche",
    "Backups that went well": "Dernières sauvegardes réussies",
    "the oldest": "la plus ancienne",
    "Points of the charter to look at": "Points de charte à regarder",
    "Messages that wait": "Messages en attente",
    "things that cannot be judged": "choses qui ne peuvent pas être jugées",
    "Collectors that fail": "Collecteurs en échec",
    "Enforcement": "Application des quotas",
    "Use and quotas": "Usage et quotas",
    "No quota was agreed": "Aucun quota n'a été convenu",
    "nobody yet": "personne encore",
    "What is wrong with it": "Ce qui ne va pas",
    "more": "de plus",
    "All is well": "Tout va bien",
    "Open incidents": "Incidents en cours",
    "Incidents": "Incidents",
    "No incident so far": "Aucun incident jusqu'ici",
    "Projects": "Projets",
    "Project": "Projet",
    "Apps": "Apps",
    "App": "App",
    "Backups": "Sauvegardes",
    "Kind": "Nature",
    "Adminsys": "Adminsys",
    "CPU (cores)": "Processeur (cœurs)",
    "Memory": "Mémoire",
    "Disk": "Disque",
    "Databases": "Bases de données",
    "Quotas": "Quotas",
    "Fair use of the processor": "Partage du processeur",
    "its part": "sa part",
    "used of it": "utilisée",
    "waited": "a attendu",
    "because of": "à cause de",
    "State": "État",
    "Version": "Version",
    "running": "en marche",
    "down": "arrêtée",
    "unknown": "inconnu",
    "shared": "partagée",
    "no project": "sans projet",
    "Last backup": "Dernière sauvegarde",
    "Proven": "Restauration vérifiée le",
    "drill": "essai de restauration",
    "whole": "entier",
    "a part": "en partie",
    "never": "jamais",
    "failed": "échec",
    "Since": "Depuis",
    "Severity": "Gravité",
    "resolved": "rétabli",
    "taken on by": "pris en charge par",
    "in silence until": "en sourdine jusqu'à",
    "silence": "sourdine",
    "follows from": "découle de",
    "quiet hours, told at": "heures calmes, dit à",
    "what follows from it keeps quiet": "ce qui en découle se tait",
    "Silences": "Sourdines",
    "Maintenances": "Maintenances",
    "maintenance": "maintenance",
    "declared": "annoncée",
    "in progress": "en cours",
    "overruns": "dépasse l'heure prévue",
    "over": "terminée",
    "cancelled": "annulée",
    "the whole server": "tout le serveur",
    "still broken": "encore en panne",
    "until": "jusqu'à",
    "by": "par",
    "everything": "tout",
    "simulation": "simulation",
    "Stage": "Étape",
    "Server of kind": "Serveur de type",
    "measured at": "mesuré le",
    "Charter": "Charte",
    "All its points are kept": "Tous ses points sont tenus",
    "What cannot be seen": "Ce qui ne se voit pas",
    "of": "sur",
    "No project is declared yet": "Aucun projet n'est encore déclaré",
    "No backup host is declared yet": "Aucun hôte de sauvegarde n'est encore déclaré",
    "To bring an app back": "Pour restaurer une app",
    "warning": "avertissement",
    "critical": "critique",
    "info": "information",
    "ok": "ok",
    "partial": "incomplète",
    "broken": "cassée",
    "stray": "reste d'application",
    "fine": "rien",
    "warn": "prévenu",
    "throttle": "ralenti",
    "hard": "plafonné",
    "cpu": "processeur",
    "memory": "mémoire",
    "disk": "disque",
    "database": "bases de données",
    "processes": "processus",
    "mail_per_hour": "courriels par heure",
    "mail_per_day": "courriels par jour",
    "io": "lecture et écriture",
    "network": "réseau",
    "files": "fichiers",
    "database_connections": "connexions aux bases",
    "volunteer": "bénévole",
    "informal": "groupe informel",
    "association": "association",
    "company": "entreprise éthique",
    "firing": "en cours",
    "clearing": "en train de se rétablir",
}
# How the phases of a maintenance are called here: `running` is said of apps.
MAINTENANCE_PHASES: Mapping[str, str] = {
    "declared": "declared",
    "running": "in progress",
    "overrun": "overruns",
    "ended": "over",
    "cancelled": "cancelled",
}


def word(text: str, language: str) -> str:
    """`text` in the reader's language; English is the key itself."""
    return FRENCH.get(text, text) if language == "fr" else text


def language_of(accept_language: str, default: str) -> str:
    """`fr` or `en`, whichever a browser's Accept-Language weighs more (RFC 9110 §12.5.4); else the colocation's own."""
    weights: dict[str, float] = {}
    for part in accept_language.split(",")[:20]:
        tag, _, parameters = part.partition(";")
        language = tag.strip().lower().partition("-")[0]
        if language in {"fr", "en"}:
            weights[language] = max(weights.get(language, 0.0), _weight(parameters))
    best = max(weights.values(), default=0.0)
    return default if best <= 0 else next(language for language, weight in weights.items() if weight == best)


def _weight(parameters: str) -> float:
    """The `q` of one language: 1 when it is not said, 0 when it cannot be understood."""
    match = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", parameters, re.IGNORECASE | re.ASCII)
    if match:
        return min(1.0, float(match[1]))
    return 0.0 if parameters.strip() else 1.0
