"""Both sides of enforcement without systemd, socket or root: the daemon's real decisions and the helper's keeper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agent.agreeing import agreed_from
from agent.enforcement import Around
from agent.enforcing import Enforced, Enforcing
from agent.quota_agreements import agreements
from agent.quotas import QuotaStep, Standing, next_standing
from coloc.config.whole import Config
from coloc.helper_client import HelperSilent
from coloc.model import App, Colocation, Database, DatabaseKind, Inventory, PhpPool
from coloc.verbs import Answer, Ask, answer_line, parse_answer, parse_request, request_line
from helper.keeper import Keeper
from helper.means import means_of
from tests.fakes.slices import FakeSystemd

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DATA = {
    "coloc": {"name": "c"},
    "stage": "enforce",
    "enforce": {"slices": True, "simulate_for": "0s"},
    "projects": {
        "velo": {
            "share": 2,
            "quotas": {"cpu": 1, "memory": 1000, "disk": 5, "grace": "1d", "allow": "hard"},
            "enforce": ["cpu", "memory"],
        },
        "chorale": {"quotas": {"cpu": 1}},
    },
    "apps": {
        "blog": {"quotas": {"cpu": {"hard": 1, "allow": "throttle"}}, "enforce": ["cpu"]},
        "wiki": {"shared_by": {"velo": 1, "chorale": 1}},
    },
}
COLOCATION = Colocation(
    Inventory(
        {
            "blog": App(
                "blog",
                "blog",
                "Blog",
                user="blog",
                install_dir="/var/www/blog",
                services=("blog",),
                databases=(Database(DatabaseKind.MYSQL, "blog"), Database(DatabaseKind.MYSQL, "both")),
                php_pools=(PhpPool("blog.conf", "blog", "blog"),),
            ),
            "wiki": App(
                "wiki",
                "wiki",
                "Wiki",
                user="wiki",
                services=("wiki",),
                databases=(Database(DatabaseKind.MYSQL, "both"),),
            ),
        }
    ),
    ("velo", "chorale"),
    {"blog": {"velo": 1.0}, "wiki": {"velo": 0.5, "chorale": 0.5}},
)


def user_ids(names: object) -> dict[str, int]:
    return {"blog": 1001, "wiki": 1002}


class EnforcedHouse:
    """Call `tick` with what is used; `killed` may raise in the middle of a request, as a kill would."""

    def __init__(self, folder: Path, data: dict[str, object] | None = None, **systemd: bool | str) -> None:
        self.config = Config.model_validate(data or DATA)
        self.folder = folder / "helper"
        self.systemd = FakeSystemd(folder / "cgroup", **systemd)  # type: ignore[arg-type]
        self.systemd.begin("coloc-velo.slice")
        self.systemd.begin("coloc-velo-blog.slice")
        self.lock, self.proc = folder / "lock", folder / "proc"
        self.asked: list[Ask] = []
        self.killed: Callable[[str], None] = lambda moment: None
        self.silent = False
        self.now, self.clock = NOW, 0.0
        self.standings: dict[tuple[str, str, str], Standing] = {}
        self.around = Around(timedelta(seconds=self.config.enforce.simulate_for if self.config.enforce else 0))
        self.enforcing = Enforcing(self.ask)

    def ask(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        if self.silent:
            raise HelperSilent("nobody answers")
        self.killed("before")
        means = means_of(
            lambda line: self.killed(line.split(":")[0]),
            run=self.systemd.run,
            cgroups=self.systemd.cgroups,
            lock=self.lock,
            proc=self.proc,
            owner=lambda pid: None,
        )
        agreed = agreed_from(self.config, COLOCATION, user_ids)
        answer = Keeper(self.folder, agreed, means).obey(parse_request(request_line(ask)[:-1]), self.now)
        self.killed("after")
        return parse_answer(answer_line(answer))

    def restart(self) -> None:
        """The daemon was killed and started again: it remembers the ladder, and nothing of what is held."""
        self.enforcing = Enforcing(self.ask)

    def tick(self, used: dict[tuple[str, str, str], float], *, days: float = 0, rounds: int = 2) -> Enforced:
        """One look of the daemon, and as many rounds with the helper."""
        self.now += timedelta(days=days)
        agreed = list(agreements(self.config, COLOCATION))
        for each in agreed:
            before = self.standings.get(each.key) or Standing(
                each.project, each.resource, QuotaStep.FINE, self.now, app=each.app, watched_since=self.now
            )
            self.standings[each.key] = next_standing(before, each.limit, used.get(each.key, 0.0), each.grace, self.now)
        for _ in range(rounds):
            self.enforcing.decide(agreed, self.standings.values(), self.around, self.now)
            self.clock += 400
            self.enforcing.round(self.clock)
        return self.enforcing.decide(agreed, self.standings.values(), self.around, self.now)
