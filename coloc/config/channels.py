"""The keys of coloc.yml that describe where incidents are told."""

from __future__ import annotations

from typing import Annotated, Literal

from coloc.config.marks import ReadBy, Within
from coloc.config.values import Described, Place, Seconds, nothing_means_defaults


class MatrixChannel(Described):
    """A Matrix account that speaks in rooms."""

    homeserver: Annotated[str, Within(pattern=r"^https?://\S+$")]
    token_file: Place | None = None
    room: Annotated[str, Within(pattern=r"^[!#]\S+$")]
    help_room: Annotated[str, Within(pattern=r"^[!#]\S+$")] | None = None
    allow_encrypted: bool = False
    language: Literal["fr", "en"] | None = None

    def __post_init__(self) -> None:
        if self.help_room == self.room:
            raise ValueError("help_room: is the community's room; alerts go to another one, which room: names")


class ForumChannel(Described):
    """The Discourse thread where maintenances are declared."""

    url: Annotated[str, Within(pattern=r"^https?://\S+$")]
    user: str
    key_file: Place | None = None
    topic: Annotated[int, Within(gt=0)]
    language: Literal["fr", "en"] | None = None


LAST_RESORTS = ("mail", "webhook")  # they speak when Matrix does not take our words, or always
_ADDRESS = r"^[A-Za-z0-9._+=-]+@[A-Za-z0-9.-]+$"
_QUARTER = 900.0  # seconds


class MailChannel(Described):
    """Mail to the adminsys through this machine's own postfix, when Matrix does not take our words, or always."""

    sender: Annotated[str, Within(pattern=_ADDRESS)]
    to: tuple[Annotated[str, Within(pattern=_ADDRESS)], ...]
    server: Annotated[str, Within(pattern=r"^[A-Za-z0-9.:-]+$")] = "localhost"
    port: Annotated[int, Within(gt=0, le=65535)] = 25
    after: Seconds = _QUARTER
    always: bool = False
    language: Literal["fr", "en"] | None = None

    def __post_init__(self) -> None:
        if not self.to:
            raise ValueError("to: is empty; write at least one address: [root@example.org]")


class WebhookChannel(Described):
    """An address that takes what mail would, as JSON. An address that is a secret itself lies in a file."""

    url: Annotated[str, Within(pattern=r"^https?://\S+$")] | None = None
    url_file: Place | None = None
    secret_file: Place | None = None
    sign: Literal["bearer", "hmac"] = "bearer"
    after: Seconds = _QUARTER
    always: bool = False
    language: Literal["fr", "en"] | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("url: or url_file: write one of them, the address or the file that holds it")


class ConsoleChannel(Described):
    """Messages on the agent's own output (the journal)."""

    language: Literal["fr", "en"] | None = None


class Channels(Described):
    """Where incidents are told."""

    console: Annotated[ConsoleChannel | None, ReadBy(nothing_means_defaults)] = None
    matrix: MatrixChannel | None = None
    forum: ForumChannel | None = None
    mail: MailChannel | None = None
    webhook: WebhookChannel | None = None
