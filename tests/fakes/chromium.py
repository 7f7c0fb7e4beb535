"""A real Chromium without a window, driven over the DevTools protocol by a pipe: no port, no other library."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PATIENCE = 30.0
# Chromium speaks on 3 and 4: this puts our pipes there and becomes it.
_LAUNCH = "import os,sys;os.dup2(int(sys.argv[1]),3);os.dup2(int(sys.argv[2]),4);os.execvp(sys.argv[3],sys.argv[3:])"


class Chromium:
    """One tab."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
        said, heard = _high_pipe(), _high_pipe()
        argv = [
            program,
            "--headless=new",
            "--no-sandbox",  # tests run as root; it loads nothing but our own page
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            f"--user-data-dir={folder}",
            "--remote-debugging-pipe",
            "about:blank",
        ]
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder.parent / "chromium.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(said[0]), str(heard[1]), *argv],
            pass_fds=(said[0], heard[1]),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
            env={**os.environ, "HOME": str(folder)},
        )
        os.close(said[0])
        os.close(heard[1])
        self._to, self._from = said[1], heard[0]
        self._rest, self._number, self._session = b"", 0, ""
        self.complaints: list[str] = []  # what the console and the walls of the page said
        agent = str(self._send("Browser.getVersion")["userAgent"])
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._send(f"{domain}.enable")
        self._agent = agent

    def reads(self, language: str, scheme: str) -> None:
        """From now on the reader prefers this language and `light` or `dark`."""
        self._send("Emulation.setUserAgentOverride", userAgent=self._agent, acceptLanguage=language)
        self._send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def size(self, width: int, height: int) -> None:
        """The window; a narrow one is a phone."""
        phone = width < 600
        self._send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def open(self, url: str) -> None:
        """Go there, and wait until it is there."""
        self._loading(lambda: self._send("Page.navigate", url=url))

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of the first such element, a link: wait for where it leads."""
        where = self.evaluate(
            f"(() => {{const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
            "const r = e.getClientRects()[0]; return [r.x + r.width / 2, r.y + r.height / 2]})()"
        )

        def press() -> None:
            for kind in ("mousePressed", "mouseReleased"):
                self._send("Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left", clickCount=1)

        self._loading(press)

    def evaluate(self, script: str) -> Any:
        """The value of a script of ours in the page; a promise is waited for."""
        found = self._send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"])
        return found["result"].get("value")

    def screenshot(self, *, highest: int) -> bytes:
        """The page as PNG, from its top, so many pixels high at most."""
        width, height = self.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, highest), "scale": 1}
        found = self._send("Page.captureScreenshot", captureBeyondViewport=True, clip=clip, format="png")
        return base64.b64decode(found["data"])

    def _loading(self, act: Any) -> None:
        self._loaded = False
        act()
        end = time.monotonic() + _PATIENCE
        while not self._loaded:
            self._hear(end)

    def _send(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + _PATIENCE
        while True:
            answer = self._hear(end)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return dict(answer["result"])

    def _hear(self, end: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            piece = os.read(self._from, 1 << 20) if time.monotonic() < end else b""
            if not piece:
                raise AssertionError("chromium does not answer: is it installed? see chromium.log beside its folder")
            self._rest += piece
        raw, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        method, params = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Log.entryAdded":
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"]["text"]))
        return message

    def close(self) -> None:
        """End it and all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        for descriptor in (self._to, self._from):
            os.close(descriptor)
        self._log.close()


def _high_pipe() -> tuple[int, int]:
    """A pipe whose ends are neither 3 nor 4."""
    import fcntl

    ends = os.pipe()
    high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in ends)
    for end in ends:
        os.close(end)
    return high[0], high[1]


@contextmanager
def chromium() -> Iterator[Chromium]:
    """A browser for a while; nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        browser = Chromium(Path(folder) / "profile")
        try:
            yield browser
        finally:
            browser.close()
