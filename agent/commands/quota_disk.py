"""`coloc-agent quota setup-disk`: explains how a filesystem keeps quotas of users, switches them on the safe way."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click

from coloc.errors import ColocError


@click.command("setup-disk")
@click.argument("place", default="/")
@click.option("--dry-run", is_flag=True, help="Explain, do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def setup_disk(place: str, dry_run: bool, yes: bool) -> int:
    """Let the filesystem at PLACE (/ without one) count and bound what each user owns, while it is in use. As root.

    It never touches the quota feature of ext4: without its module in the initrd the machine would not boot.
    """
    from coloc.command import run  # noqa: PLC0415 - `--help` must be quick
    from helper.disk_setup import mounted, plan_for  # noqa: PLC0415
    from helper.kernel_quota import LinuxKernel  # noqa: PLC0415

    disk = mounted(Path("/proc/self/mountinfo").read_text(errors="surrogateescape")).get(place)
    if disk is None:
        raise ColocError(f"{place[:200]} is no place where a whole disk is mounted", hint="see: findmnt --real")
    try:
        LinuxKernel().get(disk.device, 0, files=False)
        keeps = True
    except OSError:
        keeps = False
    has_tools = all(
        shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") for name in ("quotacheck", "quotaon")
    )
    plan = plan_for(disk, keeps_quotas=keeps, has_tools=has_tools, has_feature=_has_feature(disk.device))
    if plan.refused:
        raise ColocError(plan.refused)
    click.echo(f"{place} ({disk.kind} on {disk.device}) would count and bound what each user owns:")
    for step in plan.steps:
        click.echo(f"  {' '.join(step)}")
    click.echo(f"{plan.after}\nback: {plan.undo}\nnot done, ever: tune2fs -O quota (the machine might not boot)")
    if dry_run:
        return 0
    if os.geteuid() != 0:
        raise ColocError("only root may do that", hint="run it with sudo")
    if not (yes or click.confirm("Do it now? It takes seconds, and reads every inode once.")):
        click.echo("nothing was changed")
        return 1
    for step in plan.steps:
        run(step, timeout=3600)
        click.echo(f"done: {' '.join(step)}")
    return 0


def _has_feature(device: str) -> bool:
    from coloc.command import CommandFailed, run  # noqa: PLC0415

    try:
        said = run(["tune2fs", "-l", device], timeout=30).stdout
    except CommandFailed:
        return False
    features = [line for line in said.splitlines() if line.startswith("Filesystem features:")]
    return any("quota" in line.split() for line in features)
