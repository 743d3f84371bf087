"""The clock that deadlines are on: it counts while the machine sleeps, and nobody can set it.

All processes of a machine read the same one. Where there is no boot clock the monotonic one is taken, which stands
still while the machine sleeps: the control plane and the store of model checkpoints still refuse what comes too late.
"""

from __future__ import annotations

import time

_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_seconds() -> float:
    """Return the boot clock in seconds."""
    return time.clock_gettime(_CLOCK)


def boot_ns() -> int:
    """Return the boot clock in nanoseconds."""
    return time.clock_gettime_ns(_CLOCK)
