"""Makes the channels that coloc.yml asks for; the only place that reads their secrets."""

from __future__ import annotations

from alerts.channel import Channel
from alerts.console import ConsoleChannel
from coloc.config.whole import Config
from coloc.secrets import find_secret, read_secret


def channels_of(config: Config) -> dict[str, Channel]:
    """Every channel of a configuration, by name; the console is always there. Raises ConfigError for a secret."""
    channels: dict[str, Channel] = {"console": ConsoleChannel()}
    matrix, forum = config.channels.matrix, config.channels.forum
    if matrix is not None:
        from alerts.matrix import MatrixChannel  # noqa: PLC0415 - requests costs memory: only who uses it pays

        token = read_secret(find_secret("matrix-token", matrix.token_file))
        channels["matrix"] = MatrixChannel(
            matrix.homeserver, token, matrix.room, allow_encrypted=matrix.allow_encrypted
        )
    if forum is not None:
        from alerts.forum import ForumChannel  # noqa: PLC0415

        key = read_secret(find_secret("forum-key", forum.key_file))
        channels["forum"] = ForumChannel(forum.url, forum.user, key, forum.topic)
    return channels
