"""The words of the charter's points, French and English: what is so, and what may be done. Nobody is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from agent.charter.point import CharterPoint


@dataclass(frozen=True, slots=True)
class CheckWords:
    """One check: its title and what may be done, (English, French)."""

    title: tuple[str, str]
    advice: tuple[str, str]


CHECK_WORDS: Mapping[str, CheckWords] = {
    "bus_factor": CheckWords(
        ("One person alone, or nobody, can look after it", "Une seule personne, ou personne, sait s'en occuper"),
        (
            "add a second adminsys, or let somebody read the handover sheet (charter.reviewed)",
            "ajouter un second adminsys, ou faire relire la fiche de reprise (charter.reviewed)",
        ),
    ),
    "undeclared": CheckWords(
        ("No project claims it", "Aucun projet ne la déclare"),
        ("name it in projects.*.apps, or remove it", "la nommer dans projects.*.apps, ou la retirer"),
    ),
    "unpresented": CheckWords(
        ("Not presented at a meeting yet", "Pas encore présenté en réunion"),
        ("present it, then note it: charter.presented", "présenter, puis le noter : charter.presented"),
    ),
    "no_charter": CheckWords(
        ("Adminsys who have not accepted the charter", "Adminsys qui n'ont pas accepté la charte"),
        (
            "read it together, then note it: charter.accepted_charter",
            "la lire ensemble, puis le noter : charter.accepted_charter",
        ),
    ),
    "wrong_server": CheckWords(
        ("At home on the other kind of server", "Serait chez elle sur l'autre type de serveur"),
        ("move it, or relax the point until it moves", "la déplacer, ou relâcher le point d'ici là"),
    ),
    "several_instances": CheckWords(
        ("Several instances of one app", "Plusieurs instances d'une même app"),
        ("could separate users inside one app do?", "des comptes séparés dans une seule app suffiraient-ils ?"),
    ),
    "same_kind": CheckWords(
        ("The same kind of service more than once", "Le même genre de service plus d'une fois"),
        ("could one of them serve all?", "l'une d'elles pourrait-elle servir à tous ?"),
    ),
    "already_offered": CheckWords(
        ("The association offers it already", "L'association le propose déjà"),
        ("see whether that one will do", "voir si celui-là convient"),
    ),
    "changed_files": CheckWords(
        ("Files changed by hand", "Fichiers modifiés à la main"),
        (
            "say why in the handover sheet (charter.notes), or undo it",
            "dire pourquoi dans la fiche de reprise (charter.notes), ou revenir en arrière",
        ),
    ),
    "mail_without_need": CheckWords(
        ("May send mail and sends none", "Peut envoyer du courriel et n'en envoie pas"),
        ("take the right back if it is not needed", "retirer ce droit s'il ne sert pas"),
    ),
    "mailboxes": CheckWords(
        ("Mailboxes are in use", "Des boîtes à lettres sont utilisées"),
        (
            "the charter keeps mail to what apps must send",
            "la charte garde le courriel pour ce que les apps doivent envoyer",
        ),
    ),
    "no_upgrade": CheckWords(
        ("Not upgraded for long", "Pas mise à jour depuis longtemps"),
        (
            "upgrade it; if its package is left alone, look for another",
            "la mettre à jour ; si son paquet est à l'abandon, en chercher un autre",
        ),
    ),
    "unused": CheckWords(
        ("Nobody has visited it for long", "Personne ne l'a visitée depuis longtemps"),
        ("ask its project whether it is still needed", "demander au projet si elle sert encore"),
    ),
    "no_backup": CheckWords(
        ("Holds data and has no backup", "Contient des données et n'est pas sauvegardée"),
        ("see coloc-agent status, and backup: in coloc.yml", "voir coloc-agent status, et backup: dans coloc.yml"),
    ),
}

_PHRASES: Mapping[str, str] = {
    "all points are kept": "tous les points sont tenus",
    "relaxed until": "relâché jusqu'au",
    "to be looked at again": "à revoir",
    "project": "projet",
    "since": "depuis le",
    "people": "personne(s)",
    "files": "fichier(s)",
    "mailboxes": "boîte(s)",
    "cms": "site public (cms)",
    "cloud": "service privé (cloud)",
    "and more": "et d'autres",
}


def phrase(text: str, language: str) -> str:
    """`text` in the reader's language; English is the key itself."""
    return _PHRASES.get(text, text) if language == "fr" else text


def title(check: str, language: str) -> str:
    """What is so."""
    return CHECK_WORDS[check].title[language == "fr"]


def advice(check: str, language: str) -> str:
    """What may be done."""
    return CHECK_WORDS[check].advice[language == "fr"]


def by_check(points: Iterable[CharterPoint]) -> Iterator[tuple[str, list[CharterPoint]]]:
    """The points of each check that has some, in the order of the checks. Unknown checks are left out."""
    found: dict[str, list[CharterPoint]] = {}
    for point in points:
        found.setdefault(point.check, []).append(point)
    return ((check, found[check]) for check in CHECK_WORDS if check in found)


def line(point: CharterPoint, language: str, zone: ZoneInfo) -> str:
    """What one point speaks of: `projet rosalinde : 1 personne(s)`. Text from outside is in it as it came."""
    ends = []
    if point.relaxed_until:
        ends.append(f"{phrase('relaxed until', language)} {point.relaxed_until}")
    if point.review_due:
        ends.append(phrase("to be looked at again", language))
    return _what(point, language, zone) + (f" ({', '.join(ends)})" if ends else "")


def _what(point: CharterPoint, language: str, zone: ZoneInfo) -> str:
    colon = " : " if language == "fr" else ": "
    names = ", ".join(point.names)
    if point.check == "bus_factor":
        who = f"{phrase('project', language)} {point.subject}" if point.of == "project" else point.subject
        return f"{who}{colon}{point.count} {phrase('people', language)}"
    if point.of == "people":
        return f"{point.count} {phrase('people', language)}"
    if point.check == "mailboxes":
        return f"{point.count} {phrase('mailboxes', language)}"
    if point.check == "wrong_server":
        return f"{point.subject}{colon}{phrase(names, language)}"
    if point.check == "changed_files":
        more = f", {phrase('and more', language)}" if point.count > len(point.names) else ""
        return f"{point.subject}{colon}{point.count} {phrase('files', language)}{colon}{names}{more}"
    if point.since is not None:
        return f"{point.subject}{colon}{phrase('since', language)} {point.since.astimezone(zone):%Y-%m-%d}"
    if point.of == "service":
        link = f" → {point.link}" if point.link else ""
        return f"{point.subject}{colon}{names}{link}"
    return point.subject
