"""Holds what a project's users may still write, by the filesystem's own quotas: a little for a while, then nothing.

Reading and deleting always stay; root is not limited. A user with a limit of somebody else's is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from coloc.agreed import AgreedLimit, Target
from coloc.errors import ColocError
from helper.actuator import CannotEnforce, Done, ReadBack
from helper.kernel_quota import BLOCK, Kernel, LinuxKernel, Marks, device_of, devices, is_off, ours_from
from helper.traces import Trace

MOUNTS = Path("/proc/self/mountinfo")
_ROOM = 0.02  # of the limit: what a slowed project may still write


class DiskActuator:
    """`disk` (bytes) or `files` (their number)."""

    def __init__(self, resource: str, *, kernel: Kernel | None = None, mounts: Path = MOUNTS) -> None:
        self._files, self._kernel, self._mounts = resource == "files", kernel or LinuxKernel(), mounts

    def cannot(self, target: Target | None = None) -> str:
        """See Actuator."""
        if target is None:
            return "" if any(self._keeps_quotas(device) for device in set(self._devices().values())) else _SET_UP
        if not target.uids or not target.folders:
            return "it has no user or no folder that is its own"
        try:
            self._marks(target)
        except CannotEnforce as error:
            return str(error)
        return ""

    def in_use(self, target: Target) -> float | None:
        """See Actuator."""
        return float(sum(marks.used for marks in self._marks(target).values()) * (1 if self._files else BLOCK))

    def apply(self, target: Target, step: str, limit: AgreedLimit) -> Done:
        """See Actuator. A limit of ours that is lower stays: asked for again and again, it would creep upwards."""
        room = 0 if step == "hard" else int(limit.hard * _ROOM / (1 if self._files else BLOCK))
        calls = []
        for (device, uid), marks in self._marks(target).items():
            soft, hard = ours_from(marks.used), ours_from(marks.used + room)
            if marks.is_ours:
                soft, hard = min(soft, marks.soft), min(hard, marks.hard)
            self._set(device, uid, soft, hard)
            what = "files" if self._files else "blocks"
            calls.append(f"quotactl(Q_SETQUOTA, {device}, user {uid}, {what}: soft {soft}, hard {hard})")
        return Done(f"bounded what the users of {target.project} may still write", "; ".join(calls))

    def read_back(self, target: Target, step: str, limit: AgreedLimit) -> ReadBack:  # noqa: ARG002 - every actuator's
        """See Actuator."""
        found = self._marks(target)
        says = "; ".join(
            f"user {uid} on {device}: {marks.used} of {marks.hard}" for (device, uid), marks in found.items()
        )
        # After the first step there is room to write; after the second none but what rounding leaves.
        stands = all(
            marks.is_ours and (step != "hard" or marks.hard - marks.soft < ours_from(1)) for marks in found.values()
        )
        return ReadBack("the filesystem's quotas", says, stands and bool(found))

    def undo(self, target: Target) -> None:
        """See Actuator."""
        if not target.uids:
            raise ColocError(
                f"nobody knows any more which users were {target.project}'s", hint="coloc-agent quota undo --all"
            )
        for device in set(self._devices().values()):
            for uid in target.uids:
                if self._keeps_quotas(device) and self._kernel.get(device, uid, files=self._files).is_ours:
                    self._set(device, uid, 0, 0)

    def _marks(self, target: Target) -> dict[tuple[str, int], Marks]:
        """Every user of the target on each disk that holds some of its folders. Raises CannotEnforce."""
        known = self._devices()
        found = {}
        for device in sorted({device_of(folder, known) or "" for folder in target.folders}):
            if not device:
                raise CannotEnforce("some of its folders lie on no disk")
            for uid in target.uids:
                try:
                    marks = self._kernel.get(device, uid, files=self._files)
                except OSError as error:
                    raise CannotEnforce(
                        f"{device}: {_SET_UP}" if is_off(error) else f"{device}: {error.strerror}"
                    ) from error
                if not marks.is_free and not marks.is_ours:
                    raise CannotEnforce(f"user {uid} has a quota of somebody else's on {device}")
                found[device, uid] = marks
        return found

    def _set(self, device: str, uid: int, soft: int, hard: int) -> None:
        try:
            self._kernel.set(device, uid, soft, hard, files=self._files)
        except OSError as error:
            raise ColocError(f"the quota of user {uid} on {device} cannot be set: {error.strerror}") from error

    def _keeps_quotas(self, device: str) -> bool:
        try:
            self._kernel.get(device, 0, files=self._files)
        except OSError:
            return False
        return True

    def _devices(self) -> dict[int, str]:
        try:
            return dict(devices(self._mounts.read_text(errors="surrogateescape")))
        except OSError:
            return {}


_SET_UP = "the filesystem keeps no quotas: coloc-agent quota setup-disk"


class DiskTraces:
    """Limits of ours on any filesystem, whoever's user it is."""

    def __init__(self, *, kernel: Kernel | None = None, mounts: Path = MOUNTS) -> None:
        self._kernel, self._mounts = kernel or LinuxKernel(), mounts
        self.unseen: list[str] = []

    def find(self) -> Iterator[Trace]:
        """See Source."""
        for device, uid in self._ours():
            undo = f"setquota -u {uid} 0 0 0 0 {device}"
            yield Trace(device, f"what user {uid} may still write is bounded", undo)

    def undo_all(self) -> list[str]:
        """See Source."""
        said = []
        for device, uid in list(self._ours()):
            for files in (False, True):
                if self._kernel.get(device, uid, files=files).is_ours:
                    self._kernel.set(device, uid, 0, 0, files=files)
            said.append(f"{device}: user {uid} may write again")
        return said

    def _ours(self) -> Iterator[tuple[str, int]]:
        try:
            known = sorted(set(devices(self._mounts.read_text(errors="surrogateescape")).values()))
        except OSError:
            return
        for device in known:
            try:
                for uid in self._kernel.users(device):
                    if any(self._kernel.get(device, uid, files=files).is_ours for files in (False, True)):
                        yield device, uid
            except OSError:  # it keeps no quotas
                continue
