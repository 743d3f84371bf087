from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap64

from consentry.errors import IntegrityError
from consentry.release.roaring import serialize
from consentry.release.roaring_lookup import holds

_POSITIONS = st.one_of(
    st.integers(0, 2**32 - 1), st.integers(0, 300), st.sampled_from([0, 65_535, 65_536, 131_071, 2**32 - 1])
)


@st.composite
def bitmaps(draw: st.DrawFn) -> BitMap64:
    """Sets with containers of all three kinds: single positions, runs, and halves of a container at random."""
    found = BitMap64(draw(st.lists(_POSITIONS, max_size=30)))
    for start, length in draw(st.lists(st.tuples(_POSITIONS, st.integers(1, 140_000)), max_size=4)):
        found |= BitMap64(range(start, min(start + length, 2**32)))
    for key, seed in draw(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 99)), max_size=2)):
        bits = np.flatnonzero(np.random.default_rng(seed).random(65_536) < 0.5)
        found |= BitMap64((bits + key * 65_536).astype(np.uint64).tolist())
    return found


@given(bitmaps(), st.lists(_POSITIONS, max_size=20), st.booleans())
def test_it_says_what_pyroaring_says(bitmap: BitMap64, asked: list[int], optimised: bool) -> None:
    if optimised:
        bitmap.run_optimize()
    edges = [near for each in list(bitmap)[:: max(1, len(bitmap) // 50)] for near in (each - 1, each, each + 1)]
    positions = np.array([each for each in (*asked, *edges) if 0 <= each < 2**32], dtype=np.int64)
    assert holds(bitmap.serialize(), positions).tolist() == [int(each) in bitmap for each in positions]


@given(st.integers(0, 200_000), st.floats(0, 1), st.integers(0, 9))
def test_it_reads_what_the_kernel_wrote(rows: int, share: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random(rows) < share
    written = serialize(np.packbits(mask, bitorder="little"))
    asked = np.random.default_rng(seed).integers(0, max(rows, 1), 50)
    expected = [bool(mask[each]) if rows else False for each in asked]
    assert holds(written, asked).tolist() == expected


def test_it_reads_from_a_mapped_file(tmp_path: Path) -> None:
    path = tmp_path / "bitmap"
    path.write_bytes(BitMap64([3, 90_000]).serialize())
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert holds(memoryview(mapped)[:], np.array([3, 4, 90_000])).tolist() == [True, False, True]


@pytest.mark.parametrize("content", [b"", b"\1", BitMap64([1]).serialize()[:-1], b"\1" + b"\0" * 30])
def test_what_is_no_bitmap_is_noticed(content: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        holds(content, np.array([1]))
    assert caught.value.code == "release-exclusions-damaged"


def test_positions_beyond_a_file_are_no_bitmap_of_a_file() -> None:
    with pytest.raises(IntegrityError):
        holds(BitMap64([2**32]).serialize(), np.array([1]))
