"""Holds a project's mail in postfix's queue, and lets it go again: nothing is ever refused, nothing is lost.

By the Received line that postfix itself writes for an account of this machine. Mail that an app sends by a login on
port 587 carries no such line and is not held. An empty list must be there before postfix is told to look at it: without
the file it would take no mail at all.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from coloc.agreed import AgreedLimit, Target
from coloc.command import CommandFailed, Run, run
from coloc.errors import ColocError, StateError
from coloc.facts import write_whole
from helper.actuator import Done, ReadBack
from helper.slice_files import MARK
from helper.traces import Trace

LIST = Path("/etc/postfix/coloc_agent_hold")
TABLE = f"regexp:{LIST}"
_LINE = re.compile(r"/\^Received:\.\*\\\(Postfix, from userid ([0-9]{1,10})\\\)/ HOLD coloc-agent ([a-z0-9_-]+) (\w+)")
# YunoHost runs it after its own of that name; it ends as no app's id does, since `app remove X` deletes hooks by that.
HOOK = Path("/etc/yunohost/hooks.d/conf_regen/95-postfix")
_REGEN = "yunohost tools regen-conf postfix"
_HOOK = f"""\
#!/bin/bash
{MARK}
# Whenever YunoHost writes main.cf: postfix also looks at the list of whose mail is held.
[ "$1" = pre ] || exit 0
main=$4/etc/postfix/main.cf
[ -f "$main" ] && [ -f {LIST} ] || exit 0
grep -q '^header_checks *=' "$main" || printf '\\nheader_checks = {TABLE}\\n' >> "$main"
"""
_SECONDS = 60.0
_BATCH = 100
_MOST = 5000  # mails that are looked at in one request

Entry = tuple[int, str, str]  # uid, project, resource


class MailActuator:
    """`mail_per_hour` or `mail_per_day`: each holds, and lets go only what the other does not hold."""

    def __init__(self, resource: str, *, run: Run = run, place: Path = LIST) -> None:
        self._resource, self._post = resource, Post(run=run, place=place)

    def cannot(self, target: Target | None = None) -> str:
        """See Actuator."""
        if shutil.which("postsuper", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            return "there is no postfix here"
        if not self._post.looks_at_us():
            return "postfix does not look at our list: coloc-agent quota agree, as root"
        return "it has no account that is its own" if target is not None and not target.uids else ""

    def in_use(self, target: Target) -> float | None:  # noqa: ARG002 - every actuator's
        """See Actuator."""
        return None

    def apply(self, target: Target, step: str, limit: AgreedLimit) -> Done:  # noqa: ARG002 - both steps hold
        """See Actuator."""
        entries = self._post.entries()
        self._post.write(entries | {(uid, target.project, self._resource) for uid in target.uids})
        found = list(self._post.of(target.uids, ("active", "deferred", "incoming")))
        self._post.super("-h", found)
        call = f"{LIST}: HOLD for {', '.join(f'userid {uid}' for uid in target.uids)}; postsuper -h of {len(found)}"
        return Done(f"holds the mail of {target.project} in the queue", call)

    def read_back(self, target: Target, step: str, limit: AgreedLimit) -> ReadBack:  # noqa: ARG002 - every actuator's
        """See Actuator."""
        held = {uid for uid, _, resource in self._post.entries() if resource == self._resource}
        stands = bool(target.uids) and held >= set(target.uids) and self._post.looks_at_us()
        return ReadBack(str(self._post.place), f"holds userid {', '.join(map(str, sorted(held))) or 'nobody'}", stands)

    def undo(self, target: Target) -> None:
        """See Actuator. By the project, so also of users that are not known any more."""
        before = self._post.entries()
        left = {each for each in before if not (each[1] == target.project and each[2] == self._resource)}
        if target.app:  # another app's lines of the same project stay
            left |= {each for each in before - left if each[0] not in target.uids}
        if left != before:
            self._post.write(left)
        freed = {uid for uid, _, _ in before - left} - {uid for uid, _, _ in left}
        self._post.super("-H", list(self._post.of(tuple(freed), ("hold",))))


class Post:
    """The list, and postfix's own programs."""

    def __init__(self, *, run: Run = run, place: Path = LIST) -> None:
        self._run, self.place = run, place

    def entries(self) -> set[Entry]:
        """Whose mail is held, for what."""
        try:
            lines = self.place.read_text(errors="replace").splitlines()
        except OSError:
            return set()
        return {(int(match[1]), match[2], match[3]) for line in lines if (match := _LINE.fullmatch(line))}

    def write(self, entries: set[Entry]) -> None:
        """The list anew; postfix reads it at once. Raises StateError or CommandFailed."""
        lines = [
            f"/^Received:.*\\(Postfix, from userid {uid}\\)/ HOLD coloc-agent {project} {resource}"
            for uid, project, resource in sorted(entries)
        ]
        try:
            write_whole(self.place, "\n".join([MARK, *lines, ""]), mode=0o644)
        except OSError as error:
            raise StateError(f"{self.place} cannot be written: {error.strerror}", hint="nothing was changed") from error
        self._run(["postfix", "reload"], timeout=_SECONDS)

    def checks(self) -> list[str]:
        """The tables that postfix looks headers up in."""
        try:
            said = self._run(["postconf", "-h", "header_checks"], timeout=_SECONDS).stdout
        except CommandFailed:
            return []
        return [word for word in re.split(r"[,\s]+", said.strip()) if word]

    def looks_at_us(self) -> bool:
        """True when our list is one of them."""
        return TABLE in self.checks()

    def of(self, uids: Sequence[int], queues: Sequence[str]) -> Iterator[str]:
        """The mails of these accounts in some queues, by what postfix wrote of who sent them."""
        if not uids:
            return
        said = self._run(["postqueue", "-j"], timeout=_SECONDS).stdout
        wanted = re.compile(
            rf"^Received:[^\n]*(\n[ \t][^\n]*)*\(Postfix, from userid ({'|'.join(map(str, uids))})\)", re.M
        )
        for line in said.splitlines()[:_MOST]:
            mail = json.loads(line)
            if mail.get("queue_name") in queues and re.fullmatch(r"[0-9A-Za-z]{5,30}", str(mail.get("queue_id"))):
                try:
                    head = self._run(["postcat", "-qh", mail["queue_id"]], timeout=_SECONDS).stdout
                except CommandFailed:  # it left meanwhile
                    continue
                if wanted.search(head):
                    yield mail["queue_id"]

    def super(self, order: str, mails: Sequence[str]) -> None:
        """`-h` holds, `-H` lets go, in batches: postfix sends what was let go when it next looks at its queue."""
        for start in range(0, len(mails), _BATCH):
            self._run(
                ["postsuper", order, "-"], timeout=_SECONDS, stdin="\n".join(mails[start : start + _BATCH]) + "\n"
            )


