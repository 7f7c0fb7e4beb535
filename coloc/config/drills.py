"""The keys of coloc.yml that describe drills: how often archives are proven by restoring them, and what it may cost."""

from __future__ import annotations

from coloc.config.values import Bytes, ClockTime, Described, Place, Seconds

_DAY = 86_400.0


class Drill(Described):
    """The rotation of drills and its budget."""

    off: bool = False
    at: ClockTime = "05:00"
    every: Seconds = 30 * _DAY
    overdue_after: Seconds = 45 * _DAY
    max_duration: Seconds = 3600.0
    cpu: Seconds = 1200.0  # processor time of one run
    room: Bytes = 20_000_000_000  # of the scratch folder
    download: Bytes = 10_000_000_000  # from each ssh host in a month
    check: Seconds = 600.0  # of the run's time, for slices of `borg check`
    folder: Place | None = None
