"""A real Prometheus on loopback that scrapes one address, for tests that ask it questions; and promtool."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from tests.fakes.waiting import until

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: coloc
    static_configs: [{{targets: ["{target}"]}}]
"""


class Prometheus:
    """Started by `with`, ended by its process id; its data goes with the folder."""

    def __init__(self, folder: Path, target: str, *, config: str = CONFIG) -> None:
        self._folder, self._port = folder, free_port()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "prometheus.yml").write_text(config.format(target=target))

    def __enter__(self) -> Prometheus:
        self._log = (self._folder / "log").open("wb")
        self._process = subprocess.Popen(
            [
                needed("prometheus"),
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def query(self, expression: str) -> dict[str, float]:
        """The answer to a question: labels as text → value; {} when there is none, or nobody answers yet."""
        url = f"http://127.0.0.1:{self._port}/api/v1/query?{urllib.parse.urlencode({'query': expression})}"
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                answer = json.load(response)
        except (urllib.error.URLError, ConnectionError):
            return {}
        return {name_of(one["metric"]): float(one["value"][1]) for one in answer["data"]["result"]}

    def wait_for(self, expression: str) -> dict[str, float]:
        """The first answer that is not empty."""
        return until(lambda: self.query(expression), seconds=30, what=f"an answer to {expression}")


def name_of(metric: dict[str, str]) -> str:
    """The labels without those that Prometheus adds."""
    kept = {key: value for key, value in metric.items() if key not in {"__name__", "instance", "job"}}
    return ",".join(f"{key}={value}" for key, value in sorted(kept.items()))


def check_metrics(text: bytes) -> str:
    """What promtool has to say about an exposition: nothing, if it is good."""
    found = subprocess.run([needed("promtool"), "check", "metrics"], input=text, capture_output=True, timeout=30)
    said = (found.stdout + found.stderr).decode()
    return said or ("" if found.returncode == 0 else f"promtool exited with {found.returncode}")


def needed(program: str) -> str:
    """Where a program is; a test that lacks it fails."""
    path = shutil.which(program)
    assert path, f"{program} is not installed: apt install prometheus"
    return path


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
