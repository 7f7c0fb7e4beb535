"""The units of coloc-agent-exits: off by default, one right, no address, no disk; and systemd understands them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from collectors.exit_client import SOCKET

DEPLOY = Path(__file__).parents[3] / "deploy"
UNITS = ("coloc-agent-exits.socket", "coloc-agent-exits.service")
PROGRAM = "/opt/coloc-agent/bin/python"


def systemd(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that exists, as `systemd-analyze verify` wants it."""
    stub = tmp_path / "python"
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    folder = tmp_path / "units"
    folder.mkdir()
    for unit in UNITS:
        (folder / unit).write_text((DEPLOY / "systemd" / unit).read_text().replace(PROGRAM, str(stub)))
    return folder


def lines_of(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_systemd_understands_every_line(units: Path) -> None:
    done = systemd("systemd-analyze", "verify", "--man=no", *(str(units / unit) for unit in UNITS))
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_the_exposure_stays_low(units: Path) -> None:
    unit = units / "coloc-agent-exits.service"
    done = systemd("systemd-analyze", "security", "--offline=true", "--no-pager", str(unit))
    match = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert match is not None, done.stderr
    assert float(match[1]) <= 1.2


def test_it_has_one_right_no_address_and_nothing_to_write_to() -> None:
    lines = lines_of("coloc-agent-exits.service")
    assert lines["CapabilityBoundingSet"] == lines["AmbientCapabilities"] == ["CAP_NET_ADMIN"]
    assert set(lines["RestrictAddressFamilies"][0].split()) == {"AF_UNIX", "AF_NETLINK"}
    assert lines["IPAddressDeny"] == ["any"]
    assert lines["ProtectSystem"] == ["strict"]
    assert not lines.keys() & {"ReadWritePaths", "StateDirectory", "RuntimeDirectory", "CacheDirectory", "User"}


def test_it_stays_in_the_namespaces_in_which_the_kernel_tells() -> None:
    assert not lines_of("coloc-agent-exits.service").keys() & {"PrivateNetwork", "PrivateUsers", "NetworkNamespacePath"}


def test_only_the_daemon_connects_and_where_it_looks() -> None:
    lines = lines_of("coloc-agent-exits.socket")
    assert lines["ListenStream"] == [str(SOCKET)]
    assert (lines["SocketUser"], lines["SocketMode"]) == (["coloc-agent"], ["0600"])


def test_it_is_off_until_somebody_turns_it_on() -> None:
    assert "Install" not in (DEPLOY / "systemd/coloc-agent-exits.service").read_text()
    for unit in ("coloc-agent.service", "coloc-agent-backup.path", "coloc-agent-backup.service"):
        assert "exits" not in (DEPLOY / "systemd" / unit).read_text()
    assert not re.search(r"systemctl (enable|start)\b.*exits", (DEPLOY / "install.sh").read_text())


def test_it_runs_what_the_package_holds() -> None:
    assert lines_of("coloc-agent-exits.service")["ExecStart"] == [f"{PROGRAM} -I -m collectors.exits"]
