"""A host with clocks and packages of its own: for every Python process whose PYTHONPATH names this folder.

HOST_WALL_CLOCK names a file of eight bytes: by how many seconds the wall clock is ahead, at any moment.
HOST_WITHOUT_BOOT_CLOCK: the system has no boot clock, and its monotonic clock shows another time than ours.
HOST_PACKAGES names what is installed there beside Consentry and Python.
"""

from __future__ import annotations

import mmap
import os
import sys
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


class _Others:
    """Finds none of the packages that are not installed there."""

    def __init__(self, packages: list[str]) -> None:
        self._there = {"consentry", *sys.stdlib_module_names, *packages}

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        if name.partition(".")[0] not in self._there and not name.startswith("_sysconfigdata_"):  # Python's own
            raise ImportError(f"{name} is not installed here")


if "HOST_PACKAGES" in os.environ:
    sys.meta_path.insert(0, _Others(os.environ["HOST_PACKAGES"].split()))
if "HOST_WALL_CLOCK" in os.environ:
    _set_by(Path(os.environ["HOST_WALL_CLOCK"]))
if "HOST_WITHOUT_BOOT_CLOCK" in os.environ:
    _without_boot_clock()
