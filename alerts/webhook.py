"""Posts each message as JSON to an address that coloc.yml names: a last resort beside Matrix, for any program.

The same row always is the same request with the same Idempotency-Key, so that a repeat can be told from news. The
address may be a secret itself: no sentence of ours holds it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Literal

from alerts.address import split_address
from alerts.channel import Blocked, Outcome, Refused, Retry, Sent
from alerts.http import Answer, Http, encoded
from alerts.reasons import reason
from coloc.outbox import Row
from coloc.secrets import Secret
from coloc.times import iso

_LONGEST = 50_000  # characters
Sign = Literal["bearer", "hmac"]


class WebhookChannel:
    """One address; its secret, when there is one, goes along as bearer token or signs the body."""

    name = "webhook"

    def __init__(self, url: Secret, secret: Secret | None, *, sign: Sign = "bearer", coloc: str) -> None:
        """Raises ConfigError for an address that would carry messages in clear over the network."""
        base, self._path = split_address(url, "channels.webhook")
        self._http, self._secret, self._sign, self._coloc = Http(base, {}), secret, sign, coloc

    def deliver(self, row: Row) -> Outcome:
        """See Channel. Whoever is asked puts edits and answers together by `thread`."""
        body = body_of(row, self._coloc)
        answer = self._http.ask("POST", self._path, body, headers=self._headers(row, body), at_most=10_000)
        return Sent(row.txn_id) if 200 <= answer.status < 300 else _trouble(answer)

    def check(self) -> list[str]:
        """See Channel: the address answers to OPTIONS, whatever it says; only a message shows whether it takes one."""
        answer = self._http.ask("OPTIONS", self._path, at_most=10_000)
        return [f"Webhook: {answer.why}"] if answer.status == 0 else []

    def close(self) -> None:
        """See Channel."""
        self._http.close()

    def _headers(self, row: Row, body: Mapping[str, Any]) -> dict[str, str]:
        headers = {"Idempotency-Key": row.txn_id, "User-Agent": "coloc-agent"}
        if self._secret is not None and self._sign == "bearer":
            headers["Authorization"] = f"Bearer {self._secret.reveal()}"
        elif self._secret is not None:
            seal = hmac.new(self._secret.reveal().encode(), encoded(body), hashlib.sha256).hexdigest()
            headers["X-Coloc-Signature"] = f"sha256={seal}"
        return headers


def body_of(row: Row, coloc: str) -> dict[str, Any]:
    """What is posted: always the same for the same row. Pure."""
    return {
        "version": 1,
        "coloc": coloc,
        "key": row.key,
        "thread": row.about,
        "kind": str(row.kind),
        "rings": row.message.rings,
        "text": row.message.text[:_LONGEST],
        "decided_at": iso(row.created_at),
    }


def _trouble(answer: Answer) -> Outcome:
    status = answer.status
    if answer.is_redirect:
        return Blocked(
            reason("the webhook sends us to another address; write its final one in channels: webhook: url:")
        )
    if status == 429:
        return Retry(reason("the webhook asks us to slow down"), answer.retry_after() or 30)
    if status in {401, 403, 404, 405, 410}:
        return Blocked(
            reason("the webhook refuses us ({status}); mend its address or secret in channels: webhook:", status=status)
        )
    if status in {0, 408, 409, 425} or status >= 500:
        return Retry(answer.why or reason("the webhook answers {status}", status=status), answer.retry_after())
    return Refused(reason("the webhook refuses the message ({status})", status=status))
