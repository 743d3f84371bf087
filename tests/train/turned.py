"""When the lease of a job turned, seen from another process, and which steps the job began after that.

The job does not say when its lease turned: it would say so with the very thread that steps. Its deadline lies in memory
that processes share, and the boot clock is the same for all of them.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consentry.training.boot_clock import boot_seconds
from consentry.training.shared_deadline import SharedDeadline

LOOK_S = 0.001


@dataclass(kw_only=True)
class Turned:
    """When the lease was first seen to be over, in seconds of the boot clock; None: it was not."""

    at: float | None = None


@contextmanager
def turning(folder: Path, mark: str = "") -> Iterator[Turned]:
    """Look at the deadline of a job that runs, all the time, until the block ends."""
    shared = SharedDeadline(Path(json.loads((folder / f"deadline{mark}").read_text())))
    found, done = Turned(), threading.Event()

    def look() -> None:
        while not done.is_set():
            if shared.is_over():
                found.at = boot_seconds()
                return
            time.sleep(LOOK_S)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()
        shared.close()


def require_no_step_after(turned: Turned, folder: Path, mark: str = "") -> None:
    """Fail if a step was checked after the lease had turned, or more than the one on its way was taken after it."""
    assert turned.at is not None, "the lease did not turn"
    steps = [json.loads(line) for line in (folder / f"steps{mark}").read_text().splitlines()]
    assert steps, "no step was taken"
    begun = [each["step"] for each in steps if each["checked"] > turned.at]
    assert not begun, f"checked after the lease had turned, and taken: {begun}"
    assert sum(each["taken"] > turned.at for each in steps) <= 1
