"""Ids that occur twice are found, wherever they stand and however near they are to others."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.corpus import unique_ids
from consentry.corpus.unique_ids import first_rows, repeated
from consentry.runners.local import LocalRunner

KEYS = st.integers(0, 7) | st.integers(0, 2**64 - 1) | st.sampled_from([2**64 - 1, 2**32, 2**32 + 1, 2**63])


@settings(deadline=None)
@given(st.lists(st.lists(KEYS, max_size=20), max_size=4), st.sampled_from([1, 2, 5, 1 << 23]))
def test_what_occurs_again_is_found_as_often_as_it_does(columns: list[list[int]], at_once: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unique_ids, "_KEYS_AT_ONCE", at_once)
        found = repeated([np.array(column, dtype=np.uint64) for column in columns], threads=LocalRunner(2))
    counts = Counter(key for column in columns for key in column)
    assert sorted(found.tolist()) == sorted((counts - Counter(dict.fromkeys(counts, 1))).elements())


def test_many_keys_over_several_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unique_ids, "_KEYS_AT_ONCE", 1 << 16)
    keys = np.unique(np.random.default_rng(0).integers(0, 2**64, 1_000_000, dtype=np.uint64))
    columns = [keys[::3], keys[1::3], keys[2::3]]
    assert not repeated(columns, threads=LocalRunner(2)).size
    columns[2] = np.append(columns[2], keys[[5, 77_777]])
    assert sorted(repeated(columns, threads=LocalRunner(2)).tolist()) == keys[[5, 77_777]].tolist()


@given(st.lists(st.lists(KEYS, max_size=9), max_size=4), st.lists(KEYS, min_size=1), st.sampled_from([1, 2, 1 << 20]))
def test_where_the_first_of_some_keys_stands(columns: list[list[int]], keys: list[int], part: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unique_ids, "_FEW_ROWS", part)
        found = first_rows([np.array(each, dtype=np.uint64) for each in columns], of=np.array(keys, dtype=np.uint64))
    assert found == [next((row for row, key in enumerate(each) if key in keys), None) for each in columns]
