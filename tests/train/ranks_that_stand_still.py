"""One of two ranks that agree before every step, and nothing else. The first one stands still at a place of its own.

python -m train.ranks_that_stand_still NUMBER PLACE bounded|unbounded|patient|deaf

PLACE is where the first one stands still: `before` it says its word, `between` having the answer and letting the other
one go, `after` that; or only its main thread does (`stuck`). `apart` it
says one word, in a group of its own, and stands still before the first backward pass of a model in
DistributedDataParallel, whose gradients are joined in the world. Its watchdog is gone by then, so that nobody ends it.
Being `slow` it keeps its watchdog, and goes on by itself, later than a lease ends that nobody renews. The second one
has no watchdog either: whatever ends it, it ends by itself. `unbounded` is the control: it waits as long as
`torch.distributed` does, and does not ask how it is with the lease of the other one. `deaf`, another control, does not
ask either. `patient` waits for so many seconds of its own. The group's own time is up after half an hour, as
it is where nobody says anything else.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from consentry.errors import ConsentryError, LeaseOverError
from consentry.training import torch_ranks
from consentry.training.client import Lease
from train.jobs_in_torch import held_by, note, one_of_two
from train.small_models import ByteModel

GOOD_STEPS = 5
PAUSE_S = 0.02
PATIENCE_S = 2.0


def stand_still(*_: Any, **__: Any) -> None:
    """Stop this process with all of its threads."""
    note("still", {"at": time.monotonic()})
    os.kill(os.getpid(), signal.SIGSTOP)


def misbehave(lease: Lease, place: str) -> None:
    """Lose the watchdog, and stand still at a place."""
    if place == "slow":
        note("still", {"at": time.monotonic()})
        time.sleep(1.6 * lease.ttl_s)
        return
    assert lease._watched is not None
    lease._watched._process.kill()
    lease._watched._process.wait()
    if place in ("before", "apart"):
        stand_still()
    elif place == "stuck":
        note("still", {"at": time.monotonic()})
        threading.Event().wait()
    elif place == "between":
        torch_ranks._let_go = stand_still
    else:
        torch_ranks._let_go = followed_by_standing_still(torch_ranks._let_go)


def followed_by_standing_still(let_go: Callable[..., None]) -> Callable[..., None]:
    """Return something that does the same, and then stands still."""

    def both(*arguments: Any, **named: Any) -> None:
        let_go(*arguments, **named)
        stand_still()

    return both


def unbounded(words: torch.Tensor, left_s: Callable[[], float], *, group: Any) -> bool:  # noqa: ARG001
    """Wait for the highest word as long as it takes."""
    dist.all_reduce(words, op=dist.ReduceOp.MAX, group=group)
    return True


def agree(lease: Lease, number: int, place: str) -> None:
    """Agree on step after step."""
    for step in itertools.count(1):
        torch_ranks.check_together(lease, step)
        note(f"step-{number}", {"step": step})
        if number == 0 and step == GOOD_STEPS:
            misbehave(lease, place)
        time.sleep(PAUSE_S)


def train_apart(lease: Lease, number: int) -> None:
    """Agree once, and join gradients in another group than that."""
    words = dist.new_group(backend="gloo")
    torch_ranks.check_together(lease, 0, group=words)
    model = DistributedDataParallel(ByteModel())
    note(f"step-{number}", {"step": 0})
    if number == 0:
        misbehave(lease, "apart")
    try:
        model(torch.zeros((1, 8), dtype=torch.int64)).backward()
    except RuntimeError as error:
        note(f"failed-{number}", {"why": str(error), "at": time.monotonic(), "over": lease.is_over()})
        raise


def main() -> None:
    """Be a rank."""
    number, place, wait = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    torch.set_num_threads(1)
    if wait == "unbounded":
        torch_ranks._reduced = unbounded
    try:
        with (
            one_of_two(number, timeout=timedelta(minutes=30)),
            held_by(number, watchdog=number == 0, ranks_patience_s=PATIENCE_S if wait == "patient" else None) as lease,
        ):
            if wait in ("deaf", "unbounded"):
                lease.others = None
            try:
                if place == "apart":
                    train_apart(lease, number)
                else:
                    agree(lease, number, place)
            except LeaseOverError as error:
                note(f"stopped-{number}", {"code": error.code, "at": time.monotonic()})
                raise
    except ConsentryError as error:
        note(f"ended-{number}", error.code)
        sys.exit(75)


if __name__ == "__main__":
    main()
