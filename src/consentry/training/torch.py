"""A release as a PyTorch dataset.

Every row carries its identity, (file, row), under ROW. Say with `commit` which rows an optimiser step consumed: it is
logged, and it is what `state_dict` holds. So a resumed epoch repeats no row that was trained on and skips none that was
only loaded, however far loaders had read ahead, and with another number of workers or ranks as well.

Read it with a `ReleaseLoader` (torch_loader.py). A newer amendment takes effect at the next row that is read, and what
loaders had read ahead by then is looked at once more before it is trained on. A bare DataLoader hands that out
(`prefetch_factor` batches a worker).

Where there are several ranks, call `check_together` (torch_ranks.py) before each optimiser step: the dataset then reads
on until the deadline, so that no rank stops alone. `ReleaseLoader`, or `batches_together` around another one, ends a
pass on all of them at the same step, and stops all of them if one may not read any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.distributed as dist
from pyroaring import BitMap64
from torch.utils.data import IterableDataset, get_worker_info

from consentry.errors import InputError, LeaseOverError, StateError
from consentry.release.data_file import DataFile, eligible_mask, open_again
from consentry.release.reader import check_columns
from consentry.training.client import Lease
from consentry.training.consumption import ranges_of
from consentry.training.held_release import HeldFile
from consentry.training.left_out import LeftOut
from consentry.training.loader_state import Done, LoaderState, joined_states, loader_state
from consentry.training.row_order import Share, Shuffle, Unit, rows_in_order, units_in_order
from consentry.training.torch_devices import mark_step, wait_for_devices
from consentry.training.torch_presence import presence_of
from consentry.training.torch_ranks import number_of_ranks, own_rank

ROW = "consentry_row"
"""Where a row, or a batch of rows, carries its identity: a tensor of (file, row)."""

_STRETCH_ROWS = 4096
Row = dict[str, Any]


_SAID = re.compile(r"([^\n]*?) \[(lease-[a-z-]+)\]")


class LeaseOverInWorkerError(LeaseOverError):
    """The lease was over in a worker of a DataLoader, which passes on the text of an error only, with its traceback.

    Its code and message are those that the worker's error had, as far as they stand in the text.
    """

    def __init__(self, text: str) -> None:
        said = _SAID.findall(text)
        message, code = said[-1] if said else (text, "lease-over-in-worker")
        message = message.removeprefix(f"{type(self).__module__}.{type(self).__name__}: ")
        super().__init__(code, message, help="stop; the lease itself says why it is over")


class ReleaseDataset(IterableDataset):  # type: ignore[misc]  # torch has no types in the environment of mypy
    """The rows of a held release that may be read by now, in an order that depends on nothing else."""

    def __init__(
        self,
        lease: Lease,
        *,
        columns: Sequence[str],
        seed: int = 0,
        shuffle: bool = True,
        transform: Callable[[Row], Row] | None = None,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        """Open a release.

        `transform` makes of a row of columns what the model needs. Rank and world size are those of `torch.distributed`
        if not given; each rank reads other row groups, and so does each worker.

        Raises:
            InputError: a file lacks one of the columns.
            IntegrityError: a file is not the one that the release was made from.
        """
        super().__init__()
        self.lease: Lease | None = lease
        lease.wait_for_devices = wait_for_devices
        if number_of_ranks() > 1:
            presence_of(lease)  # the others know from here on that it has begun, however long its model takes to load
        self._release = lease.release
        self._columns = list(columns)
        self._seed, self._shuffle, self._transform = seed, shuffle, transform
        self._rank = own_rank() if rank is None else rank
        self._world_size = number_of_ranks() if world_size is None else world_size
        self._ranks_given = rank is not None or world_size is not None
        self._done: Done = {}
        self._done_epoch = 0
        self._left_out = LeftOut(lease.release, {})
        # Workers that outlive an epoch must see the next one.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()
        self._units = [unit for file in self._release.files for unit in self._units_of(file)]

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker gets: everything but the lease, which belongs to the process that holds it."""
        return {**self.__dict__, "lease": None}

    @property
    def seed(self) -> int:
        """What the order of the rows follows from."""
        return self._seed

    @property
    def epoch(self) -> int:
        """The number of the pass over the release, from 0."""
        return int(self._epoch.item())

    def set_epoch(self, epoch: int) -> None:
        """Begin another pass: another order, and nothing of it is trained on yet."""
        if epoch != self.epoch:
            self._done = {}
            self._done_epoch = epoch
            self._epoch.fill_(epoch)

    def commit(self, step: int, rows: Any) -> None:
        """Say which rows an optimiser step that was taken consumed: what its batches carry under ROW.

        On a GPU: that was launched. Call it right after the step, and keep the identities out of the GPU: to fetch them
        is to wait until it has done everything.

        Raises:
            StateError: this is a worker's copy.
            InputError: steps do not count upwards.
        """
        if self.lease is None or get_worker_info() is not None:
            raise StateError(
                "loader-commit-in-worker",
                "a worker said what was trained on",
                help="call `commit` in the process that holds the lease, after the optimiser's step",
            )
        mark_step(self.lease)
        pairs = _pairs(rows)
        self.lease.committed(step, _ranges(pairs))
        for file in np.unique(pairs[:, 0]).tolist():
            self._done.setdefault(file, BitMap64()).update(pairs[pairs[:, 0] == file, 1].tolist())

    @property
    def amendment(self) -> int:
        """The newest amendment of the release that is known here."""
        return self._release.shared.amendment

    def may_be_used(self, rows: Any) -> bool:
        """Say whether all of these rows may still be trained on: what batches carry under ROW.

        Raises:
            LeaseOverError: the lease is over.
        """
        pairs = _pairs(rows)
        for index in np.unique(pairs[:, 0]).tolist():
            _, left_out = self._left_out.positions(self._release.files[index])
            if np.isin(pairs[pairs[:, 0] == index, 1], left_out).any():
                return False
        return True

    def check_ranks(self) -> None:
        """Refuse to read as the only rank if there are several by now.

        Raises:
            StateError: the dataset was made before `torch.distributed` was: each rank would read what all others read.
        """
        if not self._ranks_given and (self._rank, self._world_size) != (own_rank(), number_of_ranks()):
            raise StateError(
                "loader-ranks-unknown",
                "the dataset was made before the ranks knew of each other",
                help="call init_process_group, or make TrainingArguments, before the dataset",
            )

    def state_dict(self) -> dict[str, Any]:
        """Return where training is: what was committed in this epoch. It is JSON, and of this rank only."""
        return LoaderState(
            manifest=self._release.manifest,
            seed=self._seed,
            shuffle=self._shuffle,
            epoch=self.epoch,
            done=self._done,
        ).document()

    def load_state_dict(self, state: Any) -> None:
        """Go on where a state was taken; what was removed since stays away all the same.

        Raises:
            InputError: the state is of another release, or is none.
        """
        found = loader_state(state)
        if found.manifest != self._release.manifest:
            raise InputError(
                "loader-state-of-another-release",
                f"the state is of the release with manifest `{found.manifest}`",
                help=f"hold that release, or begin anew: this is `{self._release.name}`, {self._release.manifest}",
            )
        self._seed, self._shuffle = found.seed, found.shuffle
        self._epoch.fill_(found.epoch)
        self._done, self._done_epoch = found.done, found.epoch

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows of this rank and worker.

        Raises:
            LeaseOverError: the lease is over. In a worker LeaseOverInWorkerError.
            StateError: all rows of this epoch were trained on before; or `check_ranks`.
        """
        if get_worker_info() is None:
            self.check_ranks()
        try:
            yield from self._rows()
        except LeaseOverError as error:
            if get_worker_info() is None:
                raise
            raise LeaseOverInWorkerError(str(error)) from None

    def _rows(self) -> Iterator[Row]:
        shuffle = Shuffle(self._seed, self.epoch, self._shuffle)
        left_out = LeftOut(self._release, self._done if self._done_epoch == shuffle.epoch else {})
        share = Share(self._rank, self._world_size)
        if self._done:
            self._refuse_done_epoch(left_out, units_in_order(self._units, shuffle, share=share))
        if (worker := get_worker_info()) is not None:
            share = share.split(worker.id, worker.num_workers)
        for unit in units_in_order(self._units, shuffle, share=share):
            yield from self._rows_of(unit, shuffle, left_out)

    def _rows_of(self, unit: Unit, shuffle: Shuffle, left_out: LeftOut) -> Iterator[Row]:
        file = self._release.files[unit.file]
        check = self._release.check if self._world_size == 1 else self._release.check_deadline
        amendment, mask = _mask(left_out, file, unit)
        if mask is not None and not mask.any():
            return
        with self._opened(file) as opened:
            first = 0
            for batch in opened.iter_batches(_STRETCH_ROWS, row_groups=[unit.group], columns=self._columns):
                order = rows_in_order(shuffle, file=unit.file, first=unit.first + first, rows=batch.num_rows)
                if amendment != self._release.shared.amendment:
                    amendment, mask = _mask(left_out, file, unit)
                kept = order if mask is None else order[mask[first + order]]
                amended_from = amendment
                for place, row in zip(kept.tolist(), self._made(batch, kept, unit=unit, first=first), strict=True):
                    check()
                    if amendment != self._release.shared.amendment:
                        amendment, mask = _mask(left_out, file, unit)
                    if amendment != amended_from and mask is not None and not mask[first + place]:
                        continue
                    yield row
                first += batch.num_rows

    def _made(self, batch: pa.RecordBatch, kept: npt.NDArray[np.int64], *, unit: Unit, first: int) -> Iterator[Row]:
        """Yield the kept rows of a stretch with their identities."""
        identities = np.column_stack((np.full(kept.size, unit.file), unit.first + first + kept))
        values = batch.take(pa.array(kept)).to_pylist()
        for value, identity in zip(values, torch.from_numpy(identities).unbind(0), strict=True):
            row = value if self._transform is None else self._transform(value)
            row[ROW] = identity
            yield row

    def _refuse_done_epoch(self, left_out: LeftOut, units: Sequence[Unit]) -> None:
        for unit in units:
            _, mask = _mask(left_out, self._release.files[unit.file], unit)
            if mask is None or mask.any():
                return
        raise StateError(
            "loader-epoch-done",
            f"every row of epoch `{self.epoch}` was trained on",
            help=f"call set_epoch({self.epoch + 1}) for another pass",
        )

    def _units_of(self, file: HeldFile) -> Iterator[Unit]:
        with self._opened(file) as opened:
            check_columns(opened, self._columns, where=str(file.path))
            first = 0
            for group in range(opened.metadata.num_row_groups):
                rows = opened.metadata.row_group(group).num_rows
                yield Unit(file.index, group, first, rows)
                first += rows

    def _opened(self, file: HeldFile) -> pq.ParquetFile:
        pinned = DataFile(path=file.path, size=file.size, rows=file.rows, excluded=b"", digest=file.digest)
        return open_again(pinned, self._release.seen)


def _mask(left_out: LeftOut, file: HeldFile, unit: Unit) -> tuple[int, npt.NDArray[np.bool_] | None]:
    amendment, positions = left_out.positions(file)
    return amendment, eligible_mask(positions, start=unit.first, rows=unit.rows)


def _pairs(rows: Any) -> npt.NDArray[np.int64]:
    tensors = [rows] if isinstance(rows, torch.Tensor) else list(rows)
    if not tensors:
        return np.empty((0, 2), dtype=np.int64)
    return cast("npt.NDArray[np.int64]", torch.cat([each.reshape(-1, 2).cpu() for each in tensors]).numpy())


def _ranges(pairs: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    return ranges_of((file, row) for file, row in pairs.tolist())


def state_of_all_ranks(dataset: ReleaseDataset, *, group: Any = None) -> dict[str, Any]:
    """Return the joined state of the datasets of all ranks. Every rank calls it."""
    if number_of_ranks() == 1:
        return dataset.state_dict()
    states: list[dict[str, Any]] = [{} for _ in range(dist.get_world_size(group))]
    dist.all_gather_object(states, dataset.state_dict(), group=group)
    return joined_states(states)
