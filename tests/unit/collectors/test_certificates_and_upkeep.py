"""Ends of certificates that openssl made, kernels and packages that wait: as they are, damaged, and too many."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.certificates import CertificatesCollector
from collectors.upkeep import UpkeepCollector, newer_kernel, packages_waiting
from coloc.command import CommandFailed, Output
from coloc.model import App, Colocation, Inventory
from tests.fakes.colocations import colocation, figures
from tests.fakes.house_files import apt, lay_out_house, put
from tests.fakes.pki import Pki

NOW = datetime(2026, 11, 24, tzinfo=UTC)
END = "coloc_certificate_expiry_timestamp_seconds"
CAPTURED = Path(__file__).parents[2] / "captured/apt/dist-upgrade.txt"


def of_domains(*domains: str) -> Colocation:
    return Colocation(Inventory({}, domains=domains), (), {})


def write(root: Path, domain: str, pem: bytes) -> Path:
    path = root / f"etc/yunohost/certs/{domain}/crt.pem"
    path.parent.mkdir(parents=True)
    path.write_bytes(pem)
    return path


def test_the_end_of_a_real_certificate_is_told(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pem = pki.sign("server", "DNS:yuno.test", days=20)[0].read_bytes()
    # YunoHost's folder of a domain is a link to its history, and the chain comes behind the domain's own.
    write(tmp_path, "yuno.test-history/1", pem + pki.ca.read_bytes())
    (tmp_path / "etc/yunohost/certs/yuno.test").symlink_to("/etc/yunohost/certs/yuno.test-history/1")
    before = datetime.now(UTC).timestamp()
    found = figures(CertificatesCollector(tmp_path).collect(of_domains("yuno.test"), NOW))
    assert 19 * 86400 < found[f'{END}{{domain="yuno.test"}}'] - before <= 20 * 86400
    assert found["coloc_certificates_unreadable"] == 0


def test_what_is_no_certificate_is_counted_and_said(tmp_path: Path) -> None:
    for number, content in enumerate((b"", b"x", b"\0" * 300_000, b"-----BEGIN CERTIFICATE-----\nAA\n")):
        write(tmp_path, f"d{number}.test", content)
    fifo = write(tmp_path, "fifo.test", b"")
    fifo.unlink()
    os.mkfifo(fifo)
    domains = [f"d{number}.test" for number in range(4)]
    collector = CertificatesCollector(tmp_path)
    found = figures(collector.collect(of_domains(*domains, "fifo.test", "gone.test", "../x", "."), NOW))
    assert found == {"coloc_certificates_unreadable": 6, "coloc_certificates_folded": 0}
    assert collector.limits() == ("the certificates of 6 domains cannot be read",)


def test_of_too_many_domains_the_soonest_end_is_told(tmp_path: Path) -> None:
    for number in range(5):
        write(tmp_path, f"d{number}.test", str(number).encode())
    collector = CertificatesCollector(tmp_path, most=2, ask=lambda pem: datetime.fromtimestamp(100 - int(pem), UTC))
    found = figures(collector.collect(of_domains(*(f"d{number}.test" for number in range(5))), NOW))
    assert found == {
        f'{END}{{domain="d0.test"}}': 100,
        f'{END}{{domain="d1.test"}}': 99,
        f'{END}{{domain="_other"}}': 96,
        "coloc_certificates_unreadable": 0,
        "coloc_certificates_folded": 3,
    }


def test_openssl_is_asked_when_the_file_changed_and_not_before(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def ask(pem: bytes) -> datetime:
        asked.append(pem)
        return NOW

    path = write(tmp_path, "a.test", b"1")
    collector = CertificatesCollector(tmp_path, ask=ask)
    for _ in range(3):
        list(collector.collect(of_domains("a.test"), NOW))
    path.write_bytes(b"22")
    list(collector.collect(of_domains("a.test"), NOW))
    assert asked == [b"1", b"22"]


def test_domains_of_declared_apps_are_not_yunohost_s(tmp_path: Path) -> None:
    apps = colocation(App("site", "site", "S", domain="site.test", declared=True))
    assert figures(CertificatesCollector(tmp_path).collect(apps, NOW))["coloc_certificates_unreadable"] == 0


@pytest.mark.parametrize(
    ("running", "boot", "answer"),
    [
        ("6.1.0-28-amd64", ["vmlinuz-6.1.0-28-amd64", "config-6.1.0-30-amd64"], False),
        ("6.1.0-28-amd64", ["vmlinuz-6.1.0-28-amd64", "vmlinuz-6.1.0-30-amd64"], True),
        ("6.1.0-28-amd64", ["vmlinuz-6.1.0-28-amd64", "vmlinuz-6.1.0-9-amd64"], False),
        ("6.1.0-28-amd64", ["vmlinuz-6.1.0-28-amd64", "vmlinuz-6.1.0-30-rt-amd64"], False),
        ("6.8.12-4-pve", [], None),
        ("6.8.12-4-pve", ["vmlinuz-6.1.0-28-amd64"], None),
    ],
)
def test_a_kernel_is_newer_among_those_of_its_flavour(running: str, boot: list[str], answer: bool | None) -> None:
    assert newer_kernel(running, boot) is answer


@given(st.text(), st.lists(st.text().map("vmlinuz-{}".format)))
def test_no_name_in_boot_raises(running: str, boot: list[str]) -> None:
    newer_kernel(running, [*boot, f"vmlinuz-{running}"])


def reboot(root: Path, release: str = "6.1.0-28-amd64") -> float | None:
    collector = UpkeepCollector(root, ask=None, release=release)
    return figures(collector.collect(colocation(), NOW)).get("coloc_reboot_required")


def test_a_reboot_is_needed_for_a_newer_kernel_or_when_a_flag_says_so(tmp_path: Path) -> None:
    assert reboot(tmp_path) is None
    (tmp_path / "run").mkdir()
    assert reboot(tmp_path) == 0
    put(tmp_path, "boot/vmlinuz-6.1.0-30-amd64", "")
    assert reboot(tmp_path) is None
    put(tmp_path, "boot/vmlinuz-6.1.0-28-amd64", "")
    assert reboot(tmp_path) == 1
    assert reboot(tmp_path, "6.1.0-30-amd64") == 0
    put(tmp_path, "run/reboot-required", "")
    assert reboot(tmp_path, "6.1.0-30-amd64") == 1


def test_packages_of_a_real_answer_of_apt_are_counted() -> None:
    found = packages_waiting(CAPTURED.read_text())
    assert sum(found.values()) == 131
    assert found["security"] == sum(
        line.startswith("Inst") and "ecurity" in line for line in CAPTURED.read_text().splitlines()
    )


@given(st.text() | st.text().map("Inst {}".format))
def test_no_answer_of_apt_raises(text: str) -> None:
    assert sum(packages_waiting(text).values()) <= len(text.splitlines())


class Apt:
    """Counts how often it is asked."""

    def __init__(self, answer: Callable[..., Output] = apt) -> None:
        self.asked, self.answer = 0, answer

    def __call__(self, *argv: Any, **options: Any) -> Output:
        self.asked += 1
        return self.answer(*argv, **options)


class Server:
    """A laid out house with a clock."""

    def __init__(self, root: Path, ask: Apt) -> None:
        lay_out_house(root)
        self.now = 0.0
        self.collector = UpkeepCollector(root, ask=ask, clock=lambda: self.now)

    def waiting(self, now: float) -> list[float]:
        self.now = now
        found = figures(self.collector.collect(colocation(), NOW))
        return [value for key, value in found.items() if key.startswith("coloc_packages_waiting")]


def test_apt_is_asked_after_the_start_and_then_when_something_changed(tmp_path: Path) -> None:
    ask = Apt()
    server = Server(tmp_path, ask)
    assert (server.waiting(0), ask.asked) == ([], 0)
    assert (server.waiting(300), ask.asked) == ([1, 1, 1], 1)
    assert (server.waiting(90_000), ask.asked) == ([1, 1, 1], 1)
    os.utime(tmp_path / "var/lib/dpkg/status", (1, 1))
    assert (server.waiting(90_300), ask.asked) == ([1, 1, 1], 2)
    os.utime(tmp_path / "var/lib/dpkg/status", (2, 2))
    assert (server.waiting(90_600), ask.asked) == ([1, 1, 1], 2)
    assert (server.waiting(94_000), ask.asked) == ([1, 1, 1], 3)


def test_an_apt_that_fails_leaves_nothing_and_is_asked_again_later(tmp_path: Path) -> None:
    def fails(*_: Any, **__: Any) -> Output:
        raise CommandFailed("apt-get", Output(100, "", "E: no"))

    ask = Apt(fails)
    server = Server(tmp_path, ask)
    assert server.waiting(300) == []
    assert server.collector.limits() == ("packages that wait are not known: apt-get exited with 100",)
    assert (server.waiting(600), ask.asked) == ([], 1)
    ask.answer = apt
    assert server.waiting(4000) == [1, 1, 1]
    assert server.collector.limits() == ()
