"""What a release was sealed with of one person, told apart: by them or others, of which category, which item."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap64

from consentry.control_plane.consumption import RowsOfFiles
from consentry.control_plane.known_files import OwnRows
from consentry.corpus.sidecar import FilePin, Sidecar
from consentry.policy.matrix import ItemClass
from consentry.policy.vocabulary import Category
from consentry.release.manifest import Manifest


class _Columns(NamedTuple):
    """Rows of a file, and what is known of them: the class and the key of each."""

    at: npt.NDArray[np.int64]
    klass: npt.NDArray[Any]
    item: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a release was sealed with of a person, by the numbers of its files, and what has left it since.

    `rows` is None if nobody knows that any more. `by_others` are rows about them that somebody else made. `kinds` and
    `columns` tell their items apart, by all that is known of each file; empty where nobody asks about a part of them.
    `replaced`: a file has other bytes now, or is gone.
    """

    release: str
    rows: RowsOfFiles | None
    removed: RowsOfFiles
    withdrawn: bool
    by_others: RowsOfFiles
    sidecars: Mapping[int, Sidecar]
    replaced: bool
    kinds: Sequence[ItemClass]
    columns: Mapping[int, Sequence[_Columns]]

    def chosen(self, categories: Collection[Category], keys: Collection[int]) -> RowsOfFiles | None:
        """Return those rows that a choice is about: all where it names neither; None if that is not known."""
        if self.rows is None or (not categories and not keys):
            return self.rows
        such = np.array([kind.category in categories for kind in self.kinds], dtype=np.bool_)
        wanted = np.array(sorted(keys), dtype=np.uint64)
        found: RowsOfFiles = {}
        for index, known in self.columns.items():
            for each in known:
                kept = such[each.klass] if categories else np.ones(each.at.size, dtype=np.bool_)
                if wanted.size:
                    # One is compared and not looked for: a page asks about its items one by one.
                    kept &= each.item == wanted[0] if wanted.size == 1 else np.isin(each.item, wanted)
                if kept.any():
                    found.setdefault(index, BitMap64()).update(BitMap64(each.at[kept].astype(np.uint64)))
        return found


def held(
    manifest: Manifest, own: OwnRows, *, rows: RowsOfFiles, removed: RowsOfFiles, withdrawn: bool, parts: bool
) -> Held:
    """Return what a release holds of a person; `parts`: with what tells their items apart."""
    known = own.known(manifest)
    by_others: RowsOfFiles = {}
    columns: dict[int, list[_Columns]] = {}
    for index, each in rows.items():
        at = np.asarray(each.to_array(), dtype=np.int64)
        theirs = np.logical_or.reduce([np.isin(file.sidecar.person[at], own.seats) for file in known[index]])
        if not theirs.all():
            by_others[index] = BitMap64(at[~theirs].astype(np.uint64))
        if parts:
            columns[index] = []
            for file in known[index]:
                # What else is known of a row is nothing to a choice where it is none of theirs by that.
                of_them = np.intersect1d(at, own.by(file), assume_unique=True) if len(known[index]) > 1 else at
                columns[index].append(_Columns(of_them, file.sidecar.klass[of_them], file.sidecar.item[of_them]))
    # Codes are never given anew: who knows the most of them knows what all mean.
    kinds = max((file.items for index in columns for file in known[index]), key=len, default=())
    return Held(
        release=manifest.release,
        rows=rows,
        removed=removed,
        withdrawn=withdrawn,
        by_others=by_others,
        sidecars={index: known[index][0].sidecar for index in rows},
        replaced=not all(any(file.registered for file in known[index]) for index in rows),
        kinds=kinds,
        columns=columns,
    )


def not_known(release: str, *, removed: RowsOfFiles, withdrawn: bool) -> Held:
    """Return a release of which nobody knows any more what it holds of whom."""
    return Held(
        release=release,
        rows=None,
        removed=removed,
        withdrawn=withdrawn,
        by_others={},
        sidecars={},
        replaced=False,
        kinds=(),
        columns={},
    )


class Counted:
    """Items that releases hold, each counted once.

    By their rows; by their ids as well where a file was registered anew, as an item may then be in two rows.
    """

    def __init__(self, *, by_id: bool) -> None:
        self._by_id = by_id
        self._rows: dict[FilePin, tuple[Sidecar, BitMap64]] = {}

    def add(self, sidecar: Sidecar, rows: BitMap64) -> None:
        """Count some rows of a file."""
        self._rows.setdefault(sidecar.pin, (sidecar, BitMap64()))[1].update(rows)

    def __len__(self) -> int:
        if not self._by_id:
            return sum(len(rows) for _, rows in self._rows.values())
        ids = [sidecar.item[np.asarray(rows.to_array(), dtype=np.int64)] for sidecar, rows in self._rows.values()]
        return np.unique(np.concatenate(ids)).size if ids else 0
