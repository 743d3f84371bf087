"""The census: how many items of each class the people of each class have, file by file.

From a census any policy set can be tried without touching an item: the decision of a cell times its count. It costs one
pass over two small columns. What is known of people changes for few of them at a time: a census is carried on by
counting their items again (`carried_on`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.corpus.sidecar import Sidecar, Span, gathered
from consentry.progress import Progress

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_CHUNK_ROWS = 1 << 18
_SPAN_ROWS = 1 << 20
_FEW = 50
"""What was found is carried on if at most one person in so many has another class: else looking at all is as fast."""

Codes = npt.NDArray[np.unsignedinteger[Any]]
Counts = npt.NDArray[np.int64]


class Threads(Protocol):
    """Runs the same function over many tasks."""

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order."""
        ...


class Anywhere(Protocol):
    """Runs the same function over many tasks, which may be on other machines: it changes nothing here."""

    def each(
        self, work: Callable[[_Task], _Result], tasks: Iterable[_Task], *, took: Callable[[_Task, _Result], None]
    ) -> None:
        """Call took(task, work(task)) here for every task, one at a time, in any order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Census:
    """`files[f, person class, item class]` is a number of items; the class of everybody is `codes[seat]`.

    What a class is does not matter here: a census holds for whatever the codes stand for. `involving_of[f]` items
    involve several people. Read-only.
    """

    files: Counts
    codes: Codes
    involving_of: Counts

    @property
    def involving(self) -> int:
        """How many items of all files involve several people."""
        return int(self.involving_of.sum())

    @property
    def counts(self) -> Counts:
        """The counts over all files."""
        counts: Counts = self.files.sum(axis=0)
        return counts


@dataclass(frozen=True, slots=True)
class _Counting:
    """Counts the items of a span by class."""

    codes: Codes
    classes: int
    width: int

    def __call__(self, span: Span) -> Counts:
        sidecar, cell_count = span.sidecar, self.classes * self.width
        # Where there are more cells than rows in a chunk, adding up the counts of each would cost more than counting.
        step = _SPAN_ROWS if cell_count > _CHUNK_ROWS else _CHUNK_ROWS
        class_of = pa.array(self.codes)
        person, klass = np.asarray(sidecar.person), np.asarray(sidecar.klass)
        cells = np.empty(min(step, span.stop - span.start), dtype=np.intp)
        counts = np.zeros(cell_count, dtype=np.int64)
        for first in range(span.start, span.stop, step):
            rows = slice(first, min(first + step, span.stop))
            sidecar.check_range(rows, seats=self.codes.size, classes=self.width)
            part = cells[: rows.stop - first]
            np.multiply(gathered(class_of, person[rows]), self.width, out=part, dtype=np.intp)
            part += klass[rows]
            counts += np.bincount(part, minlength=cell_count)
        sidecar.let_go()
        return counts


def take(
    sidecars: Sequence[Sidecar],
    codes: Codes,
    *,
    classes: int,
    width: int,
    runner: Anywhere,
    progress: Progress | None = None,
) -> Census:
    """Count the items of all files.

    Args:
        sidecars: the files.
        codes: the class of every seat.
        classes: number of person classes.
        width: number of item classes.
        runner: where the work is done.
        progress: told how much of it is.
    """
    spans = [
        Span(index, sidecar, start, min(start + _SPAN_ROWS, sidecar.rows))
        for index, sidecar in enumerate(sidecars)
        for start in range(0, sidecar.rows, _SPAN_ROWS)
    ]
    files = np.zeros((len(sidecars), classes * width), dtype=np.int64)
    if progress is not None:
        progress.begin("counting", total=len(spans), unit="parts")

    def took(span: Span, counts: Counts) -> None:
        files[span.nth] += counts
        if progress is not None:
            progress(1)

    runner.each(_Counting(codes, classes, width), spans, took=took)
    return Census(
        files=files.reshape(len(sidecars), classes, width),
        codes=codes,
        involving_of=np.array([np.unique(sidecar.involved_row).size for sidecar in sidecars], dtype=np.int64),
    )


def are_few(moved: int, people: int) -> bool:
    """Say whether so few people have another class that what was found about all others is worth keeping."""
    return moved * _FEW <= people


def carried_on(
    census: Census, sidecars: Sequence[Sidecar], *, codes: Codes, classes: int, threads: Threads
) -> Census | None:
    """Return the census of the same files for other codes; None if too many people have another class.

    Args:
        census: what was counted. Whoever got a seat since has no items in these files.
        sidecars: the files.
        codes: the class of every seat now.
        classes: number of person classes now.
        threads: where the work is done.
    """
    before = census.codes.size
    if codes.size < before:
        return None
    moved = np.flatnonzero(codes[:before] != census.codes).astype(np.uint32)
    if not are_few(moved.size, before):
        return None

    files = np.zeros((len(sidecars), max(classes, census.files.shape[1]), census.files.shape[2]), dtype=np.int64)
    files[:, : census.files.shape[1]] = census.files

    def again(index: int) -> None:
        sidecar = sidecars[index]
        rows = sidecar.rows_of(moved)
        # Among them are items that only involve these people: the class of the owner is what counts.
        owner, klass = sidecar.person[rows], sidecar.klass[rows]
        np.subtract.at(files[index], (census.codes[owner], klass), 1)
        np.add.at(files[index], (codes[owner], klass), 1)

    if moved.size:
        threads.map(again, range(len(sidecars)))
    return Census(files=files[:, :classes], codes=codes, involving_of=census.involving_of)
