"""Training jobs to run as processes of their own. What they did is in files of JOB_FOLDER.

python -m train.jobs_in_torch NAME
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import DataLoader

from consentry.errors import ConsentryError, LeaseOverError, StateError
from consentry.training.boot_clock import boot_seconds
from consentry.training.client import Lease, hold
from consentry.training.lease_requests import over
from consentry.training.model_checkpoints import LocalFolder, ModelCheckpoints
from consentry.training.torch import ROW, ReleaseDataset, state_of_all_ranks
from consentry.training.torch_loader import ReleaseLoader
from consentry.training.torch_ranks import batches_together, check_together
from train.small_models import ByteModel, Descent, encode

FOLDER = Path(os.environ.get("JOB_FOLDER", "."))
DEVICE = os.environ.get("JOB_DEVICE", "cpu")
PAUSE_S = 0.01
STUCK_AT = 8
FOR_EVER = 1 << 45
"""Cycles of a GPU: hours."""


def note(name: str, content: object) -> None:
    """Write a file that is whole at any moment."""
    (FOLDER / f"{name}.new").write_text(json.dumps(content))
    (FOLDER / f"{name}.new").replace(FOLDER / name)


class StepTimes:
    """Writes down, a line a step, when a step was about to be checked and when it had been taken (boot clock)."""

    def __init__(self, lease: Lease, mark: str) -> None:
        note(f"deadline{mark}", str(lease.release.shared.path))  # whoever looks at it sees by itself when it turns
        self._stream = (FOLDER / f"steps{mark}").open("a", buffering=1)
        self._checked = 0.0

    def checks(self) -> None:
        """Note that the next thing is the check."""
        self._checked = boot_seconds()

    def taken(self, step: int) -> None:
        """Note that the optimiser has stepped."""
        self._stream.write(json.dumps({"step": step, "checked": self._checked, "taken": boot_seconds()}) + "\n")


def train(lease: Lease, *, how: str = "plain", checkpoints: ModelCheckpoints | None = None, mark: str = "") -> None:
    """Train for ever, an epoch after the other."""
    try:
        forever(lease, how=how, checkpoints=checkpoints, mark=mark)
    except LeaseOverError as error:
        note(f"stopped{mark}", {"code": error.code, "at": time.monotonic()})
        raise


def forever(lease: Lease, *, how: str, checkpoints: ModelCheckpoints | None, mark: str) -> None:
    """Train until something raises."""
    torch.manual_seed(0)
    swallow = how == "swallow"
    dataset = ReleaseDataset(lease, columns=[os.environ["JOB_COLUMN"]], transform=encode)
    model = ByteModel().to(DEVICE)
    ballast = torch.zeros(int(os.environ.get("JOB_BALLAST", "0")), dtype=torch.uint8, device=DEVICE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2) if "JOB_ADAM" in os.environ else Descent(model)
    step, times = 0, StepTimes(lease, mark)
    while True:
        for batch in batches(dataset, swallow=swallow):
            loss = model(batch["ids"].to(DEVICE))
            loss.backward()
            times.checks()
            try:
                check_together(lease, step + 1)
            except LeaseOverError:
                if not swallow:
                    raise
            if how == "stuck" and step + 1 == STUCK_AT:
                torch.cuda._sleep(FOR_EVER)
            optimizer.step()
            times.taken(step + 1)
            optimizer.zero_grad()
            step += 1
            dataset.commit(step, batch[ROW])
            note(f"step{mark}", {"step": step, "loss": loss.item(), "at": time.monotonic(), "ballast": len(ballast)})
            if checkpoints is not None and step % 5 == 0:
                with checkpoints.writing(f"step-{step}", step=step) as folder:
                    torch.save(model.state_dict(), folder / "model.pt")
            time.sleep(PAUSE_S)
        dataset.set_epoch(dataset.epoch + 1)


def batches(dataset: ReleaseDataset, *, swallow: bool) -> Any:
    """Return batches of an epoch; who swallows everything goes on with the first one for ever."""
    if not swallow:
        return ReleaseLoader(dataset, batch_size=4)
    return itertools.repeat(next(iter(DataLoader(dataset, batch_size=4))))


def one_pass(lease: Lease, mark: str) -> None:
    """Train for one pass, which ends on all ranks at the same step, and say what was left and what comes of it."""
    torch.manual_seed(0)
    dataset = ReleaseDataset(lease, columns=[os.environ["JOB_COLUMN"]], transform=encode)
    model = ByteModel()
    optimizer = Descent(model)
    step = 0
    for batch in batches_together(DataLoader(dataset, batch_size=4), lease=lease):
        model(batch["ids"]).backward()
        check_together(lease, step + 1)
        optimizer.step()
        optimizer.zero_grad()
        step += 1
        dataset.commit(step, batch[ROW])
        note(f"step{mark}", {"step": step})
        time.sleep(PAUSE_S)
    done = state_of_all_ranks(dataset)
    dataset.load_state_dict(done)
    try:
        left = [row[ROW].tolist() for row in dataset]
    except StateError:  # this rank trained on all of its rows
        left = []
    note(f"done{mark}", {"step": step, "left": left})


def alone(lease: Lease, number: int) -> None:
    """Let only the first of two ranks read no longer."""
    taken = 0

    def batches() -> Iterator[int]:
        for batch in range(100):
            if number == 0 and batch == 3:
                raise over("lease-revoked")
            yield batch

    try:
        for _ in batches_together(batches(), lease=lease):
            taken += 1
    except LeaseOverError as error:
        note(f"stopped-{number}", {"code": error.code, "taken": taken})
        raise


@contextmanager
def one_of_two(number: int, *, timeout: timedelta = timedelta(seconds=60)) -> Iterator[None]:
    """Be one of two ranks. One that ends without leaving the group can be aborted by its threads at the very end."""
    dist.init_process_group(
        "gloo",
        init_method=f"file://{FOLDER}/meeting",
        rank=number,
        world_size=2,
        timeout=timeout,
    )
    try:
        yield
    finally:
        dist.destroy_process_group()


def held_by(
    number: int, *, watchdog: bool = True, ranks_patience_s: float | None = None
) -> AbstractContextManager[Lease]:
    """Return the lease of one of two ranks."""
    return hold(
        os.environ["JOB_RELEASE"],
        job=f"run-rank-{number}",
        model="small",
        ttl_s=float(os.environ["JOB_TTL"]),
        state_folder=FOLDER / f"state-{number}",
        watchdog=watchdog,
        ranks_patience_s=ranks_patience_s,
    )


def rank(what: str, number: int) -> None:
    """Train as one of two ranks; the ranks agree on every step."""
    with held_by(number) as lease:
        if what.startswith("alone"):
            alone(lease, number)
        elif what.startswith("once"):
            one_pass(lease, f"-{number}")
        else:
            train(lease, mark=f"-{number}")


def main() -> None:
    """Run a job."""
    what, watchdog = sys.argv[1], os.environ.get("JOB_WATCHDOG", "yes") == "yes"
    number = int(what[-1]) if what.startswith(("alone", "rank", "once")) else None
    torch.set_num_threads(1)
    try:
        if number is not None:
            with one_of_two(number):
                rank(what, number)
            return
        with hold(
            os.environ["JOB_RELEASE"],
            job="run",
            model="small",
            ttl_s=float(os.environ["JOB_TTL"]),
            state_folder=FOLDER / "state",
            watchdog=watchdog,
        ) as lease:
            place = ModelCheckpoints(LocalFolder(FOLDER / "models"), lease) if what == "checkpoints" else None
            train(lease, how=what, checkpoints=place)
    except ConsentryError as error:
        note("ended" if number is None else f"ended-{number}", error.code)  # ranks end at the same time
        sys.exit(75)


if __name__ == "__main__":
    main()
