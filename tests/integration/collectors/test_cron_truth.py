"""A real cron starts short jobs for two apps: what they spent by getrusage is what the agent counted by taskstats."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fakes.cron import cron
from tests.fakes.waiting import until
from tests.integration.collectors.test_exits_truth import AT_LEAST, AT_MOST, looking
from tests.integration.collectors.test_truth import UIDS

JOBS, SECONDS = 4, 0.3  # gone between two looks
_JOB = """import os, resource, sys, time
while time.process_time() < float(sys.argv[1]):
    sum(range(500)); os.getppid()
used = resource.getrusage(resource.RUSAGE_SELF)
descriptor = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)
os.write(descriptor, b"%.4f\\n" % (used.ru_utime + used.ru_stime))
"""


def test_jobs_of_a_real_cron_are_charged_to_their_apps(tmp_path: Path) -> None:
    for path in (tmp_path, *tmp_path.parents):
        path.chmod(path.stat().st_mode | 0o011)
    job = tmp_path / "job.py"
    job.write_text(_JOB)
    job.chmod(0o644)
    spent = {app: tmp_path / f"{app}.spent" for app in UIDS}
    for app, path in spent.items():
        path.touch()
        os.chown(path, UIDS[app], UIDS[app])

    def truths() -> dict[str, list[float]]:
        return {app: [float(line) for line in path.read_text().split()] for app, path in spent.items()}

    command = f"/usr/bin/python3 -I {job} {SECONDS}"
    lines = "".join(f"* * * * * {app} {command} {path}\n" * JOBS for app, path in spent.items())
    with looking(tmp_path) as looks, cron(tmp_path / "cron", UIDS, lines):
        until(lambda: all(len(each) >= JOBS for each in truths().values()), seconds=240, what="cron's minute")
        until(lambda: looks.look()["coloc_exits_total"] >= 2 * JOBS, seconds=60, what="the ends of the jobs")
        found = truths()
        until(lambda: all(looks.cpu(app) >= AT_LEAST * sum(found[app]) for app in UIDS), seconds=30, what="their time")
        looks.look()
        counted = {app: looks.cpu(app) for app in UIDS}
        found = truths()
    for app, each in found.items():
        # Each job also is a shell and the start of python, which getrusage of the job itself partly knows.
        assert AT_LEAST * sum(each) <= counted[app] <= AT_MOST * sum(each) + 0.05 * len(each)
