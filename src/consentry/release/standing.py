"""What of earlier decisions still stands: other rules, another time, more files, and a few people who moved.

Two bases decide an item alike if it is the same file, nobody whom it involves moved (has another class, or a refusal
that began at another time), no cell of theirs for its class has another outcome, and it is not decided by itself. A
cell has another outcome as soon as a reason is another: items are counted by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.corpus.census import are_few
from consentry.corpus.kept_census import renumbering
from consentry.corpus.sidecar import Sidecar
from consentry.release.basis import Basis
from consentry.release.tables import Tables

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Difference:
    """What two bases differ in: people who moved, and `cells[person class, item class]` with another outcome.

    Classes are numbered as in the new basis.
    """

    old: Basis
    new: Basis
    moved: npt.NDArray[np.uint32]
    cells: npt.NDArray[np.bool_]

    def concerns(self, counted: npt.NDArray[np.int64]) -> bool:
        """Say whether a file with these counts of a census has items in cells with another outcome."""
        return bool(counted[self.cells].any())

    def rows(self, sidecar: Sidecar, *, before: int, now: int) -> Rows:
        """Return the rows of a file that this does not concern which may be decided differently all the same.

        Args:
            sidecar: the file.
            before: its place among the files of the old basis.
            now: its place among those of the new one.
        """
        classes = self.new.knowledge.classes.codes[sidecar.involved_person]
        differing = self.cells[classes, sidecar.klass[sidecar.involved_row]]
        return np.union1d(
            np.union1d(sidecar.rows_of(self.moved).astype(np.int64), sidecar.involved_row[differing].astype(np.int64)),
            np.array(sorted({*self.old.exceptions[before], *self.new.exceptions[now]}), dtype=np.int64),
        )


def difference(old: Basis, new: Basis) -> Difference | None:
    """Return what two bases differ in; None if it is too much for anything to be kept."""
    before, after = old.knowledge.classes, new.knowledge.classes
    people = before.codes.size
    if new.items[: len(old.items)] != old.items or after.codes.size < people:
        return None
    number = renumbering(before.members, after.members)
    moved = np.union1d(
        np.flatnonzero(number[before.codes] != after.codes[:people]),
        old.knowledge.bounds.differing(new.knowledge.bounds),
    )
    if not are_few(moved.size, people):
        return None
    return Difference(old, new, moved.astype(np.uint32), _differing(old.look, new.look, number))


def _differing(old: Tables, new: Tables, number: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Say which cells have another outcome, by person class and item class of the new tables.

    For a class that is new nothing is said: all of its people moved.
    """
    people = new.first_cell.size
    found = np.zeros((people, new.width), dtype=np.bool_)
    kept = np.flatnonzero(number < people)
    old_outcome, new_outcome = _outcomes(old, new)
    columns = np.arange(old.width)
    before = old.first_cell[kept].astype(np.int64)[:, np.newaxis] + columns
    after = new.first_cell[number[kept]].astype(np.int64)[:, np.newaxis] + columns
    found[number[kept], : old.width] = old_outcome[before] != new_outcome[after]
    return found


def _outcomes(old: Tables, new: Tables) -> tuple[Array, Array]:
    """Return a number for each cell of two tables, so that cells with the same number decide alike at all times."""
    decisions = {decision: code for code, decision in enumerate(dict.fromkeys((*old.outcomes, *new.outcomes)))}
    thresholds = np.union1d(old.thresholds, new.thresholds)
    laid = []
    for look in (old, new):
        code = np.array([decisions[outcome] for outcome in look.outcomes], dtype=np.int64)
        span = np.searchsorted(look.thresholds, thresholds, side="right")
        spans = np.concatenate([[0], span])
        variants = np.stack([2 * spans, 2 * spans + 1], axis=1).reshape(-1)
        columns = np.append(variants, 2 * (look.thresholds.size + 1))
        settled = np.repeat(code[:, np.newaxis], columns.size, axis=1)
        laid.append(np.concatenate([settled, code[look.variants][:, columns]]))
    numbers = np.unique(np.concatenate(laid), axis=0, return_inverse=True)[1].reshape(-1)
    return _of_cells(old, numbers[: len(laid[0])]), _of_cells(new, numbers[len(laid[0]) :])


def _of_cells(look: Tables, numbers: Array) -> Array:
    """Return the number of each cell, from those of the outcomes and then of the variants."""
    cells = look.cells.astype(np.int64)
    found: Array = numbers[np.where(cells >= 0, cells, len(look.outcomes) - 1 - cells)]
    return found
