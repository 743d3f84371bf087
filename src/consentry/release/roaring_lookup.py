"""Single positions looked up in a roaring bitmap as it lies on disk: nothing is read but what the answer needs.

A bitmap of a file of millions of rows has hundreds of kilobytes; whether it holds a row stands in one of its
containers, whose place the header tells. So a question about one person touches a few pages of a file that is mapped
into memory, where reading the whole bitmap would touch all of them.

    >>> from pyroaring import BitMap64
    >>> holds(BitMap64([1, 70_000]).serialize(), np.array([0, 1, 70_000, 2**31]))
    array([False,  True,  True, False])
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.errors import IntegrityError
from consentry.release.roaring import CONTAINER_BYTES, MAX_ARRAY_CARDINALITY

Buffer = Any
"""Bytes, or a memory map: whatever NumPy reads numbers from."""
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
_WITHOUT_RUNS, _WITH_RUNS = 12346, 12347
_OFFSETS_FROM = 4
_BUCKETS_BYTES, _KEY_BYTES = 8, 4


class _Head(NamedTuple):
    """Where the containers of a 32-bit bitmap are, and what is in them."""

    start: int
    keys: npt.NDArray[np.uint16]
    cardinality: npt.NDArray[np.int64]
    runs: npt.NDArray[np.bool_]
    offsets: npt.NDArray[np.int64]


def holds(bitmap: Buffer, positions: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Say for each of some positions whether a portable 64-bit bitmap holds it.

    Args:
        bitmap: of positions below 2^32, as bitmaps of files are.
        positions: in any order.

    Raises:
        IntegrityError: it is no such bitmap.
    """
    found = np.zeros(positions.size, dtype=np.bool_)
    try:
        head = _head(bitmap)
        if head is None or not positions.size:
            return found
        high, low = positions.astype(np.int64) >> 16, positions.astype(np.int64) & 0xFFFF
        number = np.minimum(np.searchsorted(head.keys, high), head.keys.size - 1)
        asked = np.flatnonzero(head.keys[number] == high)
        found[asked] = _in_containers(np.frombuffer(bitmap, dtype=np.uint8), head, number=number[asked], low=low[asked])
    except (ValueError, IndexError) as error:
        raise IntegrityError(
            "release-exclusions-damaged",
            "a bitmap ends before what its header names, or is none",
            help="restore the release from a copy, or build it again",
        ) from error
    return found


def _numbers(bitmap: Buffer, kind: str, *, count: int, offset: int) -> npt.NDArray[Any]:
    return np.frombuffer(bitmap, dtype=kind, count=count, offset=offset)


def _head(bitmap: Buffer) -> _Head | None:
    buckets = int(_numbers(bitmap, "<u8", count=1, offset=0)[0])
    if not buckets:
        return None
    if buckets != 1 or int(_numbers(bitmap, "<u4", count=1, offset=_BUCKETS_BYTES)[0]):
        raise ValueError("positions beyond 2^32")
    start = at = _BUCKETS_BYTES + _KEY_BYTES
    cookie = int(_numbers(bitmap, "<u4", count=1, offset=at)[0])
    at += 4
    if cookie & 0xFFFF == _WITH_RUNS:
        count = (cookie >> 16) + 1
        flags = _numbers(bitmap, "u1", count=-(-count // 8), offset=at)
        at += flags.size
        runs = np.unpackbits(flags, bitorder="little")[:count].view(np.bool_)
    elif cookie == _WITHOUT_RUNS:
        count = int(_numbers(bitmap, "<u4", count=1, offset=at)[0])
        at += 4
        runs = np.zeros(count, dtype=np.bool_)
    else:
        raise ValueError("no bitmap begins like this")
    described = _numbers(bitmap, "<u2", count=2 * count, offset=at).reshape(-1, 2)
    at += 4 * count
    cardinality = described[:, 1].astype(np.int64) + 1
    if cookie == _WITHOUT_RUNS or count >= _OFFSETS_FROM:
        offsets = start + _numbers(bitmap, "<u4", count=count, offset=at).astype(np.int64)
    else:
        offsets = _places(bitmap, cardinality, runs, first=at)
    return _Head(start, described[:, 0], cardinality, runs, offsets)


def _places(
    bitmap: Buffer, cardinality: npt.NDArray[np.int64], runs: npt.NDArray[np.bool_], *, first: int
) -> npt.NDArray[np.int64]:
    """Return where the containers of a small bitmap are: its header does not say."""
    places = []
    for count, run in zip(cardinality.tolist(), runs.tolist(), strict=True):
        places.append(first)
        if run:
            first += 2 + 4 * int(_numbers(bitmap, "<u2", count=1, offset=first)[0])
        else:
            first += CONTAINER_BYTES if count > MAX_ARRAY_CARDINALITY else 2 * count
    return np.array(places, dtype=np.int64)


def _in_containers(content: Bytes, head: _Head, *, number: Ints, low: Ints) -> npt.NDArray[np.bool_]:
    """Look positions up in the containers they belong to, all of one kind at once."""
    found = np.zeros(low.size, dtype=np.bool_)
    at, count, as_runs = head.offsets[number], head.cardinality[number], head.runs[number]
    as_bits = ~as_runs & (count > MAX_ARRAY_CARDINALITY)
    as_array = ~as_runs & ~as_bits
    if as_bits.any():
        bit = low[as_bits]
        found[as_bits] = content[at[as_bits] + (bit >> 3)] >> (bit & 7).astype(np.uint8) & 1
    if as_array.any():
        first, wanted = at[as_array], low[as_array]
        last = _last_not_above(content, first, count=count[as_array], wanted=wanted, step=2)
        found[as_array] = (last >= 0) & (_number(content, first + 2 * np.maximum(last, 0)) == wanted)
    if as_runs.any():
        first, wanted = at[as_runs] + 2, low[as_runs]
        last = _last_not_above(content, first, count=_number(content, at[as_runs]), wanted=wanted, step=4)
        run = first + 4 * np.maximum(last, 0)
        found[as_runs] = (last >= 0) & (wanted - _number(content, run) <= _number(content, run + 2))
    return found


def _number(content: Bytes, at: Ints) -> Ints:
    """Return the 16-bit numbers that begin at some bytes."""
    return content[at].astype(np.int64) | content[at + 1].astype(np.int64) << 8


def _last_not_above(content: Bytes, first: Ints, *, count: Ints, wanted: Ints, step: int) -> Ints:
    """Return which of `count` ascending numbers is the last that is not above the wanted one, -1 if all are.

    One binary search for each position, all of them side by side. The numbers stand `step` bytes apart from `first` on.
    """
    below, above = np.zeros_like(count), count.copy()
    while (open_ := below < above).any():
        middle = np.minimum((below + above) >> 1, count - 1)
        not_above = _number(content, first + step * middle) <= wanted
        below = np.where(open_ & not_above, middle + 1, below)
        above = np.where(open_ & ~not_above, middle, above)
    return below - 1
