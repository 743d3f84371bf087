"""Ids as platforms have them: text of 12 to 20 characters, unique, without any order in them.

Id k is a permutation of the numbers below 2^60 applied to k, in 12 letters of 5 bits, with up to 8 letters more. The
same k always has the same id, so people and their items can be written by different processes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

U64 = npt.NDArray[np.uint64]

_LETTERS = np.frombuffer(b"abcdefghijkmnopqrstuvwxyz2345679", dtype=np.uint8)
_FIRST, _MOST = 12, 20
_BITS = np.uint64(60)
_MASK = np.uint64((1 << 60) - 1)
_ODD = (np.uint64(0x9E3779B97F4A7C15) & _MASK, np.uint64(0xBF58476D1CE4E5B9) & _MASK)
ITEMS, PEOPLE = 1, 2
"""Kinds of ids: the ids of one have nothing to do with those of the other."""


def ids(numbers: npt.NDArray[np.integer], *, kind: int) -> pa.Array:
    """Return the ids of these numbers (below 2^56) as Arrow strings."""
    mixed = _permuted((numbers.astype(np.uint64) << np.uint64(4)) | np.uint64(kind))
    tail = mixed * np.uint64(0x94D049BB133111EB)
    lengths = _FIRST + ((tail >> np.uint64(50)) % np.uint64(_MOST - _FIRST + 1)).astype(np.int64)
    letters = np.empty((mixed.size, _MOST), dtype=np.uint8)
    for place in range(_MOST):
        word, at = (mixed, place) if place < _FIRST else (tail, place - _FIRST)
        letters[:, place] = _LETTERS[((word >> np.uint64(5 * at)) & np.uint64(31)).view(np.int64)]
    offsets = np.zeros(mixed.size + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    content = letters[np.arange(_MOST) < lengths[:, np.newaxis]]
    return pa.StringArray.from_buffers(mixed.size, pa.py_buffer(offsets), pa.py_buffer(content))


def _permuted(values: U64) -> U64:
    """Apply a permutation of the numbers below 2^60: odd factors and shifts that can be undone."""
    for factor in _ODD:
        values = (values * factor) & _MASK
        values ^= values >> (_BITS >> np.uint64(1))
    return values
