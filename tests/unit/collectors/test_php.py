"""php-fpm's queues and workers per pool: whose they are, and what is not known is absent."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from collectors.php import PhpCollector
from collectors.php_workers import parse_title
from collectors.procfs import ProcFiles
from collectors.unix_diag import Listening, Queue, inode_of, listening_sockets, parse_answer, queues_of
from coloc.inventory.php import parse_pools
from coloc.model import App, PhpPool
from tests.fakes.cgroups import FakeCgroups
from tests.fakes.colocations import colocation, figures
from tests.fakes.proc import FakeProc

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FILE, SOCKET = "/etc/php/8.2/fpm/pool.d/blog.conf", "/var/run/php/php8.2-fpm-blog.sock"
POOL = PhpPool(FILE, "blog", "blog", SOCKET, 8)
APP = App("blog", "b", "B", php_pools=(POOL,))
UIDS = {"blog": 901, "wiki": 902}
MASTER = "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)"


class Server:
    """A server with php-fpm; a look returns `queue{pool}` and so on of the app blog."""

    def __init__(self, root: Path) -> None:
        self.proc, self.groups = FakeProc(root / "proc"), FakeCgroups(root / "cgroup")
        self.sockets: list[Listening] = []
        self.error: OSError | None = None
        self.collector = PhpCollector(
            _ids,
            cgroups=self.groups.root,
            files=ProcFiles(self.proc.root),
            owner=self.proc.owner,
            sockets=self._sockets,
            file_number=lambda _: 7,
        )

    def fpm(self, workers: Mapping[int, tuple[str, int]]) -> None:
        self.proc.process(50, name="php-fpm8.2", title=MASTER)
        for pid, (pool, uid) in workers.items():
            self.proc.process(pid, uid=uid, parent=50, name="php-fpm8.2", title=f"php-fpm: pool {pool}")
        self.groups.unit("php8.2-fpm.service", pids=(50, *workers))

    def look(self, app: App = APP) -> dict[str, float]:
        found = figures(self.collector.collect(colocation(app), NOW))
        return {
            name.removeprefix("coloc_app_php_").replace('app="blog",', "").replace(',project="_none"', ""): value
            for name, value in found.items()
        }

    def _sockets(self) -> Iterable[Listening]:
        if self.error:
            raise self.error
        return self.sockets


def _ids(names: Iterable[str]) -> Mapping[str, int]:
    return {name: UIDS[name] for name in names}


def test_a_pool_s_queue_and_workers(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.fpm({51: ("blog", 901), 52: ("blog", 901), 53: ("wiki", 902)})
    server.sockets = [Listening("/run/php/php8.2-fpm-blog.sock", 7, Queue(3, 511)), Listening("/run/x", 8, Queue(9, 9))]
    assert server.look() == {
        'queue{pool="blog"}': 3,
        'queue_max{pool="blog"}': 511,
        'workers{pool="blog"}': 2,
        'workers_max{pool="blog"}': 8,
    }


def test_a_title_is_believed_only_of_the_pool_s_account(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.fpm({51: ("blog", 902)})
    assert server.look()['workers{pool="blog"}'] == 0


def test_processes_outside_of_php_s_services_are_not_looked_at(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.fpm({51: ("blog", 901)})
    server.proc.process(60, uid=901, name="php-fpm8.2", title="php-fpm: pool blog")
    assert server.look()['workers{pool="blog"}'] == 1


def test_without_control_groups_all_processes_are_looked_at(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.fpm({51: ("blog", 901)})
    server.groups.root.rename(tmp_path / "elsewhere")
    assert server.look()['workers{pool="blog"}'] == 1


def test_a_php_that_is_not_seen_has_no_workers_rather_than_none(tmp_path: Path) -> None:
    assert Server(tmp_path).look() == {'workers_max{pool="blog"}': 8}


def test_a_kernel_that_does_not_tell_costs_only_the_queues(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.fpm({51: ("blog", 901)})
    server.error = TimeoutError("timed out")
    assert set(server.look()) == {'workers{pool="blog"}', 'workers_max{pool="blog"}'}
    assert "timed out" in server.collector.limits()[0]
    server.error = None
    server.look()
    assert server.collector.limits() == ()


def test_more_pools_than_one_are_summed_up(tmp_path: Path) -> None:
    server = Server(tmp_path)
    names = ("a", "b", "c")
    pools = tuple(PhpPool(FILE, name, "blog", f"/run/{name}.sock", 5) for name in names)
    server.fpm({51: ("a", 901), 52: ("b", 901), 53: ("c", 901)})
    server.sockets = [Listening(f"/run/{name}.sock", 7, Queue(1, 100)) for name in names]
    seen = server.look(App("blog", "b", "B", php_pools=pools))
    assert (seen['queue{pool="a"}'], seen['queue{pool="_other"}']) == (1, 2)
    assert (seen['workers{pool="_other"}'], seen['workers_max{pool="_other"}']) == (2, 10)


def test_the_kernel_tells_the_queue_of_a_real_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "real.sock")
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as one,
        socket.socket(socket.AF_UNIX) as two,
    ):
        server.bind(path)
        server.listen(5)
        for client in (one, two):
            client.connect(path)
        assert queues_of([path], listening_sockets(), inode_of) == {path: Queue(2, 5)}


def test_a_socket_of_the_same_name_that_is_not_the_file_there_is_somebody_else_s() -> None:
    sockets = [Listening(SOCKET, 8, Queue(99, 100)), Listening("/run/php/php8.2-fpm-blog.sock", 7, Queue(1, 5))]
    assert queues_of([SOCKET], sockets, lambda _: 7) == {SOCKET: Queue(1, 5)}
    assert queues_of([SOCKET], sockets, lambda _: None) == {}


@given(st.binary(max_size=200))
def test_no_answer_makes_the_parser_loop_or_raise_anything_but_a_refusal(data: bytes) -> None:
    try:
        sockets, _ = parse_answer(data)
    except OSError:
        return
    assert all(listening.queue.waiting >= 0 for listening in sockets)


@given(st.binary(max_size=100))
def test_no_title_makes_the_parser_raise(data: bytes) -> None:
    assert parse_title(b"php-fpm: pool " + data) != ""
    parse_title(data)


def test_a_pool_file_tells_where_it_listens_and_how_many_workers_it_may_have() -> None:
    text = f"[blog]\nuser = blog\nlisten = {SOCKET}\nlisten.owner = x\npm = ondemand\npm.max_children = 8 ; few\n"
    assert parse_pools(FILE, text) == [POOL]
    odd = '[global]\npm.max_children=1\n[$x]\nuser="$pool"\nlisten = "/run/$pool.sock"\npm.max_children=many\n'
    assert parse_pools(FILE, odd) == [PhpPool(FILE, "$x", "$x", "/run/$x.sock", None)]


@given(
    st.lists(
        st.sampled_from(
            ["[a]", "[global]", "user=", "listen = ", "pm.max_children=", "9" * 30, '"', ";", "\n", "$pool"]
        )
    )
)
def test_no_pool_file_makes_the_parser_raise(parts: list[str]) -> None:
    for pool in parse_pools(FILE, "".join(parts)):
        assert pool.pool != "global"
        assert pool.max_children is None or pool.max_children < 10**6
