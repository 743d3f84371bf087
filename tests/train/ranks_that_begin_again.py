"""One of two ranks that a launcher starts again. What it did is in files of JOB_FOLDER.

python -m torch.distributed.run --standalone --nproc-per-node 2 --max-restarts 1 -m train.ranks_that_begin_again HOW

The first time both hold a lease and say so in the store of their group, and the second rank dies. The next time that
one is late: the leases that stand in the store are over by then, and the first rank waits in its first word. `believed`
is the control: a rank gives up once no lease that stands in the store is granted.
"""

from __future__ import annotations

import os
import sys
import time

import torch
import torch.distributed as dist

from consentry.errors import ConsentryError
from consentry.training import torch_presence, torch_ranks
from consentry.training.client import Lease
from consentry.training.other_leases import OtherLeases
from consentry.training.torch import ReleaseDataset
from train.jobs_in_torch import held_by, note
from train.ranks_that_stand_still import PAUSE_S

STEPS = 3


def begin_and_die(lease: Lease, number: int) -> None:
    """Say that this rank has begun, and have the launcher start all of them again."""
    presence = torch_presence.presence_of(lease)
    presence.expect((0, 1))
    while not (presence._told and presence.fences_of((0, 1))):
        time.sleep(PAUSE_S)
    note(f"begun-{number}", lease.fence)
    if number == 1:
        os._exit(1)
    time.sleep(600)


def forget_addresses() -> None:
    """Take the addresses of the killed ranks out of the store: gloo goes to them, and then not always to those of now.

    That is between the launcher and gloo; here it would be chance whether this is about anything.
    """
    store, rank, _ = next(dist.rendezvous("env://"))
    if rank == 0:
        for key in store.list_keys():
            if "consentry" not in key:
                store.delete_key(key)
        store.set("forgotten", "yes")
    else:
        store.wait(["forgotten"])


def left_there() -> list[str]:
    """Return what stands in the store of the group before anybody wrote there this time."""
    store = torch_presence._clone()
    keys = [torch_presence._key(rank) for rank in (0, 1)]
    return [store.get(key).decode() for key in keys if store.check([key])]


def believe() -> None:
    """Take a lease that stands in the store and is over for one of this time."""

    def ask(others: torch_ranks._Others, _: Lease, plane: OtherLeases) -> None:
        fences = others._presence.fences_of(others._members)
        others.gone = bool(fences) and plane.granted(fences, timeout_s=1.0) == frozenset()

    torch_ranks._Others._ask_who_begun = ask  # type: ignore[assignment]


def main() -> None:
    """Be a rank."""
    torch.set_num_threads(1)
    again = os.environ["TORCHELASTIC_RESTART_COUNT"] != "0"
    if again:
        forget_addresses()
    dist.init_process_group("gloo")
    number = dist.get_rank()
    if again:
        note(f"left-{number}", left_there())
        dist.barrier()
        if sys.argv[1] == "believed":
            believe()
        if number == 1:
            time.sleep(2 * float(os.environ["JOB_TTL"]))
    try:
        with held_by(number) as lease:
            ReleaseDataset(lease, columns=["text"])
            if not again:
                begin_and_die(lease, number)
            for step in range(1, STEPS + 1):
                torch_ranks.check_together(lease, step)
                note(f"step-{number}", {"step": step})
    except ConsentryError as error:
        note(f"ended-{number}", error.code)
        sys.exit(75)
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
