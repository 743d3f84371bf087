"""What the kernel looks up: a decision matrix laid out as flat arrays, and since when dated refusals hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.policy.evaluator import STRENGTH, Decision
from consentry.policy.matrix import DecisionMatrix, ItemClass
from consentry.policy.vocabulary import CATEGORIES

Array = npt.NDArray[Any]

DENIED, ALLOWED, DATED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Bounds:
    """Since when refusals with reach `future` hold, by seat and category.

    `everywhere[k]` is about all categories, for the person in `seats[k]` (ascending). What is about single categories
    is in `keys` (seat * 256 + index of the category, ascending, u64), with the seconds of each in `since`.
    """

    seats: npt.NDArray[np.uint32]
    everywhere: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    since: npt.NDArray[np.int64]

    def of(self, seats: Array, categories: Array) -> npt.NDArray[np.int64]:
        """Return the bound for each seat and category, NO_BOUND where there is none."""
        found = _looked_up(seats.astype(np.uint32), self.seats, self.everywhere)
        if self.keys.size:
            wanted = seats.astype(np.uint64) * np.uint64(256) + categories.astype(np.uint64)
            np.minimum(found, _looked_up(wanted, self.keys, self.since), out=found)
        return found

    def differing(self, other: Bounds) -> npt.NDArray[np.int64]:
        """Return the seats of people whose refusals hold since another time in `other`, ascending and distinct."""
        own = _differing(self.seats, self.everywhere, others=other.seats, theirs=other.everywhere)
        narrow = _differing(self.keys, self.since, others=other.keys, theirs=other.since) >> 8
        found: npt.NDArray[np.int64] = np.union1d(own, narrow)
        return found


def _differing(
    keys: Array, values: npt.NDArray[np.int64], *, others: Array, theirs: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Return the keys that have another value there, or none in one of both."""
    every = keys if np.array_equal(keys, others) else np.union1d(keys, others)
    differing = _looked_up(every, keys, values) != _looked_up(every, others, theirs)
    found: npt.NDArray[np.int64] = every[differing].astype(np.int64)
    return found


def _looked_up(wanted: Array, keys: Array, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the value of each key (ascending), NO_BOUND where there is none."""
    if not keys.size:
        return np.full(wanted.size, NO_BOUND, dtype=np.int64)
    place = np.minimum(np.searchsorted(keys, wanted), keys.size - 1)
    return np.where(keys[place] == wanted, values[place], NO_BOUND)


NO_BOUND = np.iinfo(np.int64).max
NO_BOUNDS = Bounds(
    np.empty(0, dtype=np.uint32), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
)


@dataclass(frozen=True, slots=True)
class Tables:
    """Everything the kernel looks up. Shared read-only by all threads.

    `cells` is int32, flat, person class major: an outcome, or -1 - k for variant k; `kinds` is uint8, the same shape:
    denied, allowed or dated. The cells of a person begin at `first_cell[person_class[seat]]` (seat 0: nobody).
    `dated_number[cell]` numbers the dated cells. Outcomes are in order of `strength` by their `ranks`.
    """

    person_class: Array
    first_cell: Array
    cells: npt.NDArray[np.int32]
    kinds: npt.NDArray[np.uint8]
    dated_number: npt.NDArray[np.int64]
    variants: npt.NDArray[np.int32]
    thresholds: npt.NDArray[np.int64]
    item_categories: npt.NDArray[np.uint8]
    outcomes: tuple[Decision, ...]
    ranks: npt.NDArray[np.int64]
    allowed: npt.NDArray[np.bool_]
    bounds: Bounds

    @property
    def width(self) -> int:
        """Number of item classes."""
        return int(self.item_categories.size)

    @property
    def dated(self) -> int:
        """Number of pairs of a dated cell and a variant."""
        return (int(self.dated_number[-1]) + 1) * self.variants.shape[1] if self.dated_number.size else 0

    def cells_of(self, seats: Array, klass: Array) -> npt.NDArray[np.int64]:
        """Return the cells of items, by the seats of people and the codes of item classes."""
        cells: npt.NDArray[np.int64] = self.first_cell[self.person_class[seats]].astype(np.int64)
        cells += klass
        return cells

    @property
    def involved_offset(self) -> int:
        """What is added to an outcome that is an involved person's."""
        return len(self.outcomes)


def tables(
    matrix: DecisionMatrix,
    *,
    person_class: Array,
    items: Sequence[ItemClass],
    fold: Array | None = None,
    bounds: Bounds = NO_BOUNDS,
    further: Sequence[Decision] = (),
) -> Tables:
    """Lay out a matrix for the kernel.

    Args:
        matrix: decisions by class.
        person_class: class of each seat.
        items: the item classes, in code order.
        fold: what to look each class up under in the matrix; itself if not given.
        bounds: since when dated refusals hold.
        further: outcomes of items decided by themselves; they are numbered after those of the matrix.
    """
    outcomes = (*matrix.outcomes, *further)
    compact = np.array(matrix.cells, dtype=np.int32).reshape(len(matrix.cells), -1)
    cells = compact[np.array(matrix.person_rows)][:, np.array(matrix.item_columns, dtype=np.intp)]
    allowed = np.array([outcome.allowed for outcome in outcomes], dtype=np.bool_)
    kinds = np.where(cells < 0, DATED, np.where(allowed[np.maximum(cells, 0)], ALLOWED, DENIED))
    codes = {category: code for code, category in enumerate(CATEGORIES)}
    return Tables(
        person_class=person_class,
        first_cell=_first_cells(fold, cells),
        cells=np.ascontiguousarray(cells).reshape(-1),
        kinds=np.ascontiguousarray(kinds, dtype=np.uint8).reshape(-1),
        dated_number=np.cumsum(kinds.reshape(-1) == DATED) - 1,
        variants=np.array(matrix.variants, dtype=np.int32).reshape(-1, 2 * (len(matrix.thresholds) + 1) + 1),
        thresholds=np.array(matrix.thresholds, dtype=np.int64),
        item_categories=np.array([codes[each.category] for each in items], dtype=np.uint8),
        outcomes=outcomes,
        ranks=_ranks(outcomes),
        allowed=allowed,
        bounds=bounds,
    )


def _first_cells(fold: Array | None, cells: Array) -> Array:
    rows, width = cells.shape
    table = np.arange(rows, dtype=np.int64) * width
    found: Array = (table if fold is None else table[fold]).astype(np.min_scalar_type(cells.size))
    return found


def strength(decision: Decision) -> tuple[tuple[int, str], ...]:
    """Return what orders decisions, the one with the strongest reasons first."""
    return tuple((STRENGTH[reason.kind], reason.reference) for reason in decision.reasons)


def _ranks(outcomes: Sequence[Decision]) -> npt.NDArray[np.int64]:
    ranks = np.empty(len(outcomes), dtype=np.int64)
    ranks[sorted(range(len(outcomes)), key=lambda index: strength(outcomes[index]))] = np.arange(len(outcomes))
    return ranks
