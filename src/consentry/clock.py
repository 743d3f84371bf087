"""The time: the only place where the clock is read. Whoever is given the time as an argument does not need it."""

from __future__ import annotations

import os
import time
from functools import cache
from pathlib import Path

from consentry.policy.choice import Seconds


def now() -> Seconds:
    """Return the time."""
    return int(time.time())


def milliseconds() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def uptime() -> float:
    """Return seconds since the machine was booted; where sleep cannot be counted, those it was awake."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@cache
def boot() -> str:
    """Return what `uptime` counts from: this start of this machine, or this process where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"process-{os.getpid()}-{time.time_ns()}"
