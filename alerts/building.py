"""Makes the channels that coloc.yml asks for; the only place that reads their secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from alerts.channel import Channel
from alerts.console import ConsoleChannel
from coloc.config.channels import MatrixChannel as MatrixKeys
from coloc.config.whole import Config
from coloc.secrets import Secret, find_secret, read_secret, read_secrets

if TYPE_CHECKING:
    from alerts.matrix_listener import MatrixListener
    from alerts.matrix_tokens import Tokens

ROTATED = "matrix-tokens.json"


def channels_of(config: Config, *, renew: bool = False) -> dict[str, Channel]:
    """Every channel of a configuration, by name; the console is always there. Raises ConfigError for a secret.

    `renew`: for the daemon, which alone may rotate tokens.
    """
    channels: dict[str, Channel] = {"console": ConsoleChannel()}
    matrix, forum = config.channels.matrix, config.channels.forum
    if matrix is not None:
        from alerts.matrix import MatrixChannel  # noqa: PLC0415 - requests costs memory: only who uses it pays

        channels["matrix"] = MatrixChannel(
            matrix.homeserver,
            _matrix_tokens(matrix, config.paths.state, renew=renew),
            matrix.room,
            allow_encrypted=matrix.allow_encrypted,
            others=[project.room for project in config.projects.values() if project.room],
        )
    if forum is not None:
        from alerts.forum import ForumChannel  # noqa: PLC0415

        key = read_secret(find_secret("forum-key", forum.key_file))
        channels["forum"] = ForumChannel(forum.url, forum.user, key, forum.topic)
    mail = config.channels.mail
    if mail is not None:
        from alerts.mail import MailChannel  # noqa: PLC0415

        channels["mail"] = MailChannel(mail.server, mail.port, sender=mail.sender, to=mail.to, coloc=config.coloc.name)
    webhook = config.channels.webhook
    if webhook is not None:
        from alerts.webhook import WebhookChannel  # noqa: PLC0415

        url = read_secret(webhook.url_file) if webhook.url_file else Secret(webhook.url or "")
        secret = read_secret(webhook.secret_file) if webhook.secret_file else None
        channels["webhook"] = WebhookChannel(url, secret, sign=webhook.sign, coloc=config.coloc.name)
    return channels


def listener_of(
    config: Config,
    channels: Mapping[str, Channel],
    *,
    targets: Sequence[str],
    people: frozenset[str],
    wake: Callable[[], None],
) -> MatrixListener | None:
    """Who listens in the rooms of Matrix, when there is such a channel and somebody may ask for something."""
    matrix = channels.get("matrix")
    if matrix is None or not people or not config.reaches("alert"):
        return None
    from alerts.matrix import MatrixChannel  # noqa: PLC0415 - as above
    from alerts.matrix_listener import MatrixListener  # noqa: PLC0415

    if not isinstance(matrix, MatrixChannel):
        return None
    return MatrixListener(
        matrix.session, matrix.rooms, config.paths.state / "state.db", targets=targets, people=people, wake=wake
    )


def _matrix_tokens(keys: MatrixKeys, state: Path, *, renew: bool) -> Tokens:
    from alerts.matrix_tokens import Tokens  # noqa: PLC0415 - as above

    access, *more = read_secrets(find_secret("matrix-token", keys.token_file))
    refresh = next((line for line in more if line.reveal()), None)
    tokens = Tokens(access, refresh, file=state / ROTATED if renew else None)
    tokens.remember(state / ROTATED)
    return tokens
