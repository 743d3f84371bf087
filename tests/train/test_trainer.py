"""A Hugging Face Trainer on a release: no step after the lease has turned, and every step's rows are logged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import Trainer, TrainerCallback, TrainingArguments, default_data_collator

from consentry.errors import LeaseOverError, StateError
from consentry.training.client import Lease, hold
from consentry.training.torch import ROW, ReleaseDataset
from consentry.training.transformers import LeaseCallback, ReleaseTrainer, RowCollator
from train.released import make, small_plane, text_column
from train.small_models import encode_for_trainer, tiny_gpt
from training.small_server import CREDENTIAL, SmallPlane, serving
from training.test_client import over_within

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> SmallPlane:
    return small_plane(make(tmp_path_factory.mktemp("released")))


@pytest.fixture
def url(plane: SmallPlane) -> Iterator[str]:
    plane.leases.clear()
    with serving(plane) as address:
        yield address


class Steps(TrainerCallback):  # type: ignore[misc]
    """Counts what the optimiser did, and has something happen before a step."""

    def __init__(self, at: int, happen: Any) -> None:
        self.taken, self._at, self._happen = 0, at, happen

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step + 1 == self._at:
            self._happen()

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.taken += 1


def trainer(
    lease: Lease,
    dataset: ReleaseDataset,
    folder: Path,
    *others: Any,
    kind: type[Trainer] = ReleaseTrainer,
    eval_dataset: Any = None,
    **arguments: Any,
) -> Trainer:
    fixed: dict[str, Any] = {
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "max_steps": 12,
        "report_to": [],
        "disable_tqdm": True,
        "use_cpu": True,
        "save_strategy": "no",
        "logging_strategy": "no",
        "remove_unused_columns": False,
        "ignore_data_skip": True,
    }
    return kind(
        model=tiny_gpt(),
        args=TrainingArguments(**{**fixed, **arguments}),
        train_dataset=dataset,
        eval_dataset=eval_dataset,
        data_collator=RowCollator(default_data_collator),
        callbacks=[LeaseCallback(lease, dataset), *others],
    )


def held(url: str, tmp_path: Path) -> Any:
    return hold(
        "r", job="j", model="m", url=url, credential=CREDENTIAL, state_folder=tmp_path / "state", watchdog=False
    )


@pytest.mark.parametrize(("kind", "workers"), [(ReleaseTrainer, 0), (ReleaseTrainer, 2), (Trainer, 2)])
def test_every_step_is_logged_and_nothing_that_was_only_loaded(
    plane: SmallPlane, url: str, tmp_path: Path, kind: type[Trainer], workers: int
) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        trainer(lease, dataset, tmp_path, kind=kind, dataloader_num_workers=workers).train()
    assert len(plane.consumed()) == 12 * 2 * 4
    assert plane.lease().ends == [{"how": "released", "step": 12}]


def test_an_order_stops_it_before_the_next_step(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)

        def happen() -> None:
            plane.revoke()
            over_within(lease)

        steps = Steps(6, happen)
        with pytest.raises(LeaseOverError, match=r"lease-revoked"):
            trainer(lease, dataset, tmp_path, steps).train()
        assert steps.taken == 5
        state = dataset.state_dict()
    trained = plane.consumed()
    assert len(trained) == 5 * 2 * 4
    with held(url, tmp_path) as lease:  # a new lease goes on where it stopped
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        dataset.load_state_dict(state)
        trainer(lease, dataset, tmp_path, max_steps=3).train()
        rows = [row for each in plane.lease().consumed.values() for row in each["ranges"]]
    again = {(file, row) for file, first, end in rows for row in range(first, end)}
    assert not again & trained


def test_an_evaluation_is_not_what_was_trained_on(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        test_set = [row for row, _ in zip(dataset, range(8), strict=False)]
        when: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 1}
        trainer(lease, dataset, tmp_path, max_steps=2, eval_dataset=test_set, **when).train()
    assert len(plane.consumed()) == 2 * 2 * 4


def test_a_trainer_that_keeps_its_own_model_checkpoints_is_refused(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        with pytest.raises(StateError, match=r"trainer-saves"):
            trainer(lease, dataset, tmp_path, save_strategy="steps", save_steps=1, max_steps=2).train()
    assert not list((tmp_path / "out").glob("checkpoint-*"))
    assert plane.consumed() == set()


def test_a_step_that_says_nothing_of_its_rows_is_refused(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    def silent(features: list[dict[str, Any]]) -> Any:
        return default_data_collator([{name: each[name] for name in each if name != ROW} for each in features])

    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        training = trainer(lease, dataset, tmp_path, max_steps=2)
        training.data_collator = silent
        with pytest.raises(StateError, match=r"trainer-rows-missing"):
            training.train()
    assert all(each["ranges"] for each in plane.lease().consumed.values())
