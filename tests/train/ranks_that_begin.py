"""One of two ranks, of which the first stands still before the first word of all, or in a group that nobody named.

python -m train.ranks_that_begin NUMBER PLACE BEGIN_S file|PORT whole|control

PLACE is where the first one stands still, its watchdog gone: `held` once it holds a lease and has said so, or `never`
having asked for one. Or it is `slow`: it holds one, says so, and says its first word later than BEGIN_S. `third` it
stands still within the backward pass of a model whose gradients are joined neither in the group of the words nor in the
world. The store of the group is a file, or a server on the first rank. The `control` does without what this is about:
without looking into the store, or without closing what nobody named. The group's own time is half an hour.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from consentry.errors import ConsentryError, LeaseOverError
from consentry.training import torch_groups, torch_presence, torch_ranks
from consentry.training.client import Lease
from consentry.training.torch import ReleaseDataset
from train.jobs_in_torch import FOLDER, held_by, note
from train.ranks_that_stand_still import PAUSE_S, stand_still
from train.small_models import ByteModel


@contextmanager
def joined(number: int, store: str) -> Iterator[None]:
    """Be in the group, which waits for half an hour, until the end."""
    where = f"file://{FOLDER}/meeting" if store == "file" else f"tcp://127.0.0.1:{store}"
    dist.init_process_group("gloo", init_method=where, rank=number, world_size=2, timeout=timedelta(minutes=30))
    try:
        yield
    finally:
        dist.destroy_process_group()


def lose_watchdog(lease: Lease) -> None:
    """Have nobody who ends this rank."""
    assert lease._watched is not None
    lease._watched._process.kill()
    lease._watched._process.wait()


def begin(lease: Lease, place: str) -> None:
    """Make a dataset; the first rank is late from then on, or stands still."""
    ReleaseDataset(lease, columns=["text"])
    if place == "held":
        while not torch_presence.presence_of(lease)._told:
            time.sleep(PAUSE_S)
        lose_watchdog(lease)
        stand_still()
    elif place == "slow":
        note("still", {"at": time.monotonic()})
        time.sleep(2.5 * torch_ranks.BEGIN_S + torch_presence._SILENT_S)


def agree(lease: Lease, number: int) -> None:
    """Agree on step after step."""
    for step in itertools.count(1):
        torch_ranks.check_together(lease, step)
        note(f"step-{number}", {"step": step})
        time.sleep(PAUSE_S)


def train_in_a_third_group(lease: Lease, number: int) -> None:
    """Agree in one group, and join gradients in another; none of them is the world."""
    words, gradients = dist.new_group(backend="gloo"), dist.new_group(backend="gloo")
    torch_ranks.check_together(lease, 0, group=words)
    model = DistributedDataParallel(ByteModel(), process_group=gradients)
    if number == 0:
        lose_watchdog(lease)
        model.module.head.weight.register_hook(stand_still)
    note(f"step-{number}", {"step": 0})
    try:
        model(torch.zeros((1, 8), dtype=torch.int64)).backward()
    except RuntimeError as error:
        note(f"failed-{number}", {"why": str(error), "at": time.monotonic(), "over": lease.is_over()})
        raise


def without(place: str) -> None:
    """Leave out what a control does without."""
    if place == "third":
        groups = torch_groups._groups
        torch_groups._groups = lambda group: itertools.islice(groups(group), 2)
    else:
        torch_presence._clone = lambda: None


def run(lease: Lease, number: int, place: str) -> None:
    """Train, or what there is of that."""
    try:
        if place == "third":
            train_in_a_third_group(lease, number)
        else:
            begin(lease, place if number == 0 else "")
            note(f"begun-{number}", {})
            agree(lease, number)
    except LeaseOverError as error:
        note(f"stopped-{number}", {"code": error.code, "message": error.message, "at": time.monotonic()})
        raise


def main() -> None:
    """Be a rank."""
    number, place, begin_s, store, how = int(sys.argv[1]), *sys.argv[2:]
    torch.set_num_threads(1)
    torch_ranks.BEGIN_S, torch_presence._SILENT_S = float(begin_s), 1.0
    if how == "control" and number == 1:
        without(place)
    try:
        with joined(number, store):
            note(f"joined-{number}", {})
            if place == "never" and number == 0:
                while not (FOLDER / "joined-1").exists():  # to join, the other one needs the store of this one
                    time.sleep(PAUSE_S)
                stand_still()
            with held_by(number, watchdog=number == 0) as lease:
                run(lease, number, place)
    except ConsentryError as error:
        note(f"ended-{number}", error.code)
        sys.exit(75)


if __name__ == "__main__":
    main()
