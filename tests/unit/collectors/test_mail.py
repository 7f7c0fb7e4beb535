"""What postfix's log says of the mail of each app."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.mail import MailCollector
from collectors.mail_lines import parse
from collectors.mail_queue import BOUNCED, DEFERRED, EXPIRED, MESSAGES, RECIPIENTS, SENT, MailQueue, Senders
from coloc.memory import ForgetfulMemory
from coloc.model import App
from tests.fakes.colocations import colocation

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
SENDERS = Senders({"blog": "blog"}, {901: "wiki"}, {"wiki.test": "wiki"})
CAPTURED = Path(__file__).parents[2] / "captured/yunohost"

CALM = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def log(*events: str, old: bool = False) -> bytes:
    stamp = "Nov 24 03:00:00 host" if old else "2026-11-24T03:00:00.000001+00:00 host"
    return "".join(f"{stamp} postfix/{event}\n" for event in events).encode()


def figures(lines: bytes) -> dict[str, dict[int, float]]:
    rows: dict[str, list[float]] = {}
    queue = MailQueue(lambda app: rows.setdefault(app, [0.0] * 6))
    for each in lines.split(b"\n"):
        event = parse(each)
        if event is not None:
            queue.take(event, SENDERS, 100)
    return {app: {place: count for place, count in enumerate(row) if count} for app, row in rows.items()}


LOGIN = "submission/smtpd[1]: ABCDEF1: client=localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=blog"
QUEUED = "qmgr[2]: ABCDEF1: from=<blog@blog.test>, size=1, nrcpt=2 (queue active)"
REMOVED = "qmgr[2]: ABCDEF1: removed"


def to(address: str, status: str, agent: str = "smtp") -> str:
    return f"{agent}[3]: ABCDEF1: to=<{address}>, relay=x, delay=1, delays=1/0/0/0, dsn=2.0.0, status={status} (said x)"


@pytest.mark.parametrize("old", [False, True])
def test_a_mail_with_a_login_is_the_app_s(old: bool) -> None:
    lines = log(LOGIN, QUEUED, to("a@b.test", "sent"), to("c@d.test", "bounced"), REMOVED, old=old)
    assert figures(lines) == {"blog": {MESSAGES: 1, RECIPIENTS: 2, SENT: 1, BOUNCED: 1}}


def test_a_mail_of_an_account_is_its_app_s_the_system_s_or_a_person_s() -> None:
    for uid, app in ((901, "wiki"), (0, "_system"), (33, "_system"), (1007, "_user")):
        assert figures(log(f"pickup[1]: ABCDEF1: uid={uid} from=<x>", QUEUED)) == {app: {MESSAGES: 1}}


def test_without_a_login_only_the_domain_of_the_sender_tells() -> None:
    client = "smtpd[1]: ABCDEF1: client=localhost[127.0.0.1]"
    for domain, app in (("wiki.test", "wiki"), ("other.test", "_unattributed")):
        assert figures(log(client, QUEUED.replace("blog.test", domain))) == {app: {MESSAGES: 1}}


def test_somebody_who_is_deferred_counts_once_and_is_sent_later() -> None:
    later = log(QUEUED, to("a@b.test", "deferred"), QUEUED, to("a@b.test", "sent"), REMOVED)
    lines = log(LOGIN, QUEUED, to("a@b.test", "deferred"), to("c@d.test", "sent")) + later
    assert figures(lines) == {"blog": {MESSAGES: 1, RECIPIENTS: 2, SENT: 2, DEFERRED: 1}}


def test_those_who_wait_when_a_mail_expires_are_lost() -> None:
    expired = "qmgr[2]: ABCDEF1: from=<blog@blog.test>, status=expired, returned to sender"
    first = log(LOGIN, QUEUED, to("a@b.test", "deferred"), to("c@d.test", "deferred"))
    lines = first + log(QUEUED, to("a@b.test", "sent"), to("c@d.test", "deferred"), expired, REMOVED)
    assert figures(lines)["blog"] == {MESSAGES: 1, RECIPIENTS: 2, SENT: 1, DEFERRED: 2, EXPIRED: 1}


def test_an_id_that_is_used_again_is_another_mail() -> None:
    other = "smtpd[1]: ABCDEF1: client=mx.test[192.0.2.1]"
    lines = log(LOGIN, QUEUED, to("a@b.test", "sent"), other, QUEUED, to("a@b.test", "sent", "pipe"), REMOVED)
    assert figures(lines)["blog"] == {MESSAGES: 1, RECIPIENTS: 1, SENT: 1}


@pytest.mark.parametrize(
    "event",
    [
        "smtpd[1]: NOQUEUE: reject: RCPT from localhost[127.0.0.1]: 553 x; from=<blog@blog.test> to=<a@b.test>",
        "submission/smtpd[1]: warning: localhost[127.0.0.1]: SASL PLAIN authentication failed: x, sasl_username=blog",
        "bounce[1]: ABCDEF1: sender non-delivery notification: ABCDEF2",
        "cleanup[1]: ABCDEF1: message-id=<status=sent>",
        "smtpd[1]: ABCDEF1: client=localhost[127.0.0.1], sasl_username=blog, orig_queue_id=ABCDEF0",
    ],
)
def test_what_is_no_mail_counts_nothing(event: str) -> None:
    assert figures(log(event, QUEUED, to("a@b.test", "sent"), REMOVED)) == {}


def test_a_storm_of_mails_does_not_fill_memory_and_what_is_lost_is_counted() -> None:
    queue = MailQueue(lambda _: [0.0] * 6)
    for number in range(12_000):
        event = parse(log(LOGIN.replace("ABCDEF1", f"{number:08X}")).rstrip())
        assert event is not None
        queue.take(event, SENDERS, 100)
    assert len(queue.open) == 10_000
    assert queue.dropped == 2_000
    queue.forget_old(100 + 8 * 86_400)
    assert not queue.open


FRAGMENTS = st.sampled_from(
    [b" postfix/qmgr[1]: ", b"ABCDEF1: ", b"from=<", b">, size=1", b"uid=", b"9" * 30, b"client="]
)


@CALM
@given(st.lists(st.one_of(st.binary(max_size=80), FRAGMENTS), max_size=12))
def test_no_line_makes_the_parser_raise(pieces: list[bytes]) -> None:
    parse(b"".join(pieces))
    parse(b"2026 h postfix/smtpd[1]: ABCDEF1: " + b"".join(pieces))
    parse(b"2026 h postfix/qmgr[1]: ABCDEF1: from=<" + b"".join(pieces))


@CALM
@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    )
)
def test_no_memory_makes_the_collector_raise(saved: object) -> None:
    memory = ForgetfulMemory()
    memory.put("mail", json.dumps({"queue": saved, "counts": saved, "marks": saved}))
    with tempfile.TemporaryDirectory() as folder:
        list(MailCollector(Path(folder), memory=memory).collect(colocation(), NOW))


WHOLE = (CAPTURED / "real/var/log/mail.log").read_bytes()
APPS = colocation(App("labphp", "labphp", "Lab", user="labphp"))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, len(WHOLE)), st.booleans()), max_size=6))
def test_a_real_log_counts_the_same_wherever_it_is_cut(cuts: list[tuple[int, bool]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, memory = Path(name), ForgetfulMemory()
        (folder / "var/log").mkdir(parents=True)
        file = folder / "var/log/mail.log"
        file.touch()

        def collector() -> MailCollector:
            return MailCollector(folder, memory=memory, user_ids=lambda names: dict.fromkeys(names, 995))

        mail, begin = collector(), 0
        list(mail.collect(APPS, NOW))
        for end, restart in [*sorted(cuts), (len(WHOLE), False)]:
            with file.open("ab") as log_file:
                log_file.write(WHOLE[begin:end])
            begin = end
            mail = collector() if restart else mail
            list(mail.collect(APPS, NOW))
        row = mail.counts()["labphp"]
        assert (row[MESSAGES], row[RECIPIENTS], row[SENT], row[DEFERRED], row[BOUNCED]) == (8, 10, 9, 1, 0)
