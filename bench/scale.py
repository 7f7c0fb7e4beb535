"""What a hundred servers of sixty apps cost one Prometheus, and what sixty apps cost the agent. Prints one JSON line.

python -m bench.scale [servers] [apps] [minutes] [series of an app]

Short without arguments: 5 servers of 60 apps for half a minute, with the series that the golden exposition has of an
app. One small process serves the expositions (the golden one, multiplied); counters go on, gauges waver.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from collectors.cap import Cap
from collectors.exposition import encode, expose

GOLDEN = Path(__file__).resolve().parent.parent / "tests/golden/metrics.prom"
INTERVAL = 15
RENDERS = 20


def main() -> None:
    """Render, simulate, compact; print."""
    servers = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    apps = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    minutes = float(sys.argv[3]) if len(sys.argv) > 3 else 0.5
    series = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    figures: dict[str, float] = {"servers": servers, "apps": apps, "load_before": os.getloadavg()[0]}
    text = exposition(apps, series)
    figures |= {"series_of_a_server": text.count("\n") - text.count("\n#"), "bytes_of_a_scrape": len(text)}
    figures |= render(text)
    with tempfile.TemporaryDirectory() as folder:
        figures |= prometheus(Path(folder), text, servers, minutes)
        figures["bytes_per_sample_on_disk"] = on_disk(Path(folder) / "day", exposition(min(apps, 6), series))
    print(json.dumps(figures))


def exposition(apps: int, series: int) -> str:
    """The golden exposition with so many apps: each line of its app `nuage` becomes one for each.

    When an app is to have more series than that, counters are made up.
    """
    # In the golden house an app is down and a backup failed; here six thousand alerts would be no usual day.
    well = re.sub(
        r"(?m)^(coloc_(?:app_up|project_up|backup_last_try_success)\{.*\}) 0.0$", r"\1 1.0", GOLDEN.read_text()
    )
    golden, lines = well.splitlines(), list[str]()
    for missing in range(series - sum('app="nuage"' in line for line in golden)):
        golden += [
            f"# TYPE coloc_more_{missing}_total counter",
            f'coloc_more_{missing}_total{{app="nuage"}} {missing + 0.5}',
        ]
    for line in golden:
        if 'app="nuage"' in line:
            lines += [
                line.replace('"nuage', f'"app{number}').replace('project="_shared"', f'project="project{number % 10}"')
                for number in range(apps)
            ]
        elif 'app="blog"' not in line:
            lines.append(line)
    return "\n".join(lines) + "\n"


def render(text: str) -> dict[str, float]:
    """CPU milliseconds to cap, encode and compress an exposition, in the median; the agent does it after each look."""
    families = list(text_string_to_metric_families(text))
    cap, took = Cap(), []
    for _ in range(RENDERS):
        before = time.process_time()
        found = expose([encode("all", cap.apply(families))])
        took.append((time.process_time() - before) * 1000)
    return {"render_ms_cpu": round(statistics.median(took), 2), "gzip_bytes": len(found.text_gzip)}


class Servers:
    """All servers as one process: `/17/metrics` is the exposition of the seventeenth."""

    def __init__(self, text: str) -> None:
        rows: list[tuple[str, float, bool]] = []
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            rows.append((line, 0.0, False) if line.startswith("#") else (name, float(value), "_total{" in name))
        self._rows, self._begun = rows, time.monotonic()

    def text(self, server: int) -> bytes:
        """What the server says now. A counter grows by its first value each minute, a gauge wavers by a thousandth."""
        minutes = (time.monotonic() - self._begun) / 60
        waver = random.Random(f"{server} {int(minutes * 4)}").random
        lines = []
        for name, value, is_counter in self._rows:
            if name.startswith("#"):
                lines.append(name)
            elif is_counter:
                lines.append(f"{name} {value * (1 + minutes):.2f}")
            elif value > 1000 and waver() < 0.2:
                lines.append(f"{name} {int(value * (1 + waver() / 1000))}")
            else:
                lines.append(f"{name} {value:g}")
        return ("\n".join(lines) + "\n").encode()


def serve(text: str, listener: socket.socket) -> None:
    """The process of the servers; ended by its id."""
    servers = Servers(text)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = servers.text(int(self.path.split("/")[1]))
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    web.socket.close()
    web.socket = listener
    web.serve_forever()


def prometheus(folder: Path, text: str, servers: int, minutes: float) -> dict[str, float]:
    """Let a Prometheus scrape them all for so long, with our rules; what it says of itself."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    target = f"127.0.0.1:{listener.getsockname()[1]}"
    child = multiprocessing.get_context("fork").Process(target=serve, args=(text, listener))
    child.start()
    listener.close()
    write_config(folder, target, servers)
    port = free_port()
    argv = ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*argv, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        time.sleep(INTERVAL + 5)  # every server was scraped once
        first, begun = own(port), time.monotonic()
        time.sleep(minutes * 60)
        last, seconds = own(port), time.monotonic() - begun
        return {
            "simulated_s": round(seconds),
            "head_series": last["prometheus_tsdb_head_series"],
            "samples_per_s": round(
                (last[_APPENDED] - first[_APPENDED]) / seconds,
            ),
            "prometheus_cpu_percent": round((last[_CPU] - first[_CPU]) / seconds * 100, 1),
            "prometheus_resident_mib": round(last["process_resident_memory_bytes"] / 2**20),
            "scrapes_failed": sum(up == 0 for up in ups(port)),
            "scrape_s_max": round(max(asked(port, "scrape_duration_seconds")), 2),
        }
    finally:
        for pid, wait in ((process.pid, process.wait), (child.pid, child.join)):
            os.kill(pid or 0, signal.SIGTERM)
            wait()


