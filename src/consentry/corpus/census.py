"""The census: how many items of each class the people of each class have, file by file.

From a census any policy set can be tried without touching an item: the decision of a cell times its count. It costs one
pass over two small columns, and is kept until something said or loaded makes it stale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from consentry.corpus.classes import PersonClasses
from consentry.corpus.sidecar import Sidecar

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_CHUNK_ROWS = 1 << 16
_SPAN_ROWS = 1 << 20


class Threads(Protocol):
    """Runs the same function over many tasks."""

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """`counts[person class, item class]` over all files; `involving` of the items involve several people."""

    counts: npt.NDArray[np.int64]
    involving: int


def take(sidecars: Sequence[Sidecar], classes: PersonClasses, *, width: int, threads: Threads) -> Census:
    """Count the items of all files.

    Args:
        sidecars: the files.
        classes: the class of every seat.
        width: number of item classes.
        threads: where the work is done.
    """
    spans = [
        (sidecar, start, min(start + _SPAN_ROWS, sidecar.rows))
        for sidecar in sidecars
        for start in range(0, sidecar.rows, _SPAN_ROWS)
    ]
    cells = len(classes.members) * width

    def count(span: tuple[Sidecar, int, int]) -> npt.NDArray[np.int64]:
        sidecar, start, stop = span
        cell = np.empty(stop - start, dtype=np.int64)
        for first in range(start, stop, _CHUNK_ROWS):
            rows = slice(first, min(first + _CHUNK_ROWS, stop))
            part = cell[first - start : rows.stop - start]
            part[:] = classes.codes[sidecar.person[rows]]
            part *= width
            part += sidecar.klass[rows]
        # Once a span: there can be more cells than rows in a chunk.
        return np.bincount(cell, minlength=cells)

    counts = sum(threads.map(count, spans), np.zeros(cells, dtype=np.int64))
    involving = sum(int(np.unique(sidecar.involved_row).size) for sidecar in sidecars)
    return Census(counts=counts.reshape(len(classes.members), width), involving=involving)
