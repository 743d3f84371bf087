"""A lease in a Hugging Face Trainer: it raises before the optimiser steps, and logs what the step consumed.

A flag such as `should_training_stop` lets one more step through; an exception does not. Identities of rows travel in
the batch, because a Trainer reads batches ahead: the collator puts them there, and a hook takes them out before the
model sees them.

Use `remove_unused_columns=False`, and for a resumed job `ignore_data_skip=True` with the state of the dataset. Take a
`ReleaseTrainer`, which leaves out what was removed from the release while it waited in a loader. Where there are
several ranks, a bare Trainer would deal out what rank 0 reads, and is refused.

What steps while gradients are still being computed is refused too: DeepSpeed, Megatron-LM, LOMO and the optimisers that
work layer by layer have changed the weights before a Trainer says that a step is next. FSDP has not: there a Trainer
calls `on_pre_optimizer_step`, and then the optimiser. But `ModelCheckpointCallback` has one rank write, which holds
a part of the weights there, and waits for the others when it asks for theirs: it refuses a model in parts.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
import torch.distributed as dist
from accelerate.state import AcceleratorState
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.tensor import DTensor
from transformers import Trainer, TrainerCallback
from transformers.trainer_pt_utils import LayerWiseDummyOptimizer
from transformers.training_args import ParallelMode

from consentry.errors import InputError, StateError
from consentry.exhausted import require_room
from consentry.training.client import Lease
from consentry.training.model_checkpoints import ModelCheckpoints
from consentry.training.torch import ROW, ReleaseDataset, state_of_all_ranks
from consentry.training.torch_loader import ReleaseLoader
from consentry.training.torch_ranks import check_together, number_of_ranks

_STEP_EARLY_TOGETHER = ("deepspeed", "megatron_lm")
"""Ways of Accelerate to train on several devices."""
_STEP_EARLY_MODULES = ("lomo_optim", "deepspeed")
_hooks: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()
"""The hook of each model. A Trainer that ends by an exception, as it does by a lease, says nothing at its end."""
ROWS_FILE = "rows.json"
"""Of a model checkpoint: which rows were committed."""


class RowCollator:
    """Collates as another collator does, and keeps the identities of the rows."""

    def __init__(self, collate: Callable[[list[dict[str, Any]]], Any]) -> None:
        self._collate = collate

    def __call__(self, features: list[dict[str, Any]]) -> Any:
        """Return the batch of the other collator with the identities under ROW, if the rows are those of a release."""
        bare = [{name: value for name, value in feature.items() if name != ROW} for feature in features]
        batch = self._collate(bare)
        if any(ROW in feature for feature in features):  # none is in what a model is only evaluated on
            batch[ROW] = torch.stack([feature[ROW] for feature in features])
        return batch


class ReleaseTrainer(Trainer):  # type: ignore[misc]  # transformers is not in the environment of mypy
    """A Trainer whose training dataset is a `ReleaseDataset`, which gives each rank rows of its own."""

    def get_train_dataloader(self) -> ReleaseLoader:
        """Return a loader that the Trainer does not deal out once more."""
        args = self.args
        return ReleaseLoader(
            self.train_dataset,
            batch_size=self._train_batch_size,
            collate_fn=self.data_collator,
            num_workers=args.dataloader_num_workers,
            prefetch_factor=args.dataloader_prefetch_factor,
            persistent_workers=args.dataloader_persistent_workers,
            pin_memory=args.dataloader_pin_memory,
            drop_last=args.dataloader_drop_last,
        )

    def _prepare_inputs(self, inputs: Any) -> Any:
        """Return a batch on the device of the model, but for the identities of its rows: nobody needs them there."""
        rows = inputs.pop(ROW, None)
        prepared = super()._prepare_inputs(inputs)
        if rows is not None:
            prepared[ROW] = rows
        return prepared


class LeaseCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not in the environment of mypy
    """Stops a Trainer when the lease is over: every rank at the same step."""

    def __init__(self, lease: Lease, dataset: ReleaseDataset) -> None:
        self._lease = lease
        self._dataset = dataset
        self._rows: list[Any] = []

    def on_train_begin(self, args: Any, state: Any, *_: Any, **kwargs: Any) -> None:
        """Look before anything is read, and put the hook in place.

        Raises:
            StateError: the Trainer would keep model checkpoints itself, past the fence, and known to nobody; there are
                several ranks, and it would deal out to all of them what one reads; or it steps while it computes
                gradients, before anybody looks at the lease.
        """
        _require_steps_apart(args, kwargs.get("optimizer"))
        if str(getattr(args.save_strategy, "value", args.save_strategy)) != "no":
            raise StateError(
                "trainer-saves",
                "the Trainer would keep model checkpoints past the fence of the lease",
                help='set save_strategy="no" and keep them with ModelCheckpoints',
            )
        if args.world_size > 1 and not isinstance(kwargs.get("train_dataloader"), ReleaseLoader):
            raise StateError(
                "trainer-deals-out",
                "the Trainer would deal out to all ranks what one of them reads",
                help="train with ReleaseTrainer",
            )
        check_together(self._lease, state.global_step)
        self._rows.clear()
        model = kwargs["model"]
        _remove_hook(model)  # of a training that was stopped: it would take the rows first, and keep them to itself
        _hooks[model] = model.register_forward_pre_hook(self._take_rows, with_kwargs=True)

    def on_pre_optimizer_step(self, _args: Any, state: Any, *_: Any, **__: Any) -> None:
        """Raise LeaseOverError if the lease is over."""
        check_together(self._lease, state.global_step + 1)

    def on_optimizer_step(self, _args: Any, state: Any, *_: Any, **__: Any) -> None:
        """Log what the step consumed, over all its micro-batches.

        Raises:
            StateError: no batch said which rows it holds: what was learned from would be known to nobody.
        """
        rows, self._rows = self._rows, []
        if not rows:
            raise StateError(
                "trainer-rows-missing",
                "no batch of this step says which rows of the release it holds",
                help="collate with RowCollator, and set remove_unused_columns=False",
            )
        self._dataset.commit(state.global_step + 1, rows)

    def on_prediction_step(self, *_: Any, **__: Any) -> None:
        """Raise LeaseOverError in an evaluation as well; its watchdog keeps ranks that wait for each other."""
        self._lease.check()

    def on_train_end(self, *_: Any, **kwargs: Any) -> None:
        """Remove the hook."""
        _remove_hook(kwargs["model"])

    def _take_rows(self, model: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        rows = kwargs.get(ROW)
        if rows is not None and model.training:
            self._rows.append(rows)
        return args, {name: value for name, value in kwargs.items() if name != ROW}


def _remove_hook(model: Any) -> None:
    hook = _hooks.pop(model, None)
    if hook is not None:
        hook.remove()


class ModelCheckpointCallback(TrainerCallback):  # type: ignore[misc]  # transformers is not in the environment of mypy
    """Keeps model checkpoints of a Trainer behind the fence of the lease, in the form that a Trainer goes on from.

    One holds the model, optimiser, scheduler, with fp16 the scale of the gradients, the state of the Trainer, that of
    the random numbers of each rank, and in `rows.json` which rows were committed. Of several ranks, each of which has
    all weights, the first writes. What may not be kept raises, and goes to quarantine (`ModelCheckpoints`).
    """

    def __init__(
        self, checkpoints: ModelCheckpoints, dataset: ReleaseDataset, *, every: int, name: str = "step"
    ) -> None:
        if every < 1:
            raise InputError(
                "checkpoint-every", f"no model checkpoint can be kept every `{every}` steps", help="give 1 or more"
            )
        self._checkpoints, self._dataset, self._every, self._name = checkpoints, dataset, every, name

    def on_train_begin(self, args: Any, *_: Any, **kwargs: Any) -> None:
        """Look whether the rank that writes has all weights.

        Raises:
            StateError: it has a part of them.
        """
        parts = _in_parts(args, kwargs["model"])
        if parts:
            raise StateError(
                "trainer-model-in-parts",
                f"with `{parts}` each rank holds a part of the model, and one of them writes model checkpoints",
                help="train with DDP, or leave ModelCheckpointCallback out and keep what all ranks wrote together with "
                "ModelCheckpoints",
            )

    def on_step_end(self, args: Any, state: Any, *_: Any, **kwargs: Any) -> None:
        """Keep one after every so many steps.

        Raises:
            ConflictError: there is one of this name, or a later lease wrote here.
            LeaseOverError: the lease is over.
        """
        if state.global_step % self._every:
            return
        rows, chances = state_of_all_ranks(self._dataset), _random_of_all_ranks(args)
        if not state.is_world_process_zero:
            return
        with self._checkpoints.writing(f"{self._name}-{state.global_step}", step=state.global_step) as folder:
            kwargs["model"].save_pretrained(folder)
            torch.save(kwargs["optimizer"].state_dict(), folder / "optimizer.pt")
            torch.save(kwargs["lr_scheduler"].state_dict(), folder / "scheduler.pt")
            if (scaler := getattr(kwargs["optimizer"], "scaler", None)) is not None:  # Accelerate's, with fp16
                torch.save(scaler.state_dict(), folder / "scaler.pt")
            state.save_to_json(str(folder / "trainer_state.json"))
            for name, chance in chances.items():
                torch.save(chance, folder / name)
            (folder / ROWS_FILE).write_text(json.dumps(rows))


def _in_parts(args: Any, model: Any) -> str:
    """Return the name of what keeps parts of a model on several ranks, if anything does."""
    if getattr(args, "fsdp", None) or str(getattr(AcceleratorState().distributed_type, "value", "")).lower() == "fsdp":
        return "fsdp"
    # The first FSDP wraps modules, and their parameters look like any others; the second one makes tensors of its own.
    wrapped = (type(each).__name__ for each in model.modules() if isinstance(each, FullyShardedDataParallel))
    return next(wrapped, "") or next(
        (type(each).__name__ for each in model.parameters() if isinstance(each, DTensor)), ""
    )


def _random_of_all_ranks(args: Any) -> dict[str, dict[str, Any]]:
    """Return the state of the random numbers of each rank, by the file in which a Trainer looks for it."""
    own: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "cpu": torch.random.get_rng_state(),
    }
    if torch.cuda.is_available():
        several = args.parallel_mode is ParallelMode.DISTRIBUTED
        own["cuda"] = torch.cuda.random.get_rng_state_all() if several else torch.cuda.random.get_rng_state()
    if number_of_ranks() == 1:
        return {"rng_state.pth": own}
    states: list[dict[str, Any]] = [{} for _ in range(number_of_ranks())]
    dist.all_gather_object(states, own)
    return {f"rng_state_{rank}.pth": state for rank, state in enumerate(states)}


def _require_steps_apart(args: Any, optimizer: Any) -> None:
    early = _steps_early(args, optimizer)
    if early:
        raise StateError(
            "trainer-steps-early",
            f"with `{early}` weights change in the backward pass, before the lease is looked at",
            help="take another optimiser, such as `adamw_torch`, and DDP or FSDP in place of DeepSpeed and Megatron-LM",
        )


def _steps_early(args: Any, optimizer: Any) -> str:
    """Return the name of what steps within `backward`, if anything does."""
    shared = str(getattr(AcceleratorState().distributed_type, "value", "")).lower()
    if shared in _STEP_EARLY_TOGETHER or getattr(args, "deepspeed", None):
        return shared if shared in _STEP_EARLY_TOGETHER else "deepspeed"
    named = str(getattr(args.optim, "value", args.optim))
    if named.endswith(("lomo", "layerwise")):
        return named
    # One that is handed to the Trainer has no name there. Accelerate wraps it.
    kind = type(getattr(optimizer, "optimizer", optimizer))
    given = any(each.__module__.partition(".")[0] in _STEP_EARLY_MODULES for each in kind.__mro__)
    return kind.__name__ if given or issubclass(kind, LayerWiseDummyOptimizer) else ""


def load_rows(folder: Path, dataset: ReleaseDataset) -> None:
    """Have a dataset go on after the rows of a model checkpoint: none of them is read again.

    Raises:
        InputError: they are of another release, or the folder holds no model checkpoint with rows.
    """
    try:
        rows = json.loads((folder / ROWS_FILE).read_bytes())
    except (OSError, ValueError) as error:
        require_room(error)
        raise InputError(
            "checkpoint-no-rows",
            f"`{folder}` says of no rows that they were trained on",
            help="name the folder of one that ModelCheckpointCallback kept",
        ) from error
    dataset.load_state_dict(rows)
