"""A hash table from 128-bit pseudonyms to seats, looked up a column at a time.

Open addressing with linear probing: the home of a key is the top bits of its high word, which are as good as random. A
slot holds a seat (0: free), and `keys[seat]` the key itself, so a look-up is two random reads: the slot, then the key.
Rows whose slot belongs to somebody else move one slot on, together; at a load of at most 0.4 few rounds are needed.

Any number of threads may look up while one inserts. A key is written before the slot that leads to it, and slots are
only ever filled, so a look-up finds a key inserted meanwhile or does not, but never a wrong seat. What outgrows its
arrays moves to larger ones (`grown`): those who look up go on in the old table, which stays right for what it held.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]

# Measured: at 0.6 a look-up takes half as long again, at 0.3 it is not faster.
MAX_LOAD = 0.4
_GROWTH = 1.25
_LEAST_BITS = 8
_PIECE_ROWS = 1 << 14


class SlotTable:
    """Keys by seat (`pairs[seat]` = high, low), and the slots that lead to them. Seat 0 is nobody's."""

    __slots__ = ("_keys", "_mask", "_scalar_keys", "_scalar_slots", "_shift", "_slots", "pairs")

    def __init__(self, *, seats: int) -> None:
        bits = _LEAST_BITS
        while seats > MAX_LOAD * (1 << bits):
            bits += 1
        # Read as complex numbers only because that is the one type of 16 bytes that `take` moves in one piece.
        self._keys: npt.NDArray[np.complex128] = np.zeros(seats + 1, dtype=np.complex128)
        self.pairs: U64 = self._keys.view(np.uint64).reshape(-1, 2)
        self._slots: U32 = np.zeros(1 << bits, dtype=np.uint32)
        self._shift = 64 - bits
        self._mask = (1 << bits) - 1
        self._scalar_slots = self._slots.data
        self._scalar_keys = self.pairs.reshape(-1).data

    @property
    def seats(self) -> int:
        """How many seats there is room for, the one of nobody not counted."""
        return len(self.pairs) - 1

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        return self._keys.nbytes + self._slots.nbytes

    def grown(self, *, used: int, seats: int) -> SlotTable:
        """Return a table with room for at least `seats`, with the first `used` seats of this one."""
        larger = SlotTable(seats=max(seats, int(used * _GROWTH)))
        larger.insert(self.pairs[1 : used + 1, 0], self.pairs[1 : used + 1, 1], first=1)
        return larger

    def insert(self, high: U64, low: U64, *, first: int) -> None:
        """Seat new keys, all different and none of them here yet, from seat `first` on. One thread at a time."""
        self.pairs[first : first + high.size, 0] = high
        self.pairs[first : first + high.size, 1] = low
        for piece in _pieces(high.size):
            self._place(high[piece], np.arange(first + piece.start, first + piece.stop, dtype=np.uint32))

    def _place(self, high: U64, seats: U32) -> None:
        slots, position = self._slots, self._homes(high)
        while seats.size:
            free = np.flatnonzero(slots.take(position) == 0)
            slots[position.take(free)] = seats.take(free)
            moving = np.flatnonzero(slots.take(position) != seats)
            position = (position.take(moving) + 1) & self._mask
            seats = seats.take(moving)

    def find(self, high: U64, low: U64) -> U32:
        """Return the seat of each key, 0 if it has none."""
        seats = np.empty(high.size, dtype=np.uint32)
        for piece in _pieces(high.size):
            self._find(high[piece], low[piece], seats[piece])
        return seats

    def _find(self, high: U64, low: U64, out: U32) -> None:
        position = self._homes(high)
        seats = np.take(self._slots, position, out=out, mode="clip")
        moving = np.flatnonzero(self._taken_by_others(seats, high, low))
        rows = moving
        while moving.size:
            position = (position.take(moving) + 1) & self._mask
            high, low = high.take(moving), low.take(moving)
            seats = self._slots.take(position)
            out[rows] = seats
            moving = np.flatnonzero(self._taken_by_others(seats, high, low))
            rows = rows.take(moving)

    def find_one(self, high: int, low: int) -> int:
        """Return the seat of one key, 0 if it has none."""
        slots, keys = self._scalar_slots, self._scalar_keys
        position = high >> self._shift
        while seat := slots[position]:
            place = 2 * seat
            if keys[place] == high and keys[place + 1] == low:
                return seat
            position = (position + 1) & self._mask
        return 0

    def _homes(self, high: U64) -> I64:
        return (high >> np.uint64(self._shift)).view(np.int64)

    def _taken_by_others(self, seats: U32, high: U64, low: U64) -> npt.NDArray[np.bool_]:
        found = self._keys.take(seats).view(np.uint64).reshape(-1, 2)
        differs: npt.NDArray[np.bool_] = found[:, 0] != high
        differs |= found[:, 1] != low
        differs &= seats != 0
        return differs


def _pieces(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _PIECE_ROWS):
        yield slice(start, min(start + _PIECE_ROWS, rows))


def in_order_of_appearance(high: U64, low: U64) -> tuple[I64, I64]:
    """Return the row in which each distinct key appears first, ascending, and for each row the number of its key."""
    if not high.size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    order = np.argsort(high)
    same_high, same_low = _same_as_before(high[order]), _same_as_before(low[order])
    if (same_high & ~same_low).any():
        # Two keys share a high word: their rows may be interleaved, so order by both words.
        order = np.lexsort((low, high))
        same_high, same_low = _same_as_before(high[order]), _same_as_before(low[order])
    starts = ~(same_high & same_low)
    first = np.minimum.reduceat(order, np.flatnonzero(starts))
    appearance = np.argsort(first)
    number = np.empty_like(appearance)
    number[appearance] = np.arange(appearance.size)
    numbers = np.empty_like(order)
    numbers[order] = number[np.cumsum(starts) - 1]
    return first[appearance], numbers


def _same_as_before(values: U64) -> npt.NDArray[np.bool_]:
    same = np.zeros(values.size, dtype=np.bool_)
    np.equal(values[1:], values[:-1], out=same[1:])
    return same
