"""The fault campaign: random faults over backup, drill, prune and restore, one after the other, from a seed.

    python -m tests.faults.campaign --count 300 --seed 7

Prints one line a round, then a table. Any broken promise ends it with exit code 1, and tells how to see it again.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import checks
from tests.faults.checks import Broken, expect
from tests.faults.faults import EVERY, FAULTS, Scene
from tests.faults.house import House, Snapshot, copy_tree, open_house
from tests.faults.restores import finish_restore, judge_restore, restore_words, restores

Tell = Callable[[str], None]


@dataclass(slots=True)
class Campaign:
    """Rounds in one house. hits: (fault, operation) → how often it struck."""

    house: House
    seed: int
    long: bool = False
    tell: Tell = print
    hits: Counter[tuple[str, str]] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    typical: dict[str, float] = field(default_factory=dict)
    rounds: int = 0
    said: str = ""  # by the command that was struck

    def begin(self) -> None:
        """Two good backups, and how long each command takes when nothing happens."""
        chance = random.Random(self.seed)
        for _ in range(2):
            self.house.live(chance)
            self.typical["backup"] = self._timed("backup")
            self._learn(self.house.snapshot())
        for operation in EVERY[1:]:
            self.typical[operation] = self._timed(*_words(operation, chance))
        self._tidy()
        self._keep_earlier()
        self.tell("  ".join(f"{name} {seconds:.1f} s" for name, seconds in self.typical.items()))

    def go(self, *, count: int, seconds: float) -> None:
        """Faults in a shuffled order, so that each has its turn, until one of the bounds. Raises Broken."""
        end = time.monotonic() + seconds
        deck: list[tuple[str, str]] = []
        while self.hits.total() < count and time.monotonic() < end:
            chance = random.Random(f"{self.seed}/{self.rounds}")
            if not deck:
                deck = [(name, chance.choice(strike.operations)) for name, strike in FAULTS.items()]
                chance.shuffle(deck)
            self.round(*deck.pop(), chance)

    def again(self, name: str, operation: str, *, count: int) -> None:
        """One fault in one command, to look at. Raises Broken."""
        for _ in range(count):
            self.round(name, operation, random.Random(f"{self.seed}/{self.rounds}"))
            self.tell("  " + self.said.strip().replace("\n", "\n  "))

    def round(self, name: str, operation: str, chance: random.Random) -> None:
        """One fault. Raises Broken with the seed and the round."""
        self.rounds += 1
        began = time.monotonic()
        scene = Scene(self.house, chance, operation, self.typical[operation], self.long)
        try:
            code = self._strike(scene, name)
            self._next_run(scene, FAULTS[name].host)
        except Broken as error:
            where = f"round {self.rounds} of seed {self.seed}: {name} in {operation}"
            raise Broken(f"{where}: {error}\n--- the last words\n{self.house.said[-3000:]}") from error
        self.hits[name, operation] += scene.struck
        self.codes[f"{operation} {code}"] += 1
        struck = "struck" if scene.struck else "came too late"
        self.tell(
            f"{self.rounds:4} {operation:8} {name:28} {struck:14} exit {code:4} {time.monotonic() - began:5.1f} s"
        )

    def _strike(self, scene: Scene, name: str) -> int:
        house = self.house
        house.live(scene.chance)
        before, known, since = house.snapshot(), house.proven(), time.time()
        restored = set(restores(house))
        words = _words(scene.operation, scene.chance, FAULTS[name].host)
        fault = FAULTS[name].fault(scene)
        next(fault)
        scene.process = house.start(*words, **scene.env)
        next(fault)
        code = scene.process.wait(timeout=400)
        self.said, facts = house.said, house.facts(since)
        for key in house.proven().keys() - known.keys():
            house.truths.setdefault(key[1:], before[key[1]])
        checks.judge_words(scene, code, self.said, facts)
        checks.judge_archives(house, [item for item in house.proven().items() if item[0] not in known])
        next(fault, None)  # it is mended
        checks.judge_rest(house)
        if scene.operation == "restore":
            finish_restore(house, restored, code, scene.chance)
            judge_restore(house, restored, words, before, house.snapshot(), code)
        else:
            checks.judge_apps(before, house.snapshot(), " ".join(words))
        return code

    def _next_run(self, scene: Scene, host: str) -> None:
        house = self.house
        before, known = house.snapshot(), house.proven()
        hosts = [host] if host else sorted(house.repositories)
        code = house.call("backup", *(word for each in hosts for word in ("--host", each)))
        expect(code == 0, f"the next run fails with {code}")
        self._learn(before)
        new = [item for item in house.proven().items() if item[0] not in known]
        expect(len(new) == 2 * len(hosts), f"the next run proved {[key for key, _ in new]}")
        checks.judge_archives(house, [scene.chance.choice(sorted(new))])
        checks.judge_apps(before, house.snapshot(), "the next run")
        checks.judge_rest(house)
        checks.judge_kept(house)
        checks.judge_integrity(house)
        if scene.operation == "restore":
            self._tidy()
        expect(house.leftovers() == [], f"left behind: {house.leftovers()}")
        self._keep_earlier()

    def _tidy(self) -> None:
        time.sleep(1.1)  # what a restore replaced is kept for a second in this house
        expect(self.house.call("restore", "--tidy") == 0, f"what was replaced cannot be removed: {self.house.said}")

    def _learn(self, truth: dict[str, Snapshot]) -> None:
        for _, app, run in self.house.proven():
            self.house.truths.setdefault((app, run), truth[app])

    def _keep_earlier(self) -> None:
        """The repository of a round ago, for the fault that puts it back."""
        newer, earlier = self.house.folder / "newer", self.house.folder / "earlier"
        if newer.exists():
            copy_tree(newer, earlier)
        copy_tree(self.house.repositories["merle"], newer)
        if not earlier.exists():
            copy_tree(newer, earlier)

    def _timed(self, *words: str) -> float:
        began = time.monotonic()
        code = self.house.call(*words)
        expect(code == 0, f"{words[0]} fails before any fault: {self.house.said[-2000:]}")
        return time.monotonic() - began


def _words(operation: str, chance: random.Random, host: str = "") -> list[str]:
    """A command that the fault can strike: on its host, at least."""
    at = ["--host", host or chance.choice(["merle", "alouette"])]
    match operation:
        case "backup":
            return chance.choice([["backup"], ["backup", "blog", *at], ["backup", *at], ["backup", *at, "--nightly"]])
        case "drill":
            return ["drill", chance.choice(["blog", "wiki"]), *at]
        case "prune":
            return ["prune", *at]
    return restore_words(chance, host)


def main() -> int:
    """The campaign from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--count", type=int, default=300, help="faults that struck; one that came too late does not count"
    )
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--only", metavar="FAULT/COMMAND", help="again and again, with what the agent says")
    parser.add_argument("--long", action="store_true", help="lines that stay silent until ssh gives them up")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="coloc-faults-") as folder, open_house(Path(folder)) as house:
        campaign = Campaign(house, seed, options.long, lambda line: print(line, flush=True))
        try:
            campaign.begin()
            if options.only:
                campaign.again(*options.only.split("/"), count=options.count)
            else:
                campaign.go(count=options.count, seconds=options.seconds)
        except Broken as error:
            print(f"BROKEN {error}", file=sys.stderr)
            return 1
    print(table(campaign))
    print(f"{campaign.hits.total()} faults of seed {seed} in {time.monotonic() - began:.0f} s, every promise kept")
    return 0


def table(campaign: Campaign) -> str:
    """How often each fault struck each command."""
    lines = [f"{'fault':30}" + "".join(f"{operation:>9}" for operation in EVERY)]
    for name in FAULTS:
        counts = [campaign.hits[name, operation] for operation in EVERY]
        lines.append(f"{name:30}" + "".join(f"{count or '':>9}" for count in counts))
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
