"""One of two ranks that train one model in DistributedDataParallel, and keep model checkpoints. It goes on for ever.

python -m train.ranks_in_ddp NUMBER

When its lease is over it tries to keep one more, and says what came of that. The group's own time is half an hour, as
it is where nobody says anything else.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta

import torch
from torch.nn.parallel import DistributedDataParallel

from consentry.errors import ConsentryError, LeaseOverError
from consentry.training.client import Lease
from consentry.training.model_checkpoints import LocalFolder, ModelCheckpoints
from consentry.training.torch import ROW, ReleaseDataset
from consentry.training.torch_loader import ReleaseLoader
from consentry.training.torch_ranks import check_together
from train.jobs_in_torch import FOLDER, StepTimes, held_by, note, one_of_two
from train.small_models import ByteModel, Descent, encode

PAUSE_S, BATCH = float(os.environ.get("JOB_PAUSE", "0.01")), int(os.environ.get("JOB_BATCH", "4"))
EVERY = 4
"""A model checkpoint is kept each time so many steps were taken."""


def keep(checkpoints: ModelCheckpoints, name: str, model: DistributedDataParallel, *, step: int) -> None:
    """Keep the weights."""
    with checkpoints.writing(name, step=step) as folder:
        torch.save(model.module.state_dict(), folder / "model.pt")


def train(lease: Lease, checkpoints: ModelCheckpoints, model: DistributedDataParallel, *, mark: str) -> None:
    """Train until something raises. The gradients of both ranks are joined in the backward pass."""
    dataset = ReleaseDataset(lease, columns=[os.environ["JOB_COLUMN"]], transform=encode)
    optimizer, times, step = Descent(model), StepTimes(lease, mark), 0
    while True:
        for batch in ReleaseLoader(dataset, batch_size=BATCH):
            model(batch["ids"]).backward()
            times.checks()
            check_together(lease, step + 1)
            optimizer.step()
            step += 1
            times.taken(step)
            optimizer.zero_grad()
            dataset.commit(step, batch[ROW])
            (first, *_) = [each.detach().double().sum().item() for each in model.parameters()]
            note(f"step{mark}", {"step": step, "at": time.monotonic(), "epoch": dataset.epoch, "weights": first})
            if step % EVERY == 0:
                keep(checkpoints, f"step-{step}", model, step=step)
            time.sleep(PAUSE_S)
        dataset.set_epoch(dataset.epoch + 1)


def stopping(lease: Lease, *, mark: str) -> None:
    """Train; when the lease is over, try to keep a model checkpoint all the same."""
    torch.manual_seed(0)
    model = DistributedDataParallel(ByteModel())
    checkpoints = ModelCheckpoints(LocalFolder(FOLDER / f"models{mark}"), lease)
    try:
        train(lease, checkpoints, model, mark=mark)
    except LeaseOverError as error:
        note(f"stopped{mark}", {"code": error.code, "at": time.monotonic()})
        if lease.is_over():  # that of this rank: it may be that of the other one alone
            try:
                keep(checkpoints, "late", model, step=1_000_000)
            except ConsentryError as refused:
                note(f"late{mark}", refused.code)
        raise


def main() -> None:
    """Be a rank."""
    number = int(sys.argv[1])
    torch.set_num_threads(1)
    try:
        with one_of_two(number, timeout=timedelta(minutes=30)), held_by(number) as lease:
            stopping(lease, mark=f"-{number}")
    except ConsentryError as error:
        note(f"ended-{number}", error.code)
        sys.exit(75)


if __name__ == "__main__":
    main()
