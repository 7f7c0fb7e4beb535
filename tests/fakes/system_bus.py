"""A real dbus-daemon on a socket of its own, and a small systemd on it that says which unit changed."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from jeepney import DBusAddress, HeaderFields, MessageType, new_error, new_method_return, new_signal
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from tests.fakes.waiting import until

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
<allow eavesdrop="false"/><allow user="*"/></policy></busconfig>
"""
_NAME = "org.freedesktop.systemd1"


class SystemBus:
    """`start` and `stop` are of the bus; systemd comes and goes with it."""

    def __init__(self, folder: Path) -> None:
        self.socket, self._config = folder / "bus", folder / "bus.conf"
        self._config.write_text(_CONFIG.format(socket=self.socket))
        self.subscribed = 0
        self.refuses = False
        self.start()

    def start(self) -> None:
        self._bus = subprocess.Popen(
            ["dbus-daemon", f"--config-file={self._config}", "--nofork", "--nopidfile"], stderr=subprocess.DEVNULL
        )
        until(self.socket.exists)
        self._ended = threading.Event()
        self._systemd = open_dbus_connection(f"unix:path={self.socket}")
        self._systemd.send_and_get_reply(message_bus.RequestName(_NAME))
        self._thread = threading.Thread(target=self._serve, args=(self._systemd, self._ended))
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()
        self._systemd.close()
        self._bus.terminate()
        self._bus.wait()
        self.socket.unlink(missing_ok=True)

    def change(self, path: str, *, interface: str = f"{_NAME}.Unit", member: str = "PropertiesChanged") -> None:
        """systemd says that a unit changed; `path` as it escapes its name."""
        emitter = DBusAddress(f"/org/freedesktop/systemd1/unit/{path}", interface="org.freedesktop.DBus.Properties")
        body: tuple[object, ...] = (interface, {"ActiveState": ("s", "failed"), "SubState": ("s", "x" * 300)}, [])
        self._systemd.send(new_signal(emitter, member, "sa{sv}as", body))

    def _serve(self, systemd: DBusConnection, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                message = systemd.receive(timeout=0.1)
            except TimeoutError:
                continue
            if message.header.message_type is not MessageType.method_call:
                continue
            if self.refuses:
                systemd.send(new_error(message, "org.freedesktop.DBus.Error.AccessDenied"))
            else:
                self.subscribed += message.header.fields[HeaderFields.member] == "Subscribe"
                systemd.send(new_method_return(message))
