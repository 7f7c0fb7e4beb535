"""Follows mails through postfix's queue and counts for their app. Knows no address: recipients are told by their turn.

Rules. A mail counts when the queue takes it up for the first time. In that first turn every recipient has one line; in
later turns only those who were deferred have one again: so a later `deferred` is nothing new, a later `sent` is. When
a mail expires, those who still wait are lost. A queue id is forgotten when it is removed, as postfix gives it again
soon; those that nobody removes are forgotten after a week, or when there are too many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice

from collectors.mail_lines import ByClient, ByLogin, ByUser, Delivery, Event, Expired, Outcome, Queued, Removed

# Places in a row of figures.
MESSAGES, RECIPIENTS, SENT, DEFERRED, BOUNCED, EXPIRED = range(6)
FIGURES = 6
_PLACE = {Outcome.SENT: SENT, Outcome.DEFERRED: DEFERRED, Outcome.BOUNCED: BOUNCED}
_MOST_OPEN = 10_000
_FORGET_SECONDS = 7 * 86_400  # postfix gives up after five days

Row = list[float]


@dataclass(frozen=True, slots=True)
class Senders:
    """Whose mail is it? By the login, which is the app's id; by the account; by a domain that only one app has."""

    logins: Mapping[str, str]
    uids: Mapping[int, str]
    domains: Mapping[str, str]

    def by_login(self, login: str) -> str:
        """An app, or `_user`."""
        return self.logins.get(login, "_user")

    def by_uid(self, uid: int) -> str:
        """An app, `_system` or `_user`."""
        return self.uids.get(uid) or ("_system" if uid < 1000 else "_user")

    def by_domain(self, domain: str) -> str:
        """An app, or `_unattributed`."""
        return self.domains.get(domain, "_unattributed")


class Open:
    """A mail in the queue. `app` is empty until its sender's domain is known; `waiting`: recipients deferred so far."""

    __slots__ = ("app", "seen", "turns", "waiting")

    def __init__(self, app: str, seen: int, turns: int = 0, waiting: int = 0) -> None:
        self.app, self.seen, self.turns, self.waiting = app, seen, turns, waiting


class MailQueue:
    """The mails that are under way."""

    def __init__(self, row_of: Callable[[str], Row]) -> None:
        self.open: dict[str, Open] = {}
        self.dropped = 0  # forgotten because there were too many
        self._row_of = row_of

    def take(self, event: Event, senders: Senders, now: int) -> None:
        """One event of the log; `now` in seconds."""
        queue_id = event.queue_id.decode("ascii", "replace")
        match event:
            case ByUser():
                self._begin(queue_id, senders.by_uid(event.uid), now)
            case ByLogin():
                self._begin(queue_id, senders.by_login(event.login), now)
            case ByClient():
                self.open.pop(queue_id, None)  # the id of a mail whose end we did not see
                if event.local:
                    self._begin(queue_id, "", now)
            case Removed():
                self.open.pop(queue_id, None)
            case _:
                mail = self.open.get(queue_id)
                if mail is not None:
                    mail.seen = now
                    self._go_on(mail, event, senders)

    def _begin(self, queue_id: str, app: str, now: int) -> None:
        self.open.pop(queue_id, None)
        if len(self.open) >= _MOST_OPEN:
            del self.open[next(iter(self.open))]
            self.dropped += 1
        self.open[queue_id] = Open(app, now)

    def _go_on(self, mail: Open, event: Event, senders: Senders) -> None:
        if isinstance(event, Queued):
            mail.app = mail.app or senders.by_domain(event.domain)
            mail.turns = min(mail.turns + 1, 2)
            if mail.turns == 1:
                self._row_of(mail.app)[MESSAGES] += 1
            return
        if not mail.app:
            return
        row = self._row_of(mail.app)
        if isinstance(event, Expired):
            row[EXPIRED] += mail.waiting
            mail.waiting = 0
        elif isinstance(event, Delivery):
            first = mail.turns <= 1
            deferred = event.outcome is Outcome.DEFERRED
            row[RECIPIENTS] += first
            if first or not deferred:
                row[_PLACE[event.outcome]] += 1
            if first and deferred:
                mail.waiting += 1
            elif not first and not deferred:
                mail.waiting = max(0, mail.waiting - 1)

    def forget_old(self, now: int) -> None:
        """Let go of mails whose end will not come."""
        for queue_id in [key for key, mail in self.open.items() if now - mail.seen > _FORGET_SECONDS]:
            del self.open[queue_id]

    def to_json(self) -> dict[str, list[str | int]]:
        """For `restore`: no address in it."""
        return {key: [mail.app, mail.seen, mail.turns, mail.waiting] for key, mail in self.open.items()}

    def restore(self, saved: object) -> None:
        """Go on where an earlier process was."""
        if not isinstance(saved, dict):
            return
        for key, item in islice(saved.items(), _MOST_OPEN):
            match item:
                case [str(app), int(seen), int(turns), int(waiting)] if min(seen, turns, waiting) >= 0:
                    self.open[str(key)[:20]] = Open(app[:120], seen, turns, min(waiting, 10**6))
                case _:
                    continue
