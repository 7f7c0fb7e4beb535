"""The machine's figures beside those of psutil, which reads the same files in its own way: an independent witness."""

from __future__ import annotations

from datetime import UTC, datetime

import psutil
import pytest

from collectors.machine import MachineCollector
from tests.fakes.colocations import colocation, figures


def test_the_machine_s_figures_are_those_of_psutil() -> None:
    before = psutil.cpu_times()
    seen = figures(MachineCollector().collect(colocation(), datetime.now(UTC)))
    after = psutil.cpu_times()
    for mode in ("user", "nice", "system", "irq", "softirq", "steal"):
        ours = seen[f'coloc_machine_cpu_seconds_total{{mode="{mode}"}}']
        assert getattr(before, mode) - 0.02 <= ours <= getattr(after, mode) + 0.02, mode
    assert seen["coloc_machine_cpus"] == psutil.cpu_count()
    assert seen["coloc_machine_boot_timestamp_seconds"] == pytest.approx(psutil.boot_time(), abs=2)
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    assert seen["coloc_machine_memory_size_bytes"] == memory.total
    assert seen["coloc_machine_memory_available_bytes"] == pytest.approx(memory.available, rel=0.25)
    assert seen["coloc_machine_swap_size_bytes"] == swap.total
    assert seen["coloc_machine_swap_free_bytes"] <= swap.total
