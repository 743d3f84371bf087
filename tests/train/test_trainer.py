"""A Hugging Face Trainer on a release: no step after the lease has turned, and every step's rows are logged."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from accelerate.state import PartialState
from accelerate.utils import DistributedType
from transformers import GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments, default_data_collator
from transformers.trainer_pt_utils import LayerWiseDummyOptimizer

from consentry.errors import InputError, LeaseOverError, StateError
from consentry.training.client import Lease, hold
from consentry.training.model_checkpoints import LocalFolder, ModelCheckpoints
from consentry.training.torch import ROW, ReleaseDataset
from consentry.training.transformers import (
    LeaseCallback,
    ModelCheckpointCallback,
    ReleaseTrainer,
    RowCollator,
    load_rows,
)
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
    assert len(again) == 3 * 2 * 4
    assert not again & trained


def test_a_model_goes_on_under_a_new_lease_after_its_training_was_stopped(
    plane: SmallPlane, url: str, tmp_path: Path
) -> None:
    """A Trainer that ends by an exception says nothing at its end: what it put on the model is still there."""
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)

        def happen() -> None:
            plane.revoke()
            over_within(lease)

        stopped = trainer(lease, dataset, tmp_path, Steps(2, happen))
        with pytest.raises(LeaseOverError, match=r"lease-revoked"):
            stopped.train()
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer, seed=1)
        again = trainer(lease, dataset, tmp_path, max_steps=3)
        again.model = again.model_wrapped = again.callback_handler.model = stopped.model
        again.train()
    rows = [row for each in plane.lease().consumed.values() for row in each["ranges"]]
    assert sum(end - first for _, first, end in rows) == 3 * 2 * 4
    assert not stopped.model._forward_pre_hooks


@pytest.mark.parametrize("of_a_release", [True, False])
def test_an_evaluation_is_not_what_was_trained_on(
    plane: SmallPlane, url: str, tmp_path: Path, of_a_release: bool
) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        test_set = [row for row, _ in zip(dataset, range(8), strict=False)]
        if not of_a_release:
            test_set = [{name: row[name] for name in row if name != ROW} for row in test_set]
        when: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 1}
        trainer(lease, dataset, tmp_path, max_steps=2, eval_dataset=test_set, **when).train()
    assert len(plane.consumed()) == 2 * 2 * 4


class Predictions(TrainerCallback):  # type: ignore[misc]
    """Counts the batches that a model was evaluated on, and has something happen at the first."""

    def __init__(self, happen: Any) -> None:
        self.seen, self._happen = 0, happen

    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.seen += 1
        if self.seen == 1:
            self._happen()


@pytest.mark.parametrize("most", [4, 2])
def test_an_order_stops_it_within_an_evaluation(plane: SmallPlane, url: str, tmp_path: Path, most: int) -> None:
    """Between two steps, and after the last one, where no other look at the lease follows."""
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        test_set = [row for row, _ in zip(dataset, range(8), strict=False)]

        def happen() -> None:
            plane.revoke()
            over_within(lease)

        steps, predictions = Steps(0, None), Predictions(happen)
        when: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 2, "per_device_eval_batch_size": 2}
        training = trainer(lease, dataset, tmp_path, steps, max_steps=most, eval_dataset=test_set, **when)
        training.callback_handler.callbacks.insert(0, predictions)  # before that of the lease
        with pytest.raises(LeaseOverError, match=r"lease-revoked"):
            training.train()
    assert (steps.taken, predictions.seen) == (2, 1)


def test_a_trainer_that_keeps_its_own_model_checkpoints_is_refused(plane: SmallPlane, url: str, tmp_path: Path) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        with pytest.raises(StateError, match=r"trainer-saves"):
            trainer(lease, dataset, tmp_path, save_strategy="steps", save_steps=1, max_steps=2).train()
    assert not list((tmp_path / "out").glob("checkpoint-*"))
    assert plane.consumed() == set()


def before(model: Any) -> list[torch.Tensor]:
    return [each.detach().clone() for each in model.parameters()]


def lomo(model: Any) -> torch.optim.Optimizer:
    """Return an optimiser by whose module Accelerate knows that it steps within the backward pass."""
    kind = type("AdaLomo", (torch.optim.SGD,), {"__module__": "lomo_optim.adalomo"})
    return cast("torch.optim.Optimizer", kind(model.parameters(), lr=0.1))


def layer_by_layer(model: Any) -> torch.optim.Optimizer:
    return LayerWiseDummyOptimizer(optimizer_dict=dict.fromkeys(model.parameters()))


@pytest.mark.parametrize(
    ("named", "optimizer", "said"),
    [
        ("lomo", lambda model: torch.optim.SGD(model.parameters(), lr=0.1), "lomo"),
        ("adalomo", lambda model: torch.optim.SGD(model.parameters(), lr=0.1), "adalomo"),
        ("galore_adamw_layerwise", layer_by_layer, "galore_adamw_layerwise"),
        ("adamw_torch", lomo, "AdaLomo"),
        ("adamw_torch", layer_by_layer, "LayerWiseDummyOptimizer"),
    ],
)
def test_an_optimiser_that_steps_within_the_backward_pass_is_refused(
    plane: SmallPlane, url: str, tmp_path: Path, named: str, optimizer: Any, said: str
) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        training = trainer(lease, dataset, tmp_path, optim=named, max_steps=2, gradient_accumulation_steps=1)
        training.optimizer = optimizer(training.model)  # theirs need packages that are not here
        weights = before(training.model)
        with pytest.raises(StateError, match=rf"`{said}`.*trainer-steps-early"):
            training.train()
        assert all(map(torch.equal, weights, before(training.model)))
    assert plane.consumed() == set()


@pytest.mark.parametrize("together", [DistributedType.DEEPSPEED, DistributedType.MEGATRON_LM])
def test_what_trains_on_several_devices_and_steps_within_the_backward_pass_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: DistributedType
) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        training = trainer(lease, dataset, tmp_path, max_steps=2)
        # As a launcher of Accelerate leaves it. The Trainer learns of it there as well.
        monkeypatch.setitem(PartialState._shared_state, "distributed_type", together)
        with pytest.raises(StateError, match=rf"`{together.value.lower()}`.*trainer-steps-early"):
            training.callback_handler.on_train_begin(training.args, training.state, training.control)


def test_the_trainer_that_is_installed_asks_before_the_only_place_where_it_steps() -> None:
    """Also with FSDP, which Accelerate does not do on processors: there is one loop for all that are not refused."""
    lines = [line.strip() for line in inspect.getsource(Trainer).splitlines()]
    (step,) = [number for number, line in enumerate(lines) if "optimizer.step(" in line]
    assert "on_pre_optimizer_step(" in lines[step - 1]


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


class Beginning(TrainerCallback):  # type: ignore[misc]
    """Keeps what a training begins with."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.step = state.global_step
        self.weights = {name: each.clone() for name, each in kwargs["model"].state_dict().items()}
        self.moments = len(kwargs["optimizer"].state_dict()["state"])


