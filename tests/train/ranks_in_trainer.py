"""One rank of a Trainer, as torchrun starts it. What it did is in files of JOB_FOLDER.

python -m torch.distributed.run --standalone --nproc-per-node 2 -m train.ranks_in_trainer
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainingArguments, default_data_collator

from consentry.errors import ConsentryError, LeaseOverError
from consentry.training.client import Lease, hold
from consentry.training.model_checkpoints import LocalFolder, ModelCheckpoints
from consentry.training.torch import ReleaseDataset
from consentry.training.transformers import LeaseCallback, ModelCheckpointCallback, ReleaseTrainer, RowCollator
from train.jobs_in_torch import DEVICE, FOLDER, StepTimes, note
from train.small_models import encode_for_trainer, tiny_gpt

BATCH, MICRO_BATCHES = 2, 2
PAUSE_S = 0.1


class Times(TrainerCallback):  # type: ignore[misc]
    """Writes down when each step was checked and taken. It comes before what checks."""

    def __init__(self, lease: Lease, number: int) -> None:
        self._times = StepTimes(lease, f"-{number}")

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        self._times.checks()

    def on_optimizer_step(self, _args: Any, state: Any, *_: Any, **__: Any) -> None:
        self._times.taken(state.global_step + 1)


class Notes(TrainerCallback):  # type: ignore[misc]
    """Says which step was taken."""

    def __init__(self, number: int) -> None:
        self._number = number

    def on_optimizer_step(self, _args: Any, state: Any, *_: Any, **__: Any) -> None:
        note(f"step-{self._number}", {"step": state.global_step + 1, "at": time.monotonic()})
        time.sleep(PAUSE_S)


def train(lease: Lease, arguments: TrainingArguments) -> None:
    """Train until something raises."""
    dataset = ReleaseDataset(lease, columns=[os.environ["JOB_COLUMN"]], transform=encode_for_trainer)
    number = arguments.process_index
    kind = Trainer if os.environ["JOB_TRAINER"] == "bare" else ReleaseTrainer
    kept: list[TrainerCallback] = []
    if os.environ["JOB_TRAINER"] == "keeping":
        models = ModelCheckpoints(LocalFolder(FOLDER / f"models-{number}"), lease)
        kept.append(ModelCheckpointCallback(models, dataset, every=2))
        arguments.max_steps = 2
    kind(
        model=tiny_gpt(),
        args=arguments,
        train_dataset=dataset,
        data_collator=RowCollator(default_data_collator),
        callbacks=[Times(lease, number), LeaseCallback(lease, dataset), Notes(number), *kept],
    ).train()


def main() -> None:
    """Be a rank."""
    torch.set_num_threads(1)
    if DEVICE != "cpu":
        os.environ["LOCAL_RANK"] = "0"  # all ranks share the first GPU
    arguments = TrainingArguments(
        output_dir=str(FOLDER / "out"),
        per_device_train_batch_size=BATCH,
        gradient_accumulation_steps=MICRO_BATCHES,
        max_steps=100_000,
        dataloader_num_workers=1,
        report_to=[],
        disable_tqdm=True,
        use_cpu=DEVICE == "cpu",
        ddp_backend="gloo",
        save_strategy="no",
        logging_strategy="no",
        remove_unused_columns=False,
        ignore_data_skip=True,
    )
    number = arguments.process_index
    try:
        with hold(
            os.environ["JOB_RELEASE"],
            job=f"run-rank-{number}",
            model="small",
            ttl_s=float(os.environ["JOB_TTL"]),
            state_folder=FOLDER / f"state-{number}",
        ) as lease:
            try:
                train(lease, arguments)
            except LeaseOverError as error:
                note(f"stopped-{number}", {"code": error.code, "at": time.monotonic()})
                raise
    except ConsentryError as error:
        note(f"ended-{number}", error.code)
        sys.exit(75)


if __name__ == "__main__":
    main()
