"""A job small enough for a demo: it trains a model of which byte follows which, under a lease, with NumPy alone.

    python -m consentry.training.practice RELEASE --model NAME --column TEXT [--passes N]

It is a real job: it holds a lease, learns from rows that may be read by now, logs what each step consumed, and stops
when it has to. It prints a line of JSON when it begins, now and then, and at its end; the last one says how it ended.
Exit status 75 if it had to stop.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.errors import ConsentryError, LeaseOverError
from consentry.training.arrow import batches
from consentry.training.boot_clock import boot_seconds
from consentry.training.client import Lease, hold

STOPPED = 75
"""`EX_TEMPFAIL`: try again with another release."""
_BATCH_ROWS = 1024
_BYTES = 256
_RATE = 0.5
_SAY_EVERY = 20


class ByteModel:
    """A table of scores: which byte follows a byte. Trained by gradient descent on the cross-entropy, in nats."""

    def __init__(self) -> None:
        self.scores: npt.NDArray[np.float64] = np.zeros((_BYTES, _BYTES))

    def loss_and_gradient(self, text: bytes) -> tuple[float, npt.NDArray[np.float64]]:
        """Return the mean loss over a text of at least two bytes, and its gradient, each row scaled."""
        codes = np.frombuffer(text, dtype=np.uint8)
        pairs = np.bincount(codes[:-1].astype(np.int64) * _BYTES + codes[1:], minlength=_BYTES * _BYTES)
        seen = pairs.reshape(_BYTES, _BYTES).astype(np.float64)
        shifted = self.scores - self.scores.max(axis=1, keepdims=True)
        log_likelihood = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        total, each = seen.sum(), seen.sum(axis=1, keepdims=True)
        loss = -float((seen * log_likelihood).sum() / total)
        return loss, (np.exp(log_likelihood) * each - seen) / np.maximum(each, 1)

    def step(self, gradient: npt.NDArray[np.float64]) -> None:
        """Take one step of the optimiser."""
        self.scores -= _RATE * gradient


def train(lease: Lease, *, column: str, passes: int) -> int:
    """Train, and return the number of steps taken.

    Raises:
        LeaseOverError: the lease was over before the next step.
    """
    model, step = ByteModel(), 0
    for _ in range(passes):
        before = step
        for ranges, batch in batches(lease, [column], rows=_BATCH_ROWS):
            text = "\n".join(value for value in batch.column(0).to_pylist() if value).encode()
            if len(text) < 2:
                continue
            loss, gradient = model.loss_and_gradient(text)
            lease.check(step + 1)
            model.step(gradient)
            step += 1
            lease.committed(step, ranges)
            if step % _SAY_EVERY == 1:
                _say("training", step=step, loss=round(loss, 3))
        if step == before:
            break
    return step


def main() -> int:
    """Run the job; see the module."""
    parser = argparse.ArgumentParser(prog="practice", description="Train a model of which byte follows which.")
    parser.add_argument("release", help="the release to read")
    parser.add_argument("--model", required=True, help="what comes out of it")
    parser.add_argument("--column", required=True, help="the column of texts")
    parser.add_argument("--job", default="practice", help="the name of this job (practice)")
    parser.add_argument("--passes", type=int, default=1, help="how often to read all of it (1)")
    parser.add_argument("--ttl", type=float, default=60.0, help="seconds a lease lives if nobody renews it (60)")
    parser.add_argument("--state", type=Path, default=None, help="where to write down what was trained on")
    given = parser.parse_args()
    try:
        with hold(given.release, job=given.job, model=given.model, ttl_s=given.ttl, state_folder=given.state) as lease:
            _say("began", fence=lease.fence)
            steps = train(lease, column=given.column, passes=given.passes)
    except LeaseOverError as error:
        _say("stopped", code=error.code, why=error.message)
        return STOPPED
    except ConsentryError as error:
        sys.stderr.write(f"error: {error}\n  help: {error.help}\n")
        return 1
    _say("done", step=steps)
    return 0


def _say(what: str, **facts: Any) -> None:
    # The boot clock is the same for whoever reads this on the same machine.
    sys.stdout.write(json.dumps({"said": what, "uptime": boot_seconds(), **facts}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
