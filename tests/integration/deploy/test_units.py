"""The units are ones that systemd understands, as hard as promised, and agree with what the program does."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from coloc.config.places import Paths
from coloc.disk_quota import REPORT

SYSTEMD = Path(__file__).parents[3] / "deploy" / "systemd"
UNITS = (
    "coloc-agent.service",
    "coloc-agent-backup.service",
    "coloc-agent-backup.path",
    "coloc-agent-quota.service",
    "coloc-agent-quota.timer",
    "coloc-agent-drill.service",
    "coloc-agent-drill.timer",
    "coloc-agent-agree.path",
    "coloc-agent-agree.service",
    "coloc-agent-helper.socket",
    "coloc-agent-helper@.service",
    "coloc-agent-replaced.service",
    "coloc-agent-replaced.timer",
)
PROGRAM = "/opt/coloc-agent/bin/coloc-agent"


def systemd(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a program that exists, as `systemd-analyze verify` wants it."""
    stub = tmp_path / "coloc-agent"
    stub.write_text("#!/bin/sh\n")
    stub.chmod(0o755)
    folder = tmp_path / "units"
    folder.mkdir()
    for unit in UNITS:
        text = (SYSTEMD / unit).read_text().replace(PROGRAM, str(stub))
        (folder / unit).write_text(text.replace("/opt/coloc-agent/bin/python", str(stub)))
    return folder


def test_systemd_understands_every_line(units: Path) -> None:
    done = systemd("systemd-analyze", "verify", "--man=no", *(str(units / unit) for unit in UNITS))
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_a_misspelt_line_would_be_seen(units: Path) -> None:
    unit = units / "coloc-agent.service"
    unit.write_text(unit.read_text().replace("ProtectSystem=", "ProtectSytem="))
    done = systemd("systemd-analyze", "verify", "--man=no", str(unit))
    assert "ProtectSytem" in done.stderr


@pytest.mark.parametrize(
    ("unit", "at_most"),
    [
        ("coloc-agent.service", 2.1),
        ("coloc-agent-backup.service", 2.5),
        ("coloc-agent-drill.service", 3.1),
        ("coloc-agent-quota.service", 1.6),
        ("coloc-agent-helper@.service", 2.5),
        ("coloc-agent-agree.service", 2.5),
        ("coloc-agent-replaced.service", 3.0),
    ],
)
def test_the_exposure_stays_low(units: Path, unit: str, at_most: float) -> None:
    done = systemd("systemd-analyze", "security", "--offline=true", "--no-pager", str(units / unit))
    match = re.search(r"Overall exposure level for \S+: (\d+\.\d)", done.stdout)
    assert match is not None, done.stderr
    assert float(match[1]) <= at_most


