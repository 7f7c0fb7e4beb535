"""A thousand domains and paths that never repeat: what the agent holds stays the same."""

from __future__ import annotations

import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

from collectors.web import WebCollector
from coloc.memory import ForgetfulMemory
from coloc.model import App
from tests.fakes.colocations import colocation

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
APPS = colocation(*(App(f"a{number}", "a", "A", domain=f"d{number}.test", path="/app") for number in range(60)))
ODD = ("/%p", "/app/%p", "/.%p", "//%p", "/?%p", "/%%41%p", "/" + "%p" * 40)


def write(folder: Path, domains: int, turn: int) -> int:
    for domain in range(domains):
        with (folder / f"d{domain}.test-access.log").open("a") as log:
            for number, form in enumerate(ODD):
                path = form.replace("%p", f"{turn}-{domain}-{number}")
                log.write(f'192.0.2.1 - u{turn} [x] "GET {path} HTTP/2.0" 200 1 "-" "agent {turn}" 0.{turn:03d}\n')
    return domains * len(ODD)


def test_memory_does_not_grow_with_domains_and_paths(tmp_path: Path) -> None:
    folder, memory = tmp_path / "var/log/nginx", ForgetfulMemory()
    folder.mkdir(parents=True)
    web = WebCollector(tmp_path, memory=memory, whole=True)
    written = 0
    for turn in range(2):
        written += write(folder, 1000, turn)
        list(web.collect(APPS, NOW))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for turn in range(2, 4):
            written += write(folder, 1000, turn)
            list(web.collect(APPS, NOW))
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert sum(sum(row[1:6]) for row in web.counts().values()) == written
    assert grown < 1_500_000  # a thousand marks and cells, made anew
    kept = memory.get("web") or ""
    assert len(kept) < 400_000
    assert "192.0.2.1" not in kept
    assert set(json.loads(kept)["counts"]["apps"]) <= {*APPS.inventory.apps, "_none"}


def test_logs_beyond_the_most_are_left_out_and_said(tmp_path: Path) -> None:
    folder = tmp_path / "var/log/nginx"
    folder.mkdir(parents=True)
    for number in range(1003):
        (folder / f"d{number}.test-access.log").touch()
    web = WebCollector(tmp_path)
    found = {family.name: family.samples[0].value for family in web.collect(APPS, NOW) if family.samples}
    assert found["coloc_web_logs_folded"] == 3
