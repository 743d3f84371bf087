"""Training on a release that a real server hands out, while people refuse and an authority suspends."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from consentry.errors import LeaseOverError
from consentry.training.client import Lease, hold
from consentry.training.torch import ROW, ReleaseDataset
from consentry.training.torch_loader import ReleaseLoader
from consentry.training.torch_ranks import check_together
from train.released import Served, text_column
from train.small_models import ByteModel, encode, encode_for_trainer
from train.test_trainer import Steps, trainer
from training.test_client import over_within, within

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
BATCH, BEFORE, AFTER = 4, 10, 15

Row = tuple[int, int]


def held(real: Served, folder: Path, job: str) -> Any:
    return hold(
        real.release,
        job=job,
        model="small",
        url=real.url,
        credential=real.credential,
        state_folder=folder / "state",
        watchdog=False,
    )


def opened(lease: Lease, seed: int = 1) -> ReleaseDataset:
    return ReleaseDataset(lease, columns=[text_column()], transform=encode, seed=seed)


class Training:
    """Trains a small model, and knows which rows it trained on."""

    def __init__(self, lease: Lease, dataset: ReleaseDataset, *, workers: int) -> None:
        self._lease, self._dataset = lease, dataset
        self._model = ByteModel()
        self._optimizer = torch.optim.AdamW(self._model.parameters())
        self._batches = iter(ReleaseLoader(dataset, batch_size=BATCH, num_workers=workers))
        self._step = 0
        self.rows: list[Row] = []

    def take(self, steps: int | None = None) -> list[Row]:
        """Take steps, all that are left if no number is given, and return the rows of these steps."""
        before, taken = len(self.rows), 0
        while steps is None or taken < steps:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._model(batch["ids"]).backward()
            taken += 1
            check_together(self._lease, self._step + 1)
            self._optimizer.step()
            self._optimizer.zero_grad()
            self._step += 1
            self._dataset.commit(self._step, batch[ROW])
            self.rows += [(file, row) for file, row in batch[ROW].tolist()]
        return self.rows[before:]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_refused_person_stops_appearing_mid_epoch_and_a_resume_replays_nothing(
    real: Served, tmp_path: Path, workers: int
) -> None:
    authors = real.authors()
    with held(real, tmp_path, "run-1") as lease:
        dataset = opened(lease)
        training = Training(lease, dataset, workers=workers)
        first = training.take(BEFORE)
        person, _ = Counter(name for row, name in authors.items() if row not in first).most_common(1)[0]
        theirs = {row for row, name in authors.items() if name == person}
        real.refuse(person)
        assert within(lambda: lease.amendment == 1)
        later = training.take(AFTER)  # not even what workers had read ahead
        assert theirs - set(training.rows), "a control: without the amendment more of theirs would have come"
        assert not theirs & set(later)
        state = dataset.state_dict()
        del training._batches
    with held(real, tmp_path, "run-2") as lease:
        dataset = opened(lease, seed=9)
        dataset.load_state_dict(state)
        resumed = Training(lease, dataset, workers=workers).take()
    assert not theirs & set(resumed)
    assert not set(training.rows) & set(resumed)
    left = real.authors()
    assert not theirs & left.keys()
    assert set(training.rows) | set(resumed) == left.keys() | set(training.rows)
    assert len(resumed) == len(set(resumed))
    assert real.rows() == set(training.rows) | set(resumed)  # the ledger knows what was trained on, and nothing else


def test_a_state_of_before_a_refusal_replays_nothing_of_it(real: Served, tmp_path: Path) -> None:
    authors = real.authors()
    with held(real, tmp_path, "run-1") as lease:
        dataset = opened(lease)
        training = Training(lease, dataset, workers=0)
        training.take(BEFORE)
        state = dataset.state_dict()
    person, _ = Counter(authors.values()).most_common(1)[0]
    real.refuse(person)
    with held(real, tmp_path, "run-2") as lease:
        dataset = opened(lease)
        dataset.load_state_dict(state)
        resumed = Training(lease, dataset, workers=0).take()
    assert not {row for row in resumed if authors[row] == person}
    assert set(resumed) == real.authors().keys() - set(training.rows)


def test_an_order_stops_a_trainer_before_its_next_step(real: Served, tmp_path: Path) -> None:
    excluded = real.excluded()
    stopped_before: list[Steps] = []

    def train() -> None:
        with held(real, tmp_path, "run-1") as lease:

            def happen() -> None:
                real.order()
                over_within(lease)

            dataset = ReleaseDataset(lease, columns=[text_column()], transform=encode_for_trainer)
            stopped_before.append(Steps(4, happen))
            trainer(lease, dataset, tmp_path, *stopped_before).train()

    with pytest.raises(LeaseOverError, match=r"lease-revoked"):
        train()
    assert stopped_before[0].taken == 3
    seen = real.job()
    assert (seen["state"], seen["step"], seen["order"]) == ("stopped", 3, "ico-2024.1")
    assert len(real.rows()) == 3 * 2 * 4
    assert not real.rows() & excluded