def lines_of(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in (SYSTEMD / unit).read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.setdefault(key, []).append(value)
    return found


def test_the_daemon_may_read_but_never_write_over_others() -> None:
    lines = lines_of("coloc-agent.service")
    rights = {"CAP_DAC_READ_SEARCH", "CAP_SYS_PTRACE"}
    assert set(lines["CapabilityBoundingSet"][0].split()) == rights
    assert set(lines["AmbientCapabilities"][0].split()) == rights
    assert "ReadWritePaths" not in lines
    assert lines["ProtectSystem"] == ["strict"]
    assert " ptrace " in lines["SystemCallFilter"][1]


def test_the_daemon_may_ask_the_kernel_for_queues_of_sockets_but_change_no_network() -> None:
    lines = lines_of("coloc-agent.service")
    assert set(lines["RestrictAddressFamilies"][0].split()) == {"AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK"}
    assert "CAP_NET_ADMIN" not in lines["CapabilityBoundingSet"][0]


def test_the_daemon_is_watched_and_reloads_by_hup() -> None:
    lines = lines_of("coloc-agent.service")
    assert (lines["Type"], lines["WatchdogSec"]) == (["notify"], ["60"])
    assert lines["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


def test_the_nightly_run_is_ended_by_what_borg_understands() -> None:
    lines = lines_of("coloc-agent-backup.service")
    assert (lines["KillSignal"], lines["KillMode"]) == (["SIGINT"], ["mixed"])
    assert lines["ExecStart"] == [f"{PROGRAM} backup --nightly"]


def test_a_drill_that_was_killed_is_tidied_up_at_once() -> None:
    lines = lines_of("coloc-agent-drill.service")
    assert lines["ExecStart"] == [f"{PROGRAM} drill --nightly"]
    assert lines["ExecStopPost"] == [f"{PROGRAM} drill --tidy"]
    assert "coloc-agent-drill.timer" in " ".join(lines_of("coloc-agent.service")["Wants"])


def test_under_yunohost_every_wall_of_the_nightly_unit_is_answered() -> None:
    """A wall that the unit gets one day, and that this file forgets, would break the backups of a server at night."""
    walls = r"(Protect|Private|Restrict|SystemCall(Filter|Arch)|NoNew|Capab|Memory(Deny)|Lock|Keyring|Device|RemoveIPC)"
    ours = {key for key in lines_of("coloc-agent-backup.service") if re.match(walls, key)}
    assert len(ours) > 20
    assert ours - set(lines_of("coloc-agent-backup.yunohost.conf")) == set()


def test_systemd_understands_the_nightly_unit_of_yunohost(units: Path) -> None:
    folder = units / "coloc-agent-backup.service.d"
    folder.mkdir()
    (folder / "50-yunohost.conf").write_text((SYSTEMD / "coloc-agent-backup.yunohost.conf").read_text())
    done = systemd("systemd-analyze", "verify", "--man=no", str(units / "coloc-agent-backup.service"))
    assert (done.returncode, done.stderr.strip()) == (0, "")


def test_reading_quotas_may_write_its_report_and_nothing_else() -> None:
    lines = lines_of("coloc-agent-quota.service")
    assert lines["ReadWritePaths"] == [str(REPORT.parent)]
    assert lines["ExecStart"][0].endswith("-m helper.disk_quota")
    assert lines["ProtectSystem"] == ["strict"]
    assert "coloc-agent-quota.timer" in " ".join(lines_of("coloc-agent.service")["Wants"])


def test_folders_are_those_that_the_program_uses() -> None:
    paths = Paths()
    assert lines_of("coloc-agent-backup.path")["PathChanged"] == [f"{paths.wake}/backup"]
    assert str(paths.facts) in lines_of("coloc-agent-backup.service")["ReadWritePaths"]
    made = {
        line.split()[1]: line.split()[2:5]
        for line in (SYSTEMD / "coloc-agent.tmpfiles.conf").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert made[str(paths.state)] == ["0750", "coloc-agent", "coloc-agent"]
    assert made[str(paths.facts)] == ["2750", "root", "coloc-agent"]
    assert made[str(REPORT.parent)] == ["2750", "root", "coloc-agent"]
    assert made[str(paths.journal)] == ["0700", "root", "root"]
    assert made[str(paths.requests)] == made[str(paths.wake)] == ["0770", "coloc-agent", "coloc-agent"]


def test_sysusers_makes_the_account_and_tmpfiles_its_folders(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    made = systemd("systemd-sysusers", f"--root={tmp_path}", str(SYSTEMD / "coloc-agent.sysusers.conf"))
    assert made.returncode == 0, made.stderr
    assert "coloc-agent:" in (tmp_path / "etc/passwd").read_text()
    made = systemd("systemd-tmpfiles", f"--root={tmp_path}", "--create", str(SYSTEMD / "coloc-agent.tmpfiles.conf"))
    if os.geteuid() != 0:  # an ordinary user gives no folder away; that every line was understood still shows
        assert all("Operation not permitted" in line or "Failed to open" in line for line in made.stderr.splitlines())
        return
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "var/lib/coloc-agent-root").stat().st_mode & 0o7777 == 0o700
    assert (tmp_path / "var/lib/coloc-agent-facts").stat().st_mode & 0o7777 == 0o2750