_APPENDED = 'prometheus_tsdb_head_samples_appended_total{type="float"}'
_CPU = "process_cpu_seconds_total"


def write_config(folder: Path, target: str, servers: int) -> None:
    """Every server with its label and its path, and the rules of deploy/prometheus."""
    rules = sorted((GOLDEN.parents[2] / "deploy/prometheus").glob("*.rules.yml"))
    lines = [f"global: {{scrape_interval: {INTERVAL}s}}", f"rule_files: {[str(rule) for rule in rules]}"]
    lines += ["scrape_configs:", "  - job_name: coloc", "    static_configs:"]
    lines += [
        f'      - {{targets: ["{target}"], labels: {{coloc: server{number}, __metrics_path__: /{number}/metrics}}}}'
        for number in range(servers)
    ]
    (folder / "prometheus.yml").write_text("\n".join(lines) + "\n")


def own(port: int) -> dict[str, float]:
    """What a Prometheus says of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as response:
        lines = [line.rpartition(" ") for line in response.read().decode().splitlines() if not line.startswith("#")]
    found = {name: float(value) for name, _, value in lines}
    found.setdefault(_APPENDED, found.get("prometheus_tsdb_head_samples_appended_total", 0.0))
    return found


def ups(port: int) -> list[float]:
    """1 for each server that was scraped well, 0 for the others."""
    return asked(port, "up")


def asked(port: int, question: str) -> list[float]:
    """The values of an answer."""
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': question})}"
    with urllib.request.urlopen(url, timeout=60) as response:
        return [float(one["value"][1]) for one in json.load(response)["data"]["result"]]


def on_disk(folder: Path, text: str) -> float:
    """Bytes per sample, index included, of a block of two hours: written by promtool from what a server says."""
    folder.mkdir()
    servers, start = Servers(text), 1_795_434_000 - 1_795_434_000 % 7200
    times = range(start, start + 7200, INTERVAL)
    by_series: dict[str, list[str]] = {}
    for moment in times:
        servers._begun = time.monotonic() - (moment - start)
        for line in servers.text(0).decode().splitlines():
            name, _, value = line.rpartition(" ")
            if not line.startswith("#"):
                by_series.setdefault(name, []).append(f"{name} {value} {moment}")
    (folder / "samples").write_text("".join("\n".join(each) + "\n" for each in by_series.values()) + "# EOF\n")
    argv = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(folder / "samples"), str(folder / "data")]
    subprocess.run(argv, check=True, capture_output=True, timeout=600)
    size = sum(file.stat().st_size for file in (folder / "data").rglob("*") if file.is_file())
    shutil.rmtree(folder)
    return round(size / (len(by_series) * len(times)), 2)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
