"""A Hugging Face Trainer on a GPU, in half the precision too. A machine without one skips all of this."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from consentry.errors import LeaseOverError
from consentry.training.model_checkpoints import LocalFolder, ModelCheckpoints
from consentry.training.torch import ReleaseDataset
from consentry.training.transformers import ModelCheckpointCallback, load_rows
from skips import NO_GPU
from train.released import text_column
from train.small_models import encode_for_trainer
from train.test_trainer import After, Steps, before, held, trainer
from train.test_trainer import plane as plane  # noqa: PLC0414 - a fixture
from train.test_trainer import pytestmark as of_a_trainer
from train.test_trainer import url as url  # noqa: PLC0414 - a fixture
from train.test_trainer_going_on import Losses
from training.small_server import SmallPlane
from training.test_client import over_within

pytestmark = [pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU), *of_a_trainer]
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what matrix products need to be the same each time

PRECISIONS: dict[str, dict[str, Any]] = {"fp32": {}, "bf16": {"bf16": True}, "fp16": {"fp16": True}}


@pytest.fixture
def the_same_each_time() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_order_stops_it_before_the_next_step(
    plane: SmallPlane, url: str, tmp_path: Path, precision: str, workers: int
) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)

        def happen() -> None:
            plane.revoke()
            over_within(lease)

        training: Any
        weights: list[list[torch.Tensor]] = []
        steps = Steps(6, happen)
        keep = After(5, lambda: weights.append(before(training.model)))
        training = trainer(
            lease,
            dataset,
            tmp_path,
            steps,
            keep,
            use_cpu=False,
            dataloader_num_workers=workers,
            **PRECISIONS[precision],
        )
        first = before(training.model)
        with pytest.raises(LeaseOverError, match=r"lease-revoked"):
            training.train()
        after = before(training.model)
    assert steps.taken == 5
    assert all(each.is_cuda for each in after)
    assert all(map(torch.equal, weights[0], after)), "nothing was learned from what came after the order"
    assert not all(torch.equal(old.cuda(), new) for old, new in zip(first, after, strict=True))
    assert len(plane.consumed()) == 5 * 2 * 4


def losses_of_a_whole_run_and_of_a_resumed_one(url: str, tmp_path: Path, precision: str) -> list[dict[int, float]]:
    models, kept = LocalFolder(tmp_path / "models"), tmp_path / "models" / "step-4"
    found = []
    for number in range(2):
        with held(url, tmp_path) as lease:
            dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
            losses = Losses()
            several: list[Any] = [losses]
            if number == 0:
                several.append(ModelCheckpointCallback(ModelCheckpoints(models, lease), dataset, every=4))
            else:
                load_rows(kept, dataset)
            every_step: dict[str, Any] = {"logging_strategy": "steps", "logging_steps": 1, "max_steps": 7}
            training = trainer(lease, dataset, tmp_path, *several, use_cpu=False, **every_step, **PRECISIONS[precision])
            training.train(resume_from_checkpoint=str(kept) if number else None)
            found.append({step: loss for step, loss in losses.of.items() if step > 4})
    assert (kept / "scaler.pt").exists() is (precision == "fp16")
    return found


@pytest.mark.usefixtures("the_same_each_time")
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_run_that_was_interrupted_learns_what_a_whole_one_does(url: str, tmp_path: Path, precision: str) -> None:
    """Dropout included. Of the algorithms of a GPU those that are the same each time, which PyTorch has to be told."""
    whole, resumed = losses_of_a_whole_run_and_of_a_resumed_one(url, tmp_path, precision)
    assert len(whole) == 3
    assert resumed == whole


@pytest.mark.parametrize("precision", PRECISIONS)
def test_with_what_pytorch_takes_by_itself_it_is_nearly_the_same(
    url: str, tmp_path: Path, record_property: Any, precision: str
) -> None:
    whole, resumed = losses_of_a_whole_run_and_of_a_resumed_one(url, tmp_path, precision)
    record_property("away from the loss of a whole run", max(abs(whole[step] - resumed[step]) for step in whole))
    assert resumed == pytest.approx(whole, rel=0.01)
