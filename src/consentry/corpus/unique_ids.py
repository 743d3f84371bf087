"""No two items have one id: found without putting all ids in order.

Keys are as good as random. They are taken a range at a time; of each only the next 32 bits are put in order, which
tells apart nearly all of them. The few that agree so far are compared whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_KEYS_AT_ONCE = 1 << 23
_NEAR_BITS = 24
_KEY_BITS = 64
_PREFIX_BITS = 32


class Threads(Protocol):
    """Runs the same function over many tasks."""

    def map(self, work: Callable[[_Task], _Result], tasks: Iterable[_Task]) -> list[_Result]:
        """Return work(task) for every task, in order."""
        ...


def repeated(columns: Sequence[U64], *, threads: Threads) -> U64:
    """Return the keys that occur again, in one column or in several, each as often as it occurs again."""
    bits = (sum(column.size for column in columns) // _KEYS_AT_ONCE).bit_length()

    def of_range(number: int) -> U64:
        keys = np.concatenate([_in_range(column, number, bits) for column in columns])
        return _repeated(keys, (keys >> np.uint64(_KEY_BITS - _PREFIX_BITS - bits)).astype(np.uint32))

    found = threads.map(of_range, range(1 << bits if columns else 0))
    return np.concatenate([np.empty(0, dtype=np.uint64), *found])


def _in_range(column: U64, number: int, bits: int) -> U64:
    """Return the keys whose first `bits` bits are `number`."""
    return column[column >> np.uint64(_KEY_BITS - bits) == number] if bits else column


def _repeated(keys: U64, prefixes: npt.NDArray[np.uint32]) -> U64:
    ordered = np.sort(prefixes)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if not twice.size:
        return np.empty(0, dtype=np.uint64)
    beyond = np.uint32(_PREFIX_BITS - _NEAR_BITS)
    near = np.zeros(1 << _NEAR_BITS, dtype=np.bool_)
    near[twice >> beyond] = True
    candidates = np.sort(keys[near[prefixes >> beyond]])
    again: U64 = candidates[1:][candidates[1:] == candidates[:-1]]
    return again
