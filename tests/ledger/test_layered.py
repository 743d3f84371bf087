"""A mapping carried forward is the dictionary one would have made."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.ledger.layered import Layered, carried, merged

KEYS = st.integers(0, 60)


@given(
    st.dictionaries(KEYS, st.integers(), max_size=60),
    st.lists(st.dictionaries(KEYS, st.none() | st.integers()), max_size=5),
)
def test_carried_is_what_a_dictionary_would_be(start: dict[int, int], steps: list[dict[int, int | None]]) -> None:
    found: Mapping[int, int] = start
    expected = dict(start)
    for changes in steps:
        before, kept = found, dict(found)
        found = carried(found, changes)
        expected.update({key: value for key, value in changes.items() if value is not None})
        expected = {key: value for key, value in expected.items() if key not in changes or changes[key] is not None}
        assert found == merged(found) == expected
        assert len(found) == len(expected) == len(list(found))
        assert [found.get(key) for key in range(61)] == [expected.get(key) for key in range(61)]
        assert before == kept  # what was handed out stays as it was


def test_few_changes_to_many_entries_copy_nothing() -> None:
    start = dict.fromkeys(range(100_000), 0)
    after = carried(start, {5: 1, 7: None, -1: 2})
    assert isinstance(after, Layered)
    assert (after[5], after[-1], len(after), 7 in after) == (1, 2, 100_000, False)
    with pytest.raises(KeyError):
        after[7]
    assert not isinstance(carried(after, dict.fromkeys(range(50000), 1)), Layered)


class Counted(dict[int, int]):
    """A dictionary that counts what it is asked."""

    asked = 0

    def __contains__(self, key: object) -> bool:
        self.asked += 1
        return super().__contains__(key)


def test_a_change_costs_what_it_is_and_not_what_was_changed_before() -> None:
    start = Counted(dict.fromkeys(range(100_000), 0))
    after = carried(start, dict.fromkeys(range(5_000), 1))
    start.asked = 0
    after = carried(after, {7: None, 100_000: 1, 5: 2, 6_000: None})
    assert start.asked <= 4
    assert len(after) == len(list(after)) == 99_999
