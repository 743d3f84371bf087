"""Packed bits to roaring bitmaps, container by container.

The kernel produces bits; Iceberg, Delta and every roaring library read the portable 64-bit format
(RoaringFormatSpec, "extension for 64-bit implementations"). A run of 65,536 bits *is* a bitset container, so building
from bits copies memory where building from positions sorts and inserts. The bytes are the ones that CRoaring writes
for the same set without run containers, which is what makes bitmaps of different runners comparable byte by byte.

    >>> import numpy as np
    >>> from pyroaring import BitMap64
    >>> bits = np.packbits(np.array([0, 1, 1, 0, 0, 0, 0, 0], dtype=np.uint8), bitorder="little")
    >>> sorted(BitMap64.deserialize(serialize(bits)))
    [1, 2]
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

CONTAINER_BITS = 1 << 16
CONTAINER_BYTES = CONTAINER_BITS // 8
MAX_ARRAY_CARDINALITY = 4096
_COOKIE_WITHOUT_RUNS = 12346
_COOKIE_WITH_RUNS = 12347
_OFFSETS_FROM = 4
_RUN_HEADER = 2
MAX_POSITIONS = 1 << 32

EMPTY = struct.pack("<Q", 0)

Bits = npt.NDArray[np.uint8]
"""Packed bits, least significant first: bit i of the set is `bits[i // 8] >> (i % 8) & 1`."""


def serialize(bits: Bits) -> bytes:
    """Return the set of the positions of the one bits, in the portable 64-bit roaring format.

    Args:
        bits: uint8, at most 2^29 bytes (positions below 2^32).

    Raises:
        ValueError: more positions than one 32-bit bucket holds.
    """
    if bits.size * 8 > MAX_POSITIONS:
        raise ValueError("a file of more than 2^32 items cannot be described by one bitmap bucket")
    padded = np.zeros(-(-bits.size // CONTAINER_BYTES) * CONTAINER_BYTES, dtype=np.uint8)
    padded[: bits.size] = bits
    containers = padded.reshape(-1, CONTAINER_BYTES)
    words = containers.view("<u8")
    cardinalities = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    keys = np.flatnonzero(cardinalities)
    if keys.size == 0:
        return EMPTY
    cardinalities, runs = cardinalities[keys], _runs(words)[keys]
    as_runs = _RUN_HEADER + 4 * runs < np.minimum(2 * cardinalities, CONTAINER_BYTES)
    payloads: list[bytes | memoryview] = [
        _run_container(containers[key], int(count)) if run else _container(containers[key], int(cardinality_))
        for key, cardinality_, count, run in zip(keys, cardinalities, runs, as_runs, strict=True)
    ]
    head = struct.pack("<QI", 1, 0) + _head(keys, cardinalities, as_runs=as_runs, payloads=payloads)
    return head + b"".join(payloads)


def _runs(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the number of runs of one bits in each row: the ones whose lower neighbour is no one."""
    below = words << np.uint64(1)
    below[:, 1:] |= words[:, :-1] >> np.uint64(63)
    counted: npt.NDArray[np.int64] = np.bitwise_count(words & ~below).sum(axis=1, dtype=np.int64)
    return counted


def _head(
    keys: npt.NDArray[np.int64],
    cardinalities: npt.NDArray[np.int64],
    *,
    as_runs: npt.NDArray[np.bool_],
    payloads: Sequence[bytes | memoryview],
) -> bytes:
    """Return cookie, run flags, descriptions and offsets of a 32-bit bitmap (RoaringFormatSpec, sections 1 to 3)."""
    if as_runs.any():
        cookie = struct.pack("<I", _COOKIE_WITH_RUNS | (keys.size - 1) << 16)
        cookie += np.packbits(as_runs, bitorder="little").tobytes()
        has_offsets = keys.size >= _OFFSETS_FROM
    else:
        cookie = struct.pack("<II", _COOKIE_WITHOUT_RUNS, keys.size)
        has_offsets = True
    descriptions = np.empty((keys.size, 2), dtype="<u2")
    descriptions[:, 0] = keys
    descriptions[:, 1] = cardinalities - 1
    head = cookie + descriptions.tobytes()
    if not has_offsets:
        return head
    sizes = np.fromiter((len(payload) for payload in payloads), dtype=np.int64, count=keys.size)
    first = len(head) + 4 * keys.size
    offsets = first + np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes)[:-1]))
    return head + offsets.astype("<u4").tobytes()


def _container(bits: Bits, cardinality_: int) -> bytes | memoryview:
    if cardinality_ > MAX_ARRAY_CARDINALITY:
        return bits.data
    return np.flatnonzero(np.unpackbits(bits, bitorder="little").view(np.bool_)).astype("<u2").tobytes()


def _run_container(bits: Bits, runs: int) -> bytes:
    edges = np.diff(np.unpackbits(bits, bitorder="little").view(np.int8), prepend=np.int8(0), append=np.int8(0))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    pairs = np.empty((runs, 2), dtype="<u2")
    pairs[:, 0] = starts
    pairs[:, 1] = ends - starts - 1
    return struct.pack("<H", runs) + pairs.tobytes()


def cardinality(bits: Bits) -> int:
    """Return the number of one bits."""
    return int(np.bitwise_count(bits).sum(dtype=np.int64))
