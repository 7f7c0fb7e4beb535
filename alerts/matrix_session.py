"""Talks with one homeserver as one account, renews its token, and says what trouble means for a message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alerts.channel import Blocked, Outcome, Refused, Retry, Sent
from alerts.http import MAX_BYTES, Answer, Http
from alerts.matrix_tokens import Tokens
from alerts.reasons import reason

API = "/_matrix/client/v3"


class MatrixSession:
    """One account on one homeserver."""

    def __init__(self, homeserver: str, tokens: Tokens) -> None:
        self._http, self._tokens = Http(homeserver, {}), tokens

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, at_most: int = MAX_BYTES) -> Answer:
        """One request below the client API; once more with a new token when ours has expired."""
        used = self._tokens.access
        answer = self._once(method, path, body, at_most)
        if answer.status != 401 or not answer.is_json:
            return answer
        why_not = self._tokens.renew(self._http, used)
        if why_not is None:
            return self._once(method, path, body, at_most)
        # A homeserver that is down while we renew is no reason to call a human.
        return why_not if why_not.may_pass or why_not.status == 429 else answer

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None, at_most: int) -> Answer:
        bearer = {"Authorization": f"Bearer {self._tokens.access.reveal()}"}
        return self._http.ask(method, API + path, body, headers=bearer, at_most=at_most)

    def close(self) -> None:
        """Close connections."""
        self._http.close()


def trouble(answer: Answer, where: str) -> Outcome:
    """What an answer that is no success means, by status and errcode, never by words."""
    code = answer.data.get("errcode")
    if answer.is_redirect:
        return Blocked(
            reason("the homeserver sends us to another address; write its final one in homeserver: (https?)")
        )
    if answer.status == 429:
        return Retry(reason("the homeserver asks us to slow down"), answer.retry_after())
    if answer.may_pass or (answer.status == 404 and code != "M_NOT_FOUND"):
        return Retry(answer.why or reason("the homeserver answers {status}", status=answer.status))
    if answer.status == 401:
        return Blocked(reason("the access token is refused; make a new one and put it into token_file"))
    if answer.status in {403, 404}:
        return Blocked(reason("the agent may not write in {room}; invite it again", room=where))
    if code == "M_DUPLICATE_ANNOTATION":
        return Sent()
    return Refused(
        reason("the homeserver refuses the message: {status} {code}", status=answer.status, code=str(code)[:60])
    )
