"""Speaks to systemd: ready, reloading, stopping, and alive. Without systemd each word goes nowhere."""

from __future__ import annotations

import os
import socket
import time


class Notifier:
    """The service's socket to systemd (sd_notify(3)); one datagram per word."""

    def __init__(self, address: str | None = None) -> None:
        self._address = address if address is not None else os.environ.get("NOTIFY_SOCKET", "")

    def ready(self, status: str) -> None:
        """The agent serves; `status` is what `systemctl status` shows."""
        self._say(f"READY=1\nSTATUS={_line(status)}")

    def status(self, status: str) -> None:
        """A new line for `systemctl status`."""
        self._say(f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """The configuration is being read again; systemd wants the monotonic time in microseconds."""
        self._say(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The agent was asked to end and does."""
        self._say("STOPPING=1")

    def _say(self, words: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.settimeout(1)  # systemd may be too busy to listen: the loop must not wait for it
            try:
                channel.sendto(words.encode(errors="replace"), address)
            except OSError:
                # systemd is gone or busy: the watchdog will tell if that lasts; the agent's work goes on.
                return


def _line(text: str) -> str:
    """One line: what stands on the next one would be another word to systemd."""
    return " ".join(text.split())
