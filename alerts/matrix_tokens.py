"""The access token of a Matrix account and how it is renewed: where the server gives refresh tokens, they are rotated.

`token_file` holds the access token and, on a second line, the refresh token when there is one. A rotated pair lies in a
0600 file of our own, replaced by rename before it is used: a server keeps the old refresh token good until then.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from pathlib import Path

from alerts.http import Answer, Http
from coloc.facts import write_whole
from coloc.secrets import Secret

logger = logging.getLogger(__name__)
_REFRESH = "/_matrix/client/v3/refresh"
_MAX_BYTES = 16 * 1024


class Tokens:
    """The tokens in use; safe to share between threads. `file` None: they are never rotated (a command looks on)."""

    def __init__(self, access: Secret, refresh: Secret | None = None, *, file: Path | None = None) -> None:
        self._lock = threading.Lock()
        self._access, self._refresh, self._file = access, refresh, file
        self._born = hashlib.sha256(access.reveal().encode()).hexdigest()

    @property
    def access(self) -> Secret:
        """The token to send now."""
        return self._access

    def remember(self, file: Path) -> None:
        """Go on with what was rotated in an earlier life, unless people have written new tokens since."""
        try:
            with file.open("rb") as opened:
                kept = json.loads(opened.read(_MAX_BYTES))
            born, access, refresh = kept["born"], kept["access"], kept["refresh"]
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            logger.warning("the rotated tokens cannot be read; the first ones are used", extra={"file": str(file)})
            return
        if born == self._born and isinstance(access, str) and isinstance(refresh, str):
            self._access, self._refresh = Secret(access), Secret(refresh)

    def renew(self, http: Http, used: Secret) -> Answer | None:
        """After `used` was refused: get a new one. None when there is one to try; else the answer that says why not."""
        with self._lock:
            if self._access != used:
                return None  # another thread was faster
            if self._refresh is None or self._file is None:
                return Answer(401, {"errcode": "M_UNKNOWN_TOKEN"}, {}, is_json=True)
            answer = http.ask("POST", _REFRESH, {"refresh_token": self._refresh.reveal()})
            access, refresh = answer.data.get("access_token"), answer.data.get("refresh_token")
            if answer.status != 200 or not isinstance(access, str):
                return answer
            if not isinstance(refresh, str):
                refresh = self._refresh.reveal()
            kept = json.dumps({"born": self._born, "access": access, "refresh": refresh})
            try:
                write_whole(self._file, kept, mode=0o600)
            except OSError as error:
                return Answer(0, {}, {}, is_json=False, why=f"the new token cannot be kept: {error.strerror}")
            self._access, self._refresh = Secret(access), Secret(refresh)
            logger.info("the Matrix token was renewed")
            return None
