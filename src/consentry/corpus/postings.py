"""Postings: every pair of a person's seat and the position of an item, in order of seat and position.

Pairs are taken apart by the first bits of the seat, which is counting; what is left of each part is put in order within
the cache.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

U32 = npt.NDArray[np.uint32]

_PART_BITS = 8
_RADIX_BITS = 16


def in_order(person: U32, *, rows: U32, people: U32) -> tuple[U32, U32]:
    """Return seats and positions of all pairs, ordered by both.

    Args:
        person: the seat of the owner of each item, in order of position.
        rows: the position of each further pair.
        people: the seat of each further pair.
    """
    seats = np.concatenate([person, people]) if rows.size else person
    beyond = max(0, int(seats.max(initial=0)).bit_length() - _PART_BITS)
    part = (seats >> np.uint32(beyond)).astype(np.uint8)
    # Arrow counts bytes to put them in order, where NumPy sorts them. Both leave what is equal as it was.
    order = pc.array_sort_indices(pa.array(part)).to_numpy().view(np.int64)
    ends = np.cumsum(np.bincount(part, minlength=1 << _PART_BITS)).tolist()
    seats = seats.take(order)
    positions = order.astype(np.uint32)
    del order
    if rows.size:
        further = positions >= person.size
        positions[further] = rows[positions[further] - np.uint32(person.size)]
    # Positions ascend already, unless there are further pairs; NumPy counts what has 16 bits, and sorts what has more.
    put_in_order = _by_both if rows.size or beyond > _RADIX_BITS else _by_seat
    for start, end in zip([0, *ends], ends, strict=False):
        if end - start > 1:
            put_in_order(seats[start:end], positions[start:end])
    return seats, positions


def _by_seat(seats: U32, positions: U32) -> None:
    """Put pairs in order of seat, in place; seats differ in their last 16 bits only."""
    order = np.argsort(seats.astype(np.uint16), kind="stable")
    seats[:] = seats.take(order)
    positions[:] = positions.take(order)


def _by_both(seats: U32, positions: U32) -> None:
    """Put pairs in order of seat and position, in place."""
    # As one number of 64 bits: NumPy sorts numbers far faster than it says in which order they are.
    keys = seats.astype(np.uint64) << np.uint64(32) | positions
    keys.sort()
    seats[:] = keys >> np.uint64(32)
    positions[:] = keys
