"""How user quotas are switched on for a filesystem that is in use: the steps, or why we do not. Decides only.

The quota *feature* of ext4 wants an unmounted filesystem and its module in the initrd; without it the machine does not
boot. It is never switched on here. The older way, a mount option and a file, works while everything runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A filesystem on a disk, as it is mounted."""

    place: str
    kind: str
    device: str
    options: frozenset[str]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run, in this order; or why nothing is. `after`: what a person does for it to stay."""

    steps: tuple[tuple[str, ...], ...] = ()
    refused: str = ""
    after: str = ""
    undo: str = ""


def mounted(mountinfo: str) -> dict[str, Mounted]:
    """Place → filesystem, whole ones on disks; of several at one place the last, which is the one that is seen."""
    found = {}
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        words, source = fields.split(), rest.split()
        if len(words) < 6 or len(source) < 3 or not source[1].startswith("/dev/") or words[3] != "/":
            continue
        place = _OCTAL.sub(lambda match: chr(int(match[1], 8)), words[4])
        options = frozenset(words[5].split(",")) | frozenset(source[2].split(","))
        found[place] = Mounted(place, source[0], source[1], options)
    return found


def plan_for(disk: Mounted, *, keeps_quotas: bool, has_tools: bool, has_feature: bool) -> Plan:
    """`keeps_quotas`: the kernel counts already; `has_tools`: Debian's package quota; `has_feature`: ext4's own."""
    if keeps_quotas:
        return Plan(refused=f"{disk.place} keeps quotas already: there is nothing to do")
    if disk.kind == "xfs":
        return Plan(
            refused=f"{disk.place} is xfs, which takes quotas only while it is mounted: add uquota to its options in "
            "/etc/fstab (for / rootflags=uquota to the kernel's line) and restart when it suits"
        )
    if disk.kind not in {"ext4", "ext3", "ext2"}:
        return Plan(
            refused=f"{disk.place} is {disk.kind}, which keeps no quotas of users; its projects are told, not held"
        )
    if "ro" in disk.options:
        return Plan(refused=f"{disk.place} is read-only")
    if not has_tools:
        return Plan(refused="the programs for quotas are missing: apt install quota, then try again")
    place = disk.place
    if has_feature:  # somebody prepared it while it was not mounted: it only has to begin
        return Plan(steps=(("quotaon", "-vu", place),), undo=f"quotaoff -u {place}", after="it begins again by itself")
    return Plan(
        steps=(
            ("mount", "-o", "remount,usrquota", place),
            ("quotacheck", "-ucmF", "vfsv1", place),
            ("quotaon", "-vu", place),
        ),
        after=f"to keep it after a restart of the machine, add usrquota to the options of {place} in /etc/fstab",
        undo=f"quotaoff -u {place}; mount -o remount,noquota {place}; rm {place.rstrip('/')}/aquota.user",
    )