class After(TrainerCallback):  # type: ignore[misc]
    """Has something happen when a step was taken."""

    def __init__(self, at: int, happen: Any) -> None:
        self._at, self._happen = at, happen

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == self._at:
            self._happen()


def test_a_trainer_keeps_model_checkpoints_behind_the_fence_and_goes_on_from_one(
    plane: SmallPlane, url: str, tmp_path: Path
) -> None:
    models = LocalFolder(tmp_path / "models")
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        keep = ModelCheckpointCallback(ModelCheckpoints(models, lease), dataset, every=4)
        trainer(lease, dataset, tmp_path, keep, max_steps=10).train()
    kept = tmp_path / "models" / "step-8"
    assert sorted(path.name for path in (tmp_path / "models").glob("step-*")) == ["step-4", "step-8"]
    assert json.loads((kept / "consentry.json").read_bytes())["step"] == 8
    first = plane.lease().consumed
    before = {(file, row) for each in first.values() for file, s, e in each["ranges"] for row in range(s, e)}
    assert len(before) == 10 * 2 * 4

    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        load_rows(kept, dataset)
        beginning, steps = Beginning(), Steps(0, None)
        trainer(lease, dataset, tmp_path, beginning, steps, max_steps=12).train(resume_from_checkpoint=str(kept))
    saved = GPT2LMHeadModel.from_pretrained(kept).state_dict()
    assert (beginning.step, steps.taken) == (8, 4)
    assert beginning.moments == len(list(GPT2LMHeadModel.from_pretrained(kept).parameters()))
    assert all(torch.equal(beginning.weights[name], each) for name, each in saved.items())
    rows = [row for each in plane.lease().consumed.values() for row in each["ranges"]]
    after = {(file, row) for file, first_row, end in rows for row in range(first_row, end)}
    assert len(after) == 4 * 2 * 4
    assert len(after & before) == 2 * 2 * 4, "those of steps 9 and 10, which the model checkpoint knows nothing of"


def test_a_model_checkpoint_of_a_trainer_that_comes_too_late_is_kept_from_everybody(
    plane: SmallPlane, url: str, tmp_path: Path
) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        keep = ModelCheckpointCallback(
            ModelCheckpoints(LocalFolder(tmp_path / "models"), lease), dataset, every=2, name="run"
        )

        def happen() -> None:
            plane.revoke()
            over_within(lease)

        with pytest.raises(LeaseOverError, match=r"lease-revoked"):
            trainer(lease, dataset, tmp_path, After(4, happen), keep).train()
    assert [path.name for path in (tmp_path / "models").glob("run-*")] == ["run-2"]
    (late,) = (tmp_path / "models" / "quarantine").iterdir()
    assert late.name.startswith("run-4-")
    assert (late / "model.safetensors").exists()


def test_what_is_no_model_checkpoint_of_a_trainer_is_refused(url: str, tmp_path: Path) -> None:
    with held(url, tmp_path) as lease:
        dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
        with pytest.raises(InputError, match=r"checkpoint-no-rows"):
            load_rows(tmp_path, dataset)
        with pytest.raises(InputError, match=r"checkpoint-every"):
            ModelCheckpointCallback(ModelCheckpoints(LocalFolder(tmp_path / "models"), lease), dataset, every=0)
