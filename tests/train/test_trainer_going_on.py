"""A Trainer that goes on from a model checkpoint, one whose model is in parts, and an amendment within a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from accelerate.state import PartialState
from accelerate.utils import DistributedType
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, ShardingStrategy, fully_shard
from transformers import TrainerCallback

from consentry.errors import StateError
from consentry.training.model_checkpoints import LocalFolder, ModelCheckpoints
from consentry.training.torch import ROW, ReleaseDataset
from consentry.training.transformers import ModelCheckpointCallback, load_rows
from train.released import text_column
from train.small_models import encode_for_trainer
from train.test_trainer import held, pytestmark, trainer
from train.test_trainer import plane as plane  # noqa: PLC0414 - a fixture
from train.test_trainer import url as url  # noqa: PLC0414 - a fixture
from training.small_server import SmallPlane
from training.test_client import within

__all__ = ["pytestmark"]


class Losses(TrainerCallback):  # type: ignore[misc]
    """Keeps the loss of each step, as it was logged."""

    def __init__(self) -> None:
        self.of: dict[int, float] = {}

    def on_log(self, _args: Any, state: Any, *_: Any, **kwargs: Any) -> None:
        if "loss" in kwargs["logs"]:
            self.of[state.global_step] = kwargs["logs"]["loss"]


def test_a_run_that_was_interrupted_learns_what_a_whole_one_does(url: str, tmp_path: Path) -> None:
    """With dropout: the model of the tests has it, as GPT-2 does."""
    models = LocalFolder(tmp_path / "models")
    kept, losses = tmp_path / "models" / "step-4", (Losses(), Losses(), Losses())
    for number, each in enumerate(losses):
        with held(url, tmp_path) as lease:
            dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
            resume: dict[str, Any] = {}
            several: list[TrainerCallback] = [each]
            if number == 0:
                several.append(ModelCheckpointCallback(ModelCheckpoints(models, lease), dataset, every=4))
            else:
                load_rows(kept, dataset)
                resume = {"resume_from_checkpoint": str(kept)}
            if number == 2:
                (kept / "rng_state.pth").unlink()
            every_step: dict[str, Any] = {"logging_strategy": "steps", "logging_steps": 1}
            trainer(lease, dataset, tmp_path, *several, max_steps=7, **every_step).train(**resume)
    whole, resumed, otherwise = (each.of for each in losses)
    assert resumed == {step: loss for step, loss in whole.items() if step > 4}
    assert otherwise.keys() == resumed.keys()
    assert otherwise != resumed, "a control: without the state of the random numbers it is another dropout"


def test_a_run_with_fp16_goes_on_with_the_scale_that_its_gradients_had(url: str, tmp_path: Path) -> None:
    """For a GPU Accelerate makes a scaler; for processors there is the same one, and nobody makes it."""
    kept = tmp_path / "models" / "step-4"
    scales = []
    for number in range(2):
        with held(url, tmp_path) as lease:
            dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
            keep = ModelCheckpointCallback(ModelCheckpoints(LocalFolder(tmp_path / "models"), lease), dataset, every=4)
            if number == 1:
                load_rows(kept, dataset)
            training = trainer(lease, dataset, tmp_path, keep, max_steps=4 + number)
            training.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=8, growth_interval=2)
            training.train(resume_from_checkpoint=str(kept) if number else None)
            scales.append(training.accelerator.scaler.get_scale())
    assert scales == [32, 32], "doubled after two steps, and again after four"


@pytest.mark.parametrize("how", ["by name", "by its weights", "by what wraps it"])
def test_a_model_in_parts_is_not_kept_by_one_rank(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        keep = ModelCheckpointCallback(ModelCheckpoints(LocalFolder(tmp_path / "models"), lease), dataset, every=1)
        training = trainer(lease, dataset, tmp_path, keep, max_steps=2)
        begin = training.callback_handler.on_train_begin
        if how == "by name":
            # As a launcher of Accelerate leaves it, which does not do FSDP on processors.
            monkeypatch.setitem(PartialState._shared_state, "distributed_type", DistributedType.FSDP)
            with pytest.raises(StateError, match=r"`fsdp`.*trainer-model-in-parts"):
                begin(training.args, training.state, training.control)
        else:
            named = "DTensor" if how == "by its weights" else "FullyShardedDataParallel"
            with alone():
                if how == "by its weights":
                    fully_shard(training.model, mesh=init_device_mesh("cpu", (1,)))
                else:
                    whole = {"device_id": torch.device("cpu"), "sharding_strategy": ShardingStrategy.NO_SHARD}
                    training.callback_handler.model = FullyShardedDataParallel(training.model, **whole)
                with pytest.raises(StateError, match=rf"`{named}`.*trainer-model-in-parts"):
                    begin(training.args, training.state, training.control)


@contextmanager
def alone() -> Iterator[None]:
    """Be the only rank of a group."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield
    finally:
        dist.destroy_process_group()


class Committed(ReleaseDataset):
    """Keeps which rows each step consumed."""

    def commit(self, step: int, rows: Any) -> None:
        self.__dict__.setdefault("steps", []).append({tuple(row) for each in rows for row in each.tolist()})
        super().commit(step, rows)


def test_an_amendment_between_two_micro_batches_reaches_the_next_step(
    plane: SmallPlane, url: str, tmp_path: Path
) -> None:
    with held(url, tmp_path) as lease:
        dataset = Committed(lease, columns=[text_column()], transform=encode_for_trainer)
        order = [tuple(row[ROW].tolist()) for row in dataset]
        known = lease.amendment
        removed = {order[22], *order[24:40:2], *order[56:60]}  # of the step on its way, and of those after it

        def happen() -> None:
            plane.amend({file: [row for each, row in removed if each == file] for file, _ in removed})
            assert within(lambda: lease.amendment == known + 1)

        between = Between(3, happen)
        trainer(lease, dataset, tmp_path, between, max_steps=6, dataloader_num_workers=1).train()
        done = order_of_rest(dataset)
    steps = dataset.steps
    assert between.happened == 1
    assert [len(each) for each in steps] == [8] * 6
    assert steps[2] == set(order[16:24]), "what was asked for before the amendment came is the step on its way"
    later = set.union(*steps[3:])
    assert not later & removed
    assert not done & (later | removed)
    assert plane.consumed() == set.union(*steps)


def order_of_rest(dataset: ReleaseDataset) -> set[tuple[int, int]]:
    """Return the rows that whoever goes on from here reads."""
    return {tuple(row[ROW].tolist()) for row in dataset}


class Between(TrainerCallback):  # type: ignore[misc]
    """Has something happen between the two micro-batches of a step."""

    def __init__(self, at: int, happen: Any) -> None:
        self._at, self._happen, self.happened = at, happen, 0

    def on_substep_end(self, _args: Any, state: Any, *_: Any, **__: Any) -> None:
        if state.global_step + 1 == self._at:
            self._happen()
            self.happened += 1