class MailTraces:
    """Our list, and that postfix looks at it."""

    def __init__(self, *, run: Run = run, place: Path = LIST, hook: Path = HOOK) -> None:
        self._run, self._post, self._hook = run, Post(run=run, place=place), hook
        self.unseen: list[str] = []

    def find(self) -> Iterator[Trace]:
        """See Source."""
        undo = f"postconf -e header_checks=…without {TABLE}; postfix reload; rm {self._post.place}; postsuper -H ALL"
        if self._hook_is_ours():
            yield Trace(str(self._hook), "YunoHost lets postfix look at our list", f"rm {self._hook}; {_REGEN}")
        if self._is_here() and self._post.looks_at_us():
            yield Trace("/etc/postfix/main.cf", "postfix looks at our list of mail to hold", undo)
        if self._post.place.exists():
            yield Trace(str(self._post.place), "whose mail is held", undo)

    def undo_all(self) -> list[str]:
        """See Source. First postfix forgets the list, then the mail goes, then the list does."""
        if not any(True for _ in self.find()):
            return []
        held, said = tuple({uid for uid, _, _ in self._post.entries()}), [f"{self._post.place}: removed"]
        if self._hook_is_ours():
            self._hook.unlink()
            said.append(f"{self._hook}: removed")
            with suppress(CommandFailed):  # what it does not mend, is mended below
                self._run(_REGEN.split(), timeout=600)
        if self._is_here():
            if self._post.looks_at_us():
                said.append("header_checks: without our list")
                set_checks([each for each in self._post.checks() if each != TABLE], self._run)
            mails = list(self._post.of(held, ("hold",)))
            self._post.super("-H", mails)
            said += [f"{len(mails)} mails let go"] if mails else []
        self._post.place.unlink(missing_ok=True)
        return said

    def _hook_is_ours(self) -> bool:
        try:
            return MARK in self._hook.read_text(errors="replace")
        except OSError:
            return False

    def _is_here(self) -> bool:
        return shutil.which("postconf", path="/usr/sbin:/usr/bin:/sbin:/bin") is not None


def set_up(*, run: Run = run, place: Path = LIST, hook: Path = HOOK, dry_run: bool = False) -> list[str]:
    """Let postfix look at our list, which is empty at first. What was done, a sentence each. Raises ColocError.

    Under YunoHost its own file is not touched: a hook adds our line whenever YunoHost writes it.
    """
    post, by_hook = Post(run=run, place=place), hook.parents[1].is_dir()
    if post.looks_at_us() or (by_hook and hook.exists()):
        return []
    for file in (place, *([hook] if by_hook else [])):
        if file.exists() and MARK not in file.read_text(errors="replace"):
            raise ColocError(f"{file} is somebody else's; it was left alone", hint="move it away, then try again")
    said = [f"{place}: written", f"{hook}: written; now run: {_REGEN}" if by_hook else "header_checks: with our list"]
    if dry_run:
        return said
    try:
        write_whole(place, f"{MARK}\n", mode=0o644)
        if by_hook:
            hook.parent.mkdir(exist_ok=True)
            write_whole(hook, _HOOK, mode=0o755)
    except OSError as error:
        raise StateError(
            f"{error.filename} cannot be written: {error.strerror}", hint="is postfix installed?"
        ) from error
    if not by_hook:
        set_checks([*post.checks(), TABLE], run)
    return said


def set_checks(tables: Sequence[str], run: Run) -> None:
    """Tell postfix which tables to look headers up in: its own default again when there are none."""
    order = ["-e", f"header_checks={', '.join(tables)}"] if tables else ["-X", "header_checks"]
    run(["postconf", *order], timeout=_SECONDS)
    run(["postfix", "reload"], timeout=_SECONDS)
