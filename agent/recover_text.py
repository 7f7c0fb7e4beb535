"""What `coloc-agent recover` says in the end: what is back, what is not, and what is left to people's hands."""

from __future__ import annotations

import pwd
from collections.abc import Callable, Sequence

from agent.terminal import harmless
from backup.recover import Recovered
from backup.restore import Restored
from backup.restore_plan import RestorePlan
from coloc.language import Translate
from coloc.model import DatabaseKind


def end_text(results: Sequence[Recovered], say: Translate) -> str:
    """All of it, app by app, then what concerns the server."""
    lines = []
    for result in results:
        if result.failure:
            lines.append(say("{app}: NOT BACK: {why}").format(app=result.app, why=result.failure))
        elif result.already:
            lines.append(say("{app} was back already").format(app=result.app))
        else:
            lines.append(say("{app} is back").format(app=result.app))
        if result.done:
            prepared, restored = result.done
            to_do = by_hand(prepared.plan, restored, say, has_account=has_account)
            lines += [f"  {say('by hand')}: {harmless(word, at_most=1000)}" for word in to_do]
    if any(result.failure for result in results):
        lines.append(say("mend what is said above and run the same command again: it goes on with what is missing"))
    lines += [
        say("left to do by hand:"),
        "  " + say("let the domains lead here (DNS), and get certificates (yunohost domain cert install)"),
        "  " + say("coloc-agent check, then: systemctl enable --now coloc-agent"),
        "  " + say("give the other backup hosts the new ssh key, and back up: coloc-agent backup"),
    ]
    return "\n".join(lines)


def by_hand(plan: RestorePlan, restored: Restored, say: Translate, *, has_account: Callable[[str], bool]) -> list[str]:
    """What a restore of files and databases cannot do, on a server that had none of it. Pure."""
    manifest, words = plan.manifest, list[str]()
    folders = " ".join(folder.path for folder in manifest.folders)
    if manifest.user and not has_account(manifest.user):
        told = say("the account {user} is missing: adduser --system --group {user}, then chown -R {user}: {folders}")
        words.append(told.format(user=manifest.user, folders=folders))
    told = say("MariaDB: give the app's account, named in its settings, its rights on the database {name} (GRANT ALL)")
    words += [told.format(name=each.name) for each in plan.databases if each.kind is DatabaseKind.MYSQL]
    stopped = [unit for unit in plan.units if unit not in restored.units]
    if stopped:
        words.append(say("start it: systemctl enable --now {units}").format(units=" ".join(stopped)))
    if any("nginx" in member or "php" in member for member in restored.settings):
        words.append(say("reload the web server for it: systemctl reload nginx, and php-fpm"))
    return words


def has_account(name: str) -> bool:
    """Is there such an account on this machine?"""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
