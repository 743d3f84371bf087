"""A training job that holds its lease with the client that trainers use, its watchdog included.

    python real_job.py '{"release": ..., "column": ..., "ttl_s": ..., "step_s": ...}'

It reads rows that may be read by now, and takes a step with them now and then. It says `began` with its first step, and
when it has to stop: when it last took a step, and when it was told, both on the boot clock. Whoever says nothing more
was killed by its watchdog. `beat` names a file for the time of the last step, which outlives the job; with `swallow`
the job goes on after it was told to stop, and `"watchdog": false` leaves the watchdog away.
"""

from __future__ import annotations

import json
import mmap
import sys
import time
from pathlib import Path
from typing import Any

from consentry.errors import LeaseOverError
from consentry.training.arrow import batches
from consentry.training.boot_clock import boot_seconds
from consentry.training.client import Lease, hold

_BATCH_ROWS = 64


class Beat:
    """The time of the last step: one word of a file, so that it is whole at any moment."""

    def __init__(self, path: str | None) -> None:
        self.at: float | None = None
        self._word = None
        if path is not None:
            Path(path).write_bytes(bytes(8))
            with Path(path).open("r+b") as stream:
                self._word = memoryview(mmap.mmap(stream.fileno(), 8)).cast("d")

    def step(self, at: float) -> None:
        """Note a step."""
        self.at = at
        if self._word is not None:
            self._word[0] = at


def train(lease: Lease, beat: Beat, *, column: str, step_s: float) -> None:
    """Take steps until the lease is over."""
    step = 0
    try:
        while True:
            for ranges, _ in batches(lease, [column], rows=_BATCH_ROWS):
                now = boot_seconds()
                lease.check(step + 1)
                beat.step(now)
                step += 1
                lease.committed(step, ranges)
                if step == 1:
                    _say("began", at=now)
                time.sleep(step_s)
    except LeaseOverError as error:
        _say("stopped", at=boot_seconds(), last_step=beat.at, code=error.code)
        raise


def main(asked: dict[str, Any]) -> None:
    """Train under a lease; address and credential are in the environment."""
    job, folder, beat = asked["job"], Path(asked["folder"]), Beat(asked.get("beat"))
    try:
        with hold(
            asked["release"],
            job=job,
            model=asked["model"],
            ttl_s=asked["ttl_s"],
            state_folder=folder / job,
            watchdog=asked.get("watchdog", True),
        ) as lease:
            try:
                train(lease, beat, column=asked["column"], step_s=asked["step_s"])
            except LeaseOverError:
                if not asked.get("swallow"):
                    raise
                while True:
                    beat.step(boot_seconds())
                    time.sleep(asked["step_s"])
    except LeaseOverError:
        sys.exit(75)


def _say(what: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"said": what, **facts}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
