"""The privileged helper, `python -I -m helper.service`: answers one request on a socket of systemd's, and ends.

Only the daemon's account and root are listened to. It reads coloc.yml not at all: root wrote down what it may do.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from coloc.agreed import FOLDER, Agreed, read_agreed
from coloc.errors import ColocError
from coloc.verbs import MAX_REQUEST, Answer, Refused, answer_line, parse_request
from helper.journal import one_at_a_time
from helper.keeper import Keeper, Means
from helper.means import means_of

ACCOUNT = "coloc-agent"
_MOST_LEFT = 64
_GOODBYE_SECONDS = 0.5
_SECONDS = 5.0  # for a request of one line


def main() -> int:
    """Serve the one connection that systemd accepted, on standard input."""
    with socket.socket(fileno=os.dup(0)) as connection:
        serve(connection, {0, *_account_uid()}, FOLDER, lambda agreed: means_of(say, agreed), say)
    return 0


def serve(
    connection: socket.socket,
    known: set[int],
    folder: Path,
    means: Callable[[Agreed | None], Means],
    log: Callable[[str], None],
    *,
    writer: int = 0,
) -> None:
    """One request of one of these users, one answer; a peer that has gone is nobody's trouble.

    `writer`: who alone may have written what was agreed.
    """
    with suppress(OSError):
        connection.settimeout(_SECONDS)
        try:
            admit(peer_uid(connection), known)
            ask = parse_request(read_line(connection))
            with one_at_a_time(folder):
                agreed = read_agreed(folder, writer=writer)
                answer = Keeper(folder, agreed, means(agreed)).obey(ask, datetime.now(UTC))
        except Refused as error:
            log(f"refused: {error}")
            answer = Answer(str(error))
        except ColocError as error:
            log(f"failed: {error.sentence()}")
            answer = Answer(error.sentence()[:1000])
        _hand_over(connection, answer)


def _hand_over(connection: socket.socket, answer: Answer) -> None:
    connection.sendall(answer_line(answer))
    connection.shutdown(socket.SHUT_WR)
    connection.settimeout(_GOODBYE_SECONDS)
    for _ in range(_MOST_LEFT):  # closed with something unread, the answer might not arrive
        if not connection.recv(MAX_REQUEST):
            break


def peer_uid(connection: socket.socket) -> int:
    """Who is at the other end, as the kernel knows it."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)


def admit(uid: int, known: set[int]) -> None:
    """Raises Refused for a stranger."""
    if uid not in known:
        raise Refused(f"the helper does not listen to the user with number {uid}")


def read_line(connection: socket.socket) -> bytes:
    """One line, however it comes in pieces. Raises Refused when it is too long or does not come."""
    found = b""
    try:
        while b"\n" not in found and len(found) <= MAX_REQUEST:
            piece = connection.recv(MAX_REQUEST)
            if not piece:
                break
            found += piece
    except TimeoutError as error:
        raise Refused("no request came") from error
    line, end, _ = found.partition(b"\n")
    if not end:
        raise Refused("that is not a line")
    return line


def say(text: str) -> None:
    """To the journal, by standard error; what came from outside cannot begin a line of its own."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in text)
    sys.stderr.write(f"{shown[:2000]}\n")
    sys.stderr.flush()


def _account_uid() -> set[int]:
    try:
        return {pwd.getpwnam(ACCOUNT).pw_uid}
    except KeyError:
        return set()


if __name__ == "__main__":
    sys.exit(main())
