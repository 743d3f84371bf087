"""A host with clocks of its own: for every Python process whose PYTHONPATH names this folder, a watchdog's as well.

HOST_WALL_CLOCK names a file of eight bytes: by how many seconds the wall clock is ahead, at any moment.
HOST_WITHOUT_BOOT_CLOCK: the system has no boot clock, and its monotonic clock shows another time than ours.
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

DAY_S = 86_400

_seconds, _nanoseconds, _of_clock, _of_clock_ns = time.time, time.time_ns, time.clock_gettime, time.clock_gettime_ns


def _set_by(path: Path) -> None:
    with path.open("rb") as stream:
        ahead = memoryview(mmap.mmap(stream.fileno(), 8, prot=mmap.PROT_READ)).cast("q")

    def shown(clock: int) -> float:
        return _of_clock(clock) + (ahead[0] if clock == time.CLOCK_REALTIME else 0)

    def shown_ns(clock: int) -> int:
        return _of_clock_ns(clock) + (ahead[0] * 10**9 if clock == time.CLOCK_REALTIME else 0)

    time.time = lambda: _seconds() + ahead[0]
    time.time_ns = lambda: _nanoseconds() + ahead[0] * 10**9
    time.clock_gettime, time.clock_gettime_ns = shown, shown_ns


def _without_boot_clock() -> None:
    if hasattr(time, "CLOCK_BOOTTIME"):
        del time.CLOCK_BOOTTIME

    def shown(clock: int) -> float:
        return _of_clock(clock) + (DAY_S if clock == time.CLOCK_MONOTONIC else 0)

    def shown_ns(clock: int) -> int:
        return _of_clock_ns(clock) + (DAY_S * 10**9 if clock == time.CLOCK_MONOTONIC else 0)

    time.clock_gettime, time.clock_gettime_ns = shown, shown_ns


if "HOST_WALL_CLOCK" in os.environ:
    _set_by(Path(os.environ["HOST_WALL_CLOCK"]))
if "HOST_WITHOUT_BOOT_CLOCK" in os.environ:
    _without_boot_clock()
