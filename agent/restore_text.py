"""What a restore says to people: the plan before, what was done after. Names from archives are made harmless."""

from __future__ import annotations

from agent.sizes import size
from agent.terminal import harmless
from backup.restore import Restored
from backup.restore_plan import RestorePlan
from coloc.config.whole import Config
from coloc.language import Translate
from coloc.times import for_people


def plan_text(plan: RestorePlan, config: Config, elsewhere: str, say: Translate) -> str:
    """What would be done. elsewhere: the folder or database that it goes to, when nothing of the app is touched."""
    chosen = plan.candidate
    proof = say("read back") if chosen.set.proven else say("NOT PROVEN")
    when = for_people(chosen.set.at, config.zone)
    first = say("{app}: run {run} of {when}, {host}, {proof}")
    lines = [first.format(app=plan.wish.app, run=chosen.set.run, when=when, host=chosen.host, proof=proof)]
    if elsewhere:
        whole = setting = say("goes to {folder}").format(folder=elsewhere)
        database = say("dump goes to {folder}").format(folder=elsewhere)
    else:
        whole, setting = say("is replaced"), say("is replaced if it differs")
        database = say("database is replaced")
    targets = [(setting if each.is_setting else whole, each.path) for each in plan.targets]
    lines += [f"  {verb}: /{harmless(path)}" for verb, path in targets]
    for each in plan.databases:
        rows = say("{number} rows").format(number=sum(each.tables.values()))
        lines.append(f"  {database}: {each.kind} {harmless(each.name)} ({rows}, {size(each.bytes)})")
    if plan.old_domain:
        told = say("in its settings {before} becomes {domain}")
        lines.append("  " + told.format(before=plan.old_domain, domain=plan.wish.domain))
    if plan.units and not elsewhere:
        lines.append(f"  {say('stop meanwhile, if they run')}: {', '.join(plan.units)}")
    room = say("room in {folder}: {needed} of {free} free")
    lines += [
        "  " + room.format(folder=each.folder, needed=size(each.needed_bytes), free=size(each.free_bytes))
        for each in plan.spaces
    ]
    lines += [f"  {say('note')}: {note}" for note in plan.notes]
    lines += [f"  {say('not in the archive')}: {harmless(word)}" for word in plan.manifest.excluded]
    return "\n".join(lines)


def end_text(plan: RestorePlan, restored: Restored, say: Translate, *, way_back: bool = True) -> str:
    """What was done, and where what was replaced lies."""
    app = plan.wish.app
    lines = [say("{app} is restored ({seconds} s)").format(app=app, seconds=f"{restored.seconds:.0f}")]
    lines += [f"  {say('what was replaced is kept in')} {folder}" for folder in restored.kept]
    lines += [f"  {say('the replaced database is kept as')} {name}" for name in restored.databases]
    lines += [f"  {say('setting replaced')}: /{member}" for member in restored.settings]
    if any("nginx" in member or "php" in member for member in restored.settings):
        lines.append("  " + say("reload the web server for it: systemctl reload nginx, and php-fpm"))
    if plan.old_domain:
        told = say("left to do by hand: where {before} stands in its database or in its own files, write {domain}")
        lines.append("  " + told.format(before=plan.old_domain, domain=plan.wish.domain))
        lines.append("  " + say("on YunoHost: yunohost app ssowatconf"))
    if restored.stripped:
        lines.append("  " + say("{number} files of root are not setuid any more").format(number=restored.stripped))
    if restored.problem:
        told = say("it is done, but the agent does not hear of it: {why}; free some space there")
        lines.append("  " + told.format(why=restored.problem))
    if way_back:
        lines.append(f"  {say('the way back')}: coloc-agent restore undo {app}")
    return "\n".join(lines)
