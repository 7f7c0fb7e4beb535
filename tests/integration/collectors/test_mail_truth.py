"""What the agent counted is what a real postfix was given by accounts and programs, and how it ended."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from collectors.mail import MailCollector
from collectors.mail_queue import BOUNCED, DEFERRED, MESSAGES, RECIPIENTS, SENT
from coloc.model import App
from tests.fakes.colocations import colocation
from tests.fakes.postfix import postfix
from tests.fakes.waiting import until

UIDS = {"blog": 61961, "wiki": 61962}
APPS = colocation(
    App("blog", "b", "Blog", user="blog", domain="blog.test"), App("wiki", "w", "Wiki", user="wiki", domain="wiki.test")
)


def test_mails_of_accounts_and_programs_are_their_apps_and_end_as_postfix_says(tmp_path: Path) -> None:
    assert os.geteuid() == 0, "a postfix of its own needs root"
    with postfix(tmp_path / "postfix") as server:
        mail = MailCollector(server.root, user_ids=lambda names: {name: UIDS[name] for name in names}, whole=True)

        def counted() -> dict[str, list[int]]:
            list(mail.collect(APPS, datetime.now(UTC)))
            return {app: [int(row[each]) for each in FIGURES] for app, row in mail.counts().items()}

        for number in range(3):
            server.sendmail(UIDS["blog"], "blog@blog.test", f"a{number}@sent.test", f"b{number}@sent.test")
        server.sendmail(UIDS["blog"], "blog@blog.test", "a@bounced.test", "b@deferred.test")
        # The third is refused at the door: nothing that postfix took.
        server.smtp("wiki@wiki.test", "a@sent.test", "b@sent.test", "c@bounced.test")
        server.smtp("somebody@elsewhere.test", "a@sent.test")
        server.sendmail(0, "root@house.test", "a@sent.test")
        truth = {"blog": [4, 8, 6, 1, 1], "wiki": [1, 2, 2, 0, 0]}
        truth |= {"_unattributed": [1, 1, 1, 0, 0], "_system": [1, 1, 1, 0, 0]}
        try:
            until(lambda: counted() == truth, seconds=120, what="the mails")
        except AssertionError as error:
            raise AssertionError(f"{counted()}\n{server.log}") from error
        assert "nobody" not in str(list(mail.collect(APPS, datetime.now(UTC))))


FIGURES = (MESSAGES, RECIPIENTS, SENT, DEFERRED, BOUNCED)
