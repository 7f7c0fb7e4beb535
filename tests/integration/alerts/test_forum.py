"""The forum channel against the stand-in: one post per message, whatever is lost, and people's words are kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest

from alerts.channel import Blocked, Refused, Retry, Sent
from alerts.forum import ForumChannel
from coloc.outbox import Kind
from coloc.secrets import Secret
from coloc.times import now_utc
from tests.fakes.discourse import Discourse, running
from tests.fakes.published_schema import answer_schema, mistakes
from tests.fakes.rows import row


@pytest.fixture
def forum() -> Iterator[tuple[Discourse, ForumChannel]]:
    with running() as (server, url):
        channel = ForumChannel(url, "coloc-agent", Secret("good-key"), 7)
        yield server, channel
        channel.close()


Both = tuple[Discourse, ForumChannel]
TEXT = "🔴 Tchat (mattermost) est arrêtée [#1]\nDepuis 2026-11-23 02:30 +01:00"


def say(channel: ForumChannel, text: str = TEXT, **values: object) -> object:
    return channel.deliver(row(text, target="7", channel="forum", **values))  # type: ignore[arg-type]


def test_a_message_is_one_post_and_an_edit_changes_it(forum: Both) -> None:
    server, channel = forum
    first = say(channel, key="i1")
    assert isinstance(first, Sent)
    edited = say(
        channel, "✅ Rétabli, tout va bien", key="i1:1", about="i1", kind=Kind.EDIT, about_remote_id=first.remote_id
    )
    assert isinstance(edited, Sent)
    assert len(server.ours()) == 1
    assert "Rétabli" in server.ours()[0]
    assert "arrêtée" not in server.ours()[0]


@pytest.mark.parametrize("later", [0, 121, 400])
def test_a_lost_answer_never_makes_a_second_post(forum: Both, later: int) -> None:
    server, channel = forum
    server.fault("lost")
    assert isinstance(say(channel, key="i1"), Retry)
    server.later = later
    assert isinstance(say(channel, key="i1", attempts=1), Sent)
    assert len(server.ours()) == 1


def test_what_people_wrote_into_our_post_is_kept(forum: Both) -> None:
    server, channel = forum
    first = say(channel, key="i1")
    assert isinstance(first, Sent)
    server.posts[int(first.remote_id)].raw += "\n\nJe m'en occupe ce soir. Léa"
    say(channel, "✅ Rétabli, tout va bien", key="i1:1", about="i1", kind=Kind.EDIT, about_remote_id=first.remote_id)
    assert "Je m'en occupe ce soir. Léa" in server.ours()[0]
    assert "Rétabli" in server.ours()[0]


def test_a_post_too_old_to_be_edited_is_answered_with_a_reply(forum: Both) -> None:
    server, channel = forum
    first = say(channel, key="i1")
    assert isinstance(first, Sent)
    server.later = 31 * 86400
    reply = say(
        channel, "✅ Rétabli, tout va bien", key="i1:1", about="i1", kind=Kind.EDIT, about_remote_id=first.remote_id
    )
    assert isinstance(reply, Sent)
    assert reply.instead, "what follows edits the reply, not the post that is too old"
    assert len(server.ours()) == 2


@pytest.mark.parametrize("kind", ["reset", "html502", "html429", "html403", "ip_text", "read_only"])
def test_passing_trouble_is_tried_again(forum: Both, kind: str) -> None:
    server, channel = forum
    server.fault(kind)
    outcome = say(channel, key="i1")
    assert isinstance(outcome, Retry), outcome
    assert server.ours() == []
    assert isinstance(say(channel, key="i1", attempts=1), Sent)


def test_the_wait_that_the_forum_asks_for_is_obeyed(forum: Both) -> None:
    server, channel = forum
    server.fault("ip_text")
    outcome = say(channel, key="i1")
    assert isinstance(outcome, Retry)
    assert outcome.after_seconds == 8


def test_a_post_held_back_for_review_is_not_posted(forum: Both) -> None:
    server, channel = forum
    server.settings["approve"] = True
    assert isinstance(say(channel, key="i1"), Blocked)
    server.later = 300
    assert isinstance(say(channel, key="i1", attempts=1), Blocked)
    assert server.forum.pending == 1, "it must not fill the moderators' queue"
    forgotten = say(channel, key="i1", attempts=9, created_at=now_utc() - timedelta(days=2))
    assert isinstance(forgotten, Refused)


def test_a_closed_topic_and_a_bad_key_wait_for_a_human(forum: Both) -> None:
    server, channel = forum
    server.topics[7].closed = True
    outcome = say(channel, key="i1")
    assert isinstance(outcome, Blocked)
    assert "7" in outcome.why
    assert channel.check()
    server.topics[7].closed = False
    assert channel.check() == []
    server.keys.clear()
    refused = say(channel, key="i2")
    assert isinstance(refused, Blocked)
    assert "good-key" not in refused.why


def test_a_fourth_reply_in_a_row_waits_and_is_not_given_up(forum: Both) -> None:
    server, channel = forum
    for number in range(3):
        assert isinstance(say(channel, f"Message numéro {number} de la coloc", key=f"i{number}"), Sent)
    assert isinstance(say(channel, "Un quatrième message de la coloc", key="i4"), Retry)
    server.human("Merci !" * 5)
    server.later = 200
    assert isinstance(say(channel, "Un quatrième message de la coloc", key="i4", attempts=1), Sent)


def test_names_from_outside_cannot_make_links_or_mentions(forum: Both) -> None:
    server, channel = forum
    say(channel, "L'app <script>alert(1)</script> @admins [clic](http://x) --> est arrêtée", key="i1")
    raw = server.ours()[0]
    assert "<script>" not in raw
    assert raw.count("-->") == 2
    assert "[clic](" not in raw


def test_the_key_does_not_follow_a_redirect_and_a_human_is_told(forum: Both) -> None:
    server, channel = forum
    with running() as (elsewhere, url):
        server.redirect_to = f"{url}/posts.json"
        server.fault("redirect")
        outcome = say(channel, key="i1")
        assert isinstance(outcome, Blocked)
        assert "url:" in outcome.why
        assert elsewhere.seen == []


@pytest.mark.parametrize("kind", [Kind.REPLY, Kind.EDIT])
@pytest.mark.parametrize("later", [130, 400])
def test_a_lost_answer_to_a_reply_or_a_late_edit_makes_no_second_post(forum: Both, kind: Kind, later: int) -> None:
    server, channel = forum
    first = say(channel, key="i1")
    assert isinstance(first, Sent)
    server.later = 31 * 86400
    told = {"key": "i1:1", "about": "i1", "kind": kind, "about_remote_id": first.remote_id}
    server.faults = ["lost"] if kind is Kind.REPLY else ["", "", "lost"]  # look, edit too late, post
    assert isinstance(say(channel, "✅ Rétabli, tout va bien", **told), Retry)
    server.later += later
    again = say(channel, "✅ Rétabli, tout va bien", **told, attempts=1)
    assert isinstance(again, Sent)
    assert again != first
    assert len(server.ours()) == 2


def test_two_edits_change_the_same_block_and_keep_its_marker(forum: Both) -> None:
    server, channel = forum
    first = say(channel, key="i1")
    assert isinstance(first, Sent)
    for number in (1, 2):
        told = {"key": f"i1:{number}", "about": "i1", "kind": Kind.EDIT, "about_remote_id": first.remote_id}
        assert isinstance(say(channel, f"Un texte plus nouveau, le {number}", **told), Sent)
    assert server.ours()[0].count("<!-- coloc:") == 1
    assert "le 2" in server.ours()[0]
    assert isinstance(say(channel, key="i1", attempts=1), Sent)
    assert len(server.ours()) == 1


def test_somebody_who_edits_at_the_same_time_is_not_overwritten(forum: Both) -> None:
    server, channel = forum
    first = say(channel, key="i1")
    assert isinstance(first, Sent)
    body = {"post": {"raw": "plus rien de ce que Léa a écrit", "original_text": "ce qui était là avant"}}
    assert server.forum.edit("coloc-agent", int(first.remote_id), body)[0] == 409
    assert "arrêtée" in server.ours()[0]


def test_a_silent_forum_and_its_limits_are_tried_again(forum: Both) -> None:
    server, channel = forum
    server.settings["seconds_between_posts"] = 5
    assert isinstance(say(channel, key="i1"), Sent)
    slow = say(channel, "Un autre message de la coloc", key="i2")
    assert isinstance(slow, Retry)
    assert slow.after_seconds
    server.settings["admin_requests_per_minute"] = 1
    assert isinstance(say(channel, "Encore un message de la coloc", key="i3"), Retry)


def test_the_stand_in_answers_as_the_published_schema_says(forum: Both) -> None:
    server, channel = forum
    first = say(channel, key="i1")
    assert isinstance(first, Sent)
    say(channel, "✅ Rétabli, tout va bien", key="i1:1", about="i1", kind=Kind.EDIT, about_remote_id=first.remote_id)
    say(channel, key="i1", attempts=1)
    assert {(method, len(path.split("/"))) for method, path, _ in server.answers} == {
        ("POST", 2),
        ("GET", 3),
        ("PUT", 3),
        ("GET", 4),
    }
    for method, path, answer in server.answers:
        door = re.sub(r"\d+", "{id}", path)
        assert list(mistakes(answer, answer_schema(door, method.lower()))) == [], (method, path)
