"""What a backup costs beside raw Borg, borgmatic and restic: first, unchanged, 1 % changed, restore; local and by ssh.

python bench/backup.py [--small] [--rounds N], as root: 1 GB in 20 000 files, 200 000 tiny files, two databases of
250 MB. Then 30 small apps to two hosts, unchanged. Medians; the agent's reading back is told apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from saving.server import BIN, FULL, PLACES, SMALL, Server, open_server
from saving.tools import Agent, Borgmatic, RawBorg, Restic, Tool, borg_env, borgmatic_program, call

PHASES = ("first", "unchanged", "1 % changed", "restore")
MANY = 30
Times = dict[tuple[str, str, str], list[float]]  # (place, phase, tool)


def main() -> int:
    """Everything in turns, then the table. 1 when a target is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", action="store_true", help="a tenth of everything")
    parser.add_argument("--rounds", type=int, default=3, help="of the whole, each into new repositories")
    parser.add_argument("--places", default=",".join(PLACES))
    asked = parser.parse_args()
    borgmatic_program()
    times: Times = defaultdict(list)
    memory = 0.0
    for number in range(asked.rounds):
        with (
            tempfile.TemporaryDirectory(prefix="coloc-bench-", dir=os.environ.get("BENCH_FOLDER")) as name,
            open_server(Path(name), SMALL if asked.small else FULL) as server,
        ):
            server.fill()
            for place in asked.places.split(","):
                memory = max(memory, round_at(server, place, times, number))
            many(server, times)
    return report({key: statistics.median(found) for key, found in times.items()}, memory)


def round_at(server: Server, place: str, times: Times, number: int) -> float:
    """Every tool through every phase; the tools begin in another order each round. Returns the agent's memory."""
    tools: list[Tool] = [each(server, place) for each in (RawBorg, Borgmatic, Restic, Agent)]
    tools = tools[number % 4 :] + tools[: number % 4]
    memory = 0.0
    for generation, phase in enumerate(PHASES):
        if phase == "1 % changed":
            server.change(number * 10 + generation + (50 if place == "ssh" else 0))
        for tool in tools:
            seconds, told = timed(tool.restore if phase == "restore" else tool.save)
            times[place, phase, tool.name].append(seconds)
            if told:
                times[place, phase, "readback"].append(told["readback"])
                memory = max(memory, told["memory"])
            print(f"  {place:6} {phase:12} {tool.name:10} {seconds:8.2f} s", file=sys.stderr, flush=True)
            if isinstance(tool, Agent) and phase == "restore":
                time.sleep(1.1)
                tool.tidy()
    return memory


def many(server: Server, times: Times) -> None:
    """Thirty small apps to two hosts, nothing changed since the run before."""
    names = [f"small{number}" for number in range(MANY)]
    for name in names:
        (server.top / name).mkdir()
        for number in range(50):
            (server.top / name / str(number)).write_bytes(os.urandom(2000))
    places = {host: str(server.folder / "hosts" / f"many-{host}") for host in ("one", "two")}
    agent = Agent(
        server,
        "many",
        hosts={host: {"path": f"{place}-agent"} for host, place in places.items()},
        apps={name: {"folders": [f"/var/www/{name}"]} for name in names},
    )

    def raw(run: int) -> Callable[[], None]:
        def host(place: str) -> None:
            env = borg_env(server, "many") | {"BORG_REPO": place}
            for name in names:
                cache = env | {"BORG_FILES_CACHE_SUFFIX": name}
                argv = ["create", "--json", "--compression=zstd,3", f"::{name}.{run}", str(server.top / name)]
                call([str(BIN / "borg"), *argv], env=cache)

        def both() -> None:
            threads = [threading.Thread(target=host, args=(place,)) for place in places.values()]
            for each in threads:
                each.start()
            for each in threads:
                each.join()

        return both

    for place in places.values():
        call([str(BIN / "borg"), "init", "--encryption=repokey", place], env=borg_env(server, "many"))
    timed(raw(0)), agent.save()
    for run in (1, 2, 3):
        times["30 apps, 2 hosts", "unchanged", "raw borg"].append(timed(raw(run))[0])
        seconds, told = timed(agent.save)
        times["30 apps, 2 hosts", "unchanged", "agent"].append(seconds)
        times["30 apps, 2 hosts", "unchanged", "readback"].append(told["readback"] if told else 0.0)
    for name in names:
        shutil.rmtree(server.top / name)


def timed(work: Callable[[], Mapping[str, float] | None]) -> tuple[float, Mapping[str, float] | None]:
    """Seconds that it took, and what it told."""
    began = time.monotonic()
    told = work()
    return time.monotonic() - began, told


def report(seconds: Mapping[tuple[str, str, str], float], memory: float) -> int:
    """A table and the targets. 1 when one is missed."""
    missed = []
    head = ("raw borg", "borgmatic", "restic", "agent", "without readback", "of raw")
    print(f"{'':34}" + "".join(f"{name:>17}" for name in head))
    for place, phase in dict.fromkeys((place, phase) for place, phase, _ in seconds):
        raw, whole = seconds[place, phase, "raw borg"], seconds[place, phase, "agent"]
        back = seconds.get((place, phase, "readback"), 0.0)
        cells = [seconds.get((place, phase, name)) for name in head[:3]]
        told = "".join(f"{'-' if cell is None else f'{cell:.2f} s':>17}" for cell in cells)
        ratio = (whole - back) / raw
        print(f"{place:18}{phase:16}{told}{whole:15.2f} s{whole - back:15.2f} s{ratio:17.2f}")
        most = {"first": 1.05, "unchanged": 1.15 if place.startswith("30") else 1.10}.get(phase)
        if most and ratio > most:
            missed.append(f"{place}, {phase}: {ratio:.2f} of raw Borg before the reading back; {most} is missed")
        other = seconds.get((place, phase, "borgmatic"))
        if other and whole >= other:
            missed.append(f"{place}, {phase}: {whole:.2f} s, not faster than borgmatic ({other:.2f} s)")
    for (place, phase, name), back in seconds.items():
        if name == "readback" and not place.startswith("30"):
            most = 0.5 + 0.3 * 5
            print(f"{place}, {phase}: reading back {back:.2f} s (at most {most:.1f} for five archives)")
            if back > most:
                missed.append(f"{place}, {phase}: the reading back took {back:.2f} s; {most:.1f} is missed")
    print(f"the agent's own memory at most {memory / 1e6:.1f} MB (60 at most)")
    if memory > 60e6:
        missed.append(f"memory: {memory / 1e6:.1f} MB")
    print("\n".join(missed) or "every target is met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
