"""Postings are all pairs of seat and position, in order of both, however few or many people there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.corpus.postings import in_order

# Few people, people whose first bits differ, and more people than a part can count.
SEATS = st.integers(0, 3) | st.integers(0, 1 << 20) | st.integers(0, 2**32 - 2)


def check(person: list[int], pairs: list[tuple[int, int]]) -> None:
    rows = np.array([row for row, _ in pairs], dtype=np.uint32)
    people = np.array([seat for _, seat in pairs], dtype=np.uint32)
    seats, positions = in_order(np.array(person, dtype=np.uint32), rows=rows, people=people)
    assert seats.dtype == positions.dtype == np.uint32
    expected = sorted([*zip(person, range(len(person)), strict=True), *((seat, row) for row, seat in pairs)])
    assert list(zip(seats.tolist(), positions.tolist(), strict=True)) == expected


@settings(deadline=None)
@given(st.lists(SEATS, max_size=40), st.data())
def test_pairs_are_in_order_of_seat_and_position(person: list[int], data: st.DataObject) -> None:
    rows = st.integers(0, len(person) - 1) if person else st.nothing()
    pairs = sorted(data.draw(st.lists(st.tuples(rows, SEATS), max_size=20))) if person else []
    check(person, pairs)


@pytest.mark.parametrize("most", [1, 1 << 8, 1 << 17, 5_000_000, 1 << 24, 1 << 25])
@pytest.mark.parametrize("further", [0, 1_000])
def test_many_pairs(most: int, further: int) -> None:
    generator = np.random.default_rng(most)
    person = (generator.random(20_000) ** 3 * most).astype(np.uint32).tolist()
    rows = np.sort(generator.integers(0, 20_000, further)).tolist()
    check(person, list(zip(rows, generator.integers(0, most + 1, further).tolist(), strict=True)))
