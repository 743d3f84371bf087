"""Which rows of a file a job does not read by now: excluded by the release, removed since, or trained on already."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from pyroaring import BitMap64

from consentry.release.data_file import DataFile, Positions, excluded_positions
from consentry.training.held_release import HeldFile, HeldRelease

_FILES_KEPT = 16
T = TypeVar("T")


class LeftOut:
    """The rows that are left out, file by file. It asks for bitmaps when it needs them and keeps the latest few."""

    def __init__(self, release: HeldRelease, done: Mapping[int, BitMap64]) -> None:
        self._release = release
        self._done = done
        self._sealed: OrderedDict[int, Positions] = OrderedDict()
        self._removed: OrderedDict[int, tuple[int, Positions]] = OrderedDict()

    def positions(self, file: HeldFile) -> tuple[int, Positions]:
        """Return the newest amendment and the rows of a file that are left out with it.

        Raises:
            IntegrityError: a bitmap is damaged, or of another file.
            LeaseOverError: the lease was over before the control plane gave it.
        """
        amendment = self._release.shared.amendment
        parts = [self._sealed_out(file), self._removed_by(file, amendment)]
        if done := self._done.get(file.index):
            parts.append(np.frombuffer(done.to_array(), dtype=np.uint64).astype(np.int64))
        present = [part for part in parts if part.size]
        if len(present) > 1:
            return amendment, np.unique(np.concatenate(present))
        return amendment, present[0] if present else parts[0]

    def _sealed_out(self, file: HeldFile) -> Positions:
        if file.index not in self._sealed:
            _keep(self._sealed, file.index, _positions(file, self._release.excluded(file.index)))
        return self._sealed[file.index]

    def _removed_by(self, file: HeldFile, amendment: int) -> Positions:
        known = self._removed.get(file.index)
        if known is None or known[0] != amendment:
            known = amendment, _positions(file, self._release.removed(file.index, amendment))
            _keep(self._removed, file.index, known)
        return known[1]


def _positions(file: HeldFile, bitmap: bytes) -> Positions:
    return excluded_positions(DataFile(path=file.path, size=file.size, rows=file.rows, excluded=bitmap))


def _keep(kept: OrderedDict[int, T], file: int, value: T) -> None:
    kept[file] = value
    kept.move_to_end(file)
    while len(kept) > _FILES_KEPT:
        kept.popitem(last=False)
