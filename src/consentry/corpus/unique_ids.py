"""No two items have one id: found without putting all ids in order.

Keys are as good as random. They are taken a range at a time, and of it a piece that the cache holds. Each key of a
piece writes its number into a slot that follows from it, and reads what stands there: only keys that another one wrote
over, few unless they are equal, are compared with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.errors import CorpusError
from consentry.progress import Progress, watched_work

U64 = npt.NDArray[np.uint64]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_KEYS_AT_ONCE = 1 << 23
_PART_ROWS = 1 << 20
_FEW_ROWS = 1 << 14
_KEY_BITS = 64
_SHOWN = 3
_PIECE_BITS = 8
_SPARE_BITS = 3
"""Slots are 8 to 16 times as many as keys: one key in about 25 finds another one in its slot."""
# Odd numbers that spread keys over slots, whatever they have in common: 2^64 divided by the golden ratio, and by e.
_SPREAD = (np.uint64(0x9E37_79B9_7F4A_7C15), np.uint64(0x5E2D_58D8_B3BC_DEF1))


class Threads(Protocol):
    """Runs the same function over many tasks."""

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order."""
        ...


def repeated(columns: Sequence[U64], *, threads: Threads, progress: Progress | None = None) -> U64:
    """Return the keys that occur again, in one column or in several, each as often as it occurs again."""
    bits = (sum(column.size for column in columns) // _KEYS_AT_ONCE).bit_length()

    def of_range(number: int) -> U64:
        parts = [_in_pieces(part, bits) for column in columns for part in _in_range(column, number, bits)]
        pieces = ([part.keys[part.piece(each)] for part in parts] for each in range(1 << _PIECE_BITS))
        return _joined(_in_slots(_joined(piece)) for piece in pieces)

    ranges = range(1 << bits if columns else 0)
    if progress is not None:
        progress.begin("looking for repeated ids", total=len(ranges), unit="parts")
    return _joined(threads.map(watched_work(of_range, progress), ranges))


def first_rows(columns: Iterable[U64], *, of: U64) -> list[int | None]:
    """Return where in each column the first of some keys stands; None if it has none of them."""
    keys = np.sort(of)
    return [_first_row(column, keys) for column in columns]


def _first_row(column: U64, keys: U64) -> int | None:
    for start in range(0, column.size, _FEW_ROWS):
        part = column[start : start + _FEW_ROWS]
        found = np.flatnonzero(keys.take(keys.searchsorted(part), mode="clip") == part)
        if found.size:
            return start + int(found[0])
    return None


def not_unique(names: Sequence[str], columns: Sequence[U64], *, rows: Sequence[int | None], again: U64) -> CorpusError:
    """Return the error for files with keys that occur again: which files, and where the first such key stands.

    `rows`: where the first of them stands in each file.
    """
    found = [(name, column, row) for name, column, row in zip(names, columns, rows, strict=True) if row is not None]
    files, (_, column, row) = [name for name, _, _ in found], found[0]
    key = column[row]
    places = (
        f"row {row + at + 1:,} of `{name}`"
        for name, column, row in found
        for at in np.flatnonzero(column[row:] == key).tolist()
    )
    shown = ", ".join(f"`{each}`" for each in files[:_SHOWN])
    more = len(files) - _SHOWN
    return CorpusError(
        "corpus-duplicate-item-id",
        f"{again.size:,} {'item has' if again.size == 1 else 'items have'} an id that another item has, in {shown}"
        + ("" if more <= 0 else f" and {more:,} more {'file' if more == 1 else 'files'}")
        + f": one is in {' and in '.join(islice(places, 2))}",
        help="every item needs an id of its own; remove the repeated rows or use another column as the id. Rows are"
        " counted from 1",
    )


def _joined(parts: Iterable[U64]) -> U64:
    return np.concatenate([np.empty(0, dtype=np.uint64), *parts])


class _Pieces(NamedTuple):
    """Keys in order of their piece, and where each piece ends."""

    keys: U64
    ends: list[int]

    def piece(self, number: int) -> slice:
        return slice(self.ends[number - 1] if number else 0, self.ends[number])


def _in_range(column: U64, number: int, bits: int) -> Iterator[U64]:
    """Return the keys whose first `bits` bits (at most 16) are `number`, a part of the column at a time."""
    for start in range(0, column.size, _PART_ROWS):
        part = np.ascontiguousarray(column[start : start + _PART_ROWS])
        yield part.take(np.flatnonzero(_halves(part) >> (32 - bits) == number)) if bits else part


def _in_pieces(keys: U64, bits: int) -> _Pieces:
    """Take keys apart by the bits that follow the first `bits`."""
    piece = (_halves(keys) << bits >> (32 - _PIECE_BITS)).astype(np.uint8)
    # Arrow counts bytes to put them in order, where NumPy sorts them.
    import pyarrow.compute as pc  # noqa: PLC0415

    order = pc.array_sort_indices(pa.array(piece)).to_numpy().view(np.int64)
    return _Pieces(keys.take(order), np.cumsum(np.bincount(piece, minlength=1 << _PIECE_BITS)).tolist())


def _halves(keys: U64) -> npt.NDArray[np.uint32]:
    """Return the upper half of each key, as it lies there: shifting whole keys takes several times as long."""
    halves: npt.NDArray[np.uint32] = keys.astype("<u8", copy=False).view("<u4")[1::2]
    return halves


def _in_slots(keys: U64) -> U64:
    """Return the keys that occur again.

    INVARIANT: in every round each slot lets the last key go that wrote to it: the next round has fewer. Of equal keys,
    which share a slot, all but one are found in the round in which one of them is the last.
    """
    found = []
    slots = keys.size.bit_length() + _SPARE_BITS
    table = np.empty(1 << slots, dtype=np.uint32)
    for round_ in count():
        if keys.size < 2:
            break
        slot = (keys * _SPREAD[round_ % 2] >> np.uint64(_KEY_BITS - slots)).view(np.int64)
        number = np.arange(keys.size, dtype=np.uint32)
        table[slot] = number
        last = table.take(slot)
        other = np.flatnonzero(last != number)
        left = keys.take(other)
        equal = left == keys.take(last.take(other))
        found.append(left[equal])
        keys = left[~equal]
    return _joined(found)
