"""The order in which a job sees the rows of a release. Pure: it depends on the seed, the epoch and the files alone.

What is left out plays no part in it. A release that leaves out more, an amendment in the middle of an epoch, a resumed
job: each of them only removes rows from the one order, and no other row moves. Row groups are shuffled, and rows within
stretches of a row group, so that a stretch is all that has to be in memory.

The bits come from Philox as they are, because only they are the same in every version of NumPy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Unit(NamedTuple):
    """A row group: what a rank or worker gets as a whole. `first` is its first row in the file."""

    file: int
    group: int
    first: int
    rows: int


class Shuffle(NamedTuple):
    """What makes one order of many. `on` false: the order of the files."""

    seed: int
    epoch: int
    on: bool = True


class Share(NamedTuple):
    """Which part of the units a process reads: every `parts`-th, from `part` on."""

    part: int
    parts: int

    def split(self, part: int, parts: int) -> Share:
        """Return a part of this part."""
        return Share(self.part + self.parts * part, self.parts * parts)


def units_in_order(units: Sequence[Unit], shuffle: Shuffle, *, share: Share) -> list[Unit]:
    """Return the units of a share, in the order of the epoch. Shares are disjoint and hold everything together."""
    order = _shuffled(len(units), [shuffle.seed, shuffle.epoch]) if shuffle.on else range(len(units))
    return [units[place] for place in list(order)[share.part :: share.parts]]


def rows_in_order(shuffle: Shuffle, *, file: int, first: int, rows: int) -> npt.NDArray[np.int64]:
    """Return the order of the rows of a stretch, counted from its first row."""
    if not shuffle.on:
        return np.arange(rows, dtype=np.int64)
    return _shuffled(rows, [shuffle.seed, shuffle.epoch, file, first])


def _shuffled(count: int, entropy: list[int]) -> npt.NDArray[np.int64]:
    bits = np.random.Philox(np.random.SeedSequence(entropy)).random_raw(count)
    return np.argsort(bits, kind="stable").astype(np.int64)
