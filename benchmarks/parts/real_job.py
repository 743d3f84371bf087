"""A training job that holds its lease with the client that trainers use, its watchdog included.

    python real_job.py '{"release": ..., "column": ..., "ttl_s": ..., "step_s": ...}'

It reads rows that may be read by now, and takes a step with them now and then. It says `began` with its first step, and
when it has to stop: when it last took a step, and when it was told, both on the boot clock. Whoever says nothing more
was killed by its watchdog.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from consentry.errors import LeaseOverError
from consentry.training.arrow import batches
from consentry.training.boot_clock import boot_seconds
from consentry.training.client import Lease, hold

_BATCH_ROWS = 64


def train(lease: Lease, *, column: str, step_s: float) -> None:
    """Take steps until the lease is over."""
    step, last = 0, None
    try:
        while True:
            for ranges, _ in batches(lease, [column], rows=_BATCH_ROWS):
                now = boot_seconds()
                lease.check(step + 1)
                step, last = step + 1, now
                lease.committed(step, ranges)
                if step == 1:
                    _say("began", at=now)
                time.sleep(step_s)
    except LeaseOverError as error:
        _say("stopped", at=boot_seconds(), last_step=last, code=error.code)
        raise


def main(asked: dict[str, Any]) -> None:
    """Train under a lease; address and credential are in the environment."""
    job, folder = asked["job"], Path(asked["folder"])
    try:
        with hold(
            asked["release"], job=job, model=asked["model"], ttl_s=asked["ttl_s"], state_folder=folder / job
        ) as lease:
            train(lease, column=asked["column"], step_s=asked["step_s"])
    except LeaseOverError:
        sys.exit(75)


def _say(what: str, **facts: Any) -> None:
    sys.stdout.write(json.dumps({"said": what, **facts}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
