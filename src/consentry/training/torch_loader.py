"""A DataLoader of a release: what was removed while it waited in there is not trained on.

Workers read ahead. A person may refuse while their rows wait to be trained on, and `ReleaseLoader` looks once more when
a batch is asked for. So what is trained on after an amendment is known here is at most what was asked for before: the
batches of the step that is on its way.
"""

from __future__ import annotations

from collections.abc import Iterator
from traceback import clear_frames
from typing import Any

import torch
from torch.utils.data import DataLoader

from consentry.errors import LeaseOverError, StateError
from consentry.training.torch import ROW, LeaseOverInWorkerError, ReleaseDataset
from consentry.training.torch_ranks import batches_together


class ReleaseLoader(DataLoader):  # type: ignore[misc]  # torch has no types in the environment of mypy
    """A DataLoader of a release. Batches that hold a row which was removed while they waited do not come.

    A batch is left out as a whole: what else it holds is not committed, and read by whoever goes on from the state.
    What it is collated to must carry ROW. On several ranks a pass ends at the same step, as in `batches_together`.
    """

    def __init__(self, dataset: ReleaseDataset, **options: Any) -> None:
        """Take what a DataLoader takes.

        The seeds of workers come of the dataset's, if no `generator` is given: a DataLoader would take one from the
        random numbers of the job at the start of each pass, and a job that goes on from a model checkpoint starts one
        pass more. Its dropout would be another.
        """
        options.setdefault("generator", torch.Generator().manual_seed(dataset.seed))
        super().__init__(dataset, **options)
        self._first_epoch = dataset.epoch

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches.

        Raises:
            LeaseOverError: the lease of this rank is over, or that of another one.
            RuntimeError: another rank is gone.
            StateError: a batch does not say which rows it holds; or the dataset does not know of the ranks.
        """
        self.dataset.check_ranks()
        known = self.dataset.amendment  # before workers begin: what they read later knows of it
        return batches_together(self._usable(super().__iter__(), known), lease=self.dataset.lease)

    def set_epoch(self, epoch: int) -> None:
        """Begin another pass. A Trainer calls it, and counts from 0 although a state may be of a later pass."""
        self.dataset.set_epoch(self._first_epoch + epoch)

    def _usable(self, batches: Iterator[Any], known: int) -> Iterator[Any]:
        try:
            for batch in batches:
                if self.dataset.amendment == known or self.dataset.may_be_used(_rows_in(batch)):
                    yield batch
            return
        except LeaseOverInWorkerError as error:
            why = self._why()
            if why is None:
                raise
            clear_frames(error.__traceback__)
        # Workers end at once if nothing refers to their iterator, as that error did. Found as garbage, they are waited
        # for.
        why.__context__ = None
        del batches
        try:
            raise why
        finally:
            del why

    def _why(self) -> LeaseOverError | None:
        """Return the error of the lease itself, which says more than a worker passes on."""
        try:
            self.dataset.lease.check()
        except LeaseOverError as error:
            return error
        return None


def _rows_in(batch: Any) -> Any:
    try:
        return batch[ROW]
    except (KeyError, TypeError, IndexError) as error:
        raise StateError(
            "loader-rows-missing",
            "a batch does not say which rows of the release it holds",
            help="keep what each row carries under ROW when rows are collated",
        ) from error
