"""Choices as an image has them: looked up in its table, so that a start makes no objects of a million of them.

A row of the table (`ROW`, little-endian) is person (16 bytes), key `u32`, state `u8`, reach `u8`, at `i64`, position
`u64`. Rows of one person lie together in the order in which a state has them, and people ascend.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, takewhile
from operator import itemgetter
from struct import Struct
from typing import Any

from consentry.ledger.events import Pseudonym
from consentry.ledger.state import Stated
from consentry.policy.choice import ChoiceKey, LiveChoice
from consentry.policy.vocabulary import ChoiceState, Reach

ROW = Struct("<16sIBBqQ")
STATES = tuple(ChoiceState)
REACHES = tuple(Reach)
_PERSON_BYTES = 16


class KeptChoices(Mapping[Pseudonym, tuple[Stated, ...]]):
    """What people chose, by person. `abouts` are what the rows of `table` number; nobody changes either."""

    __slots__ = ("_people", "abouts", "table")

    def __init__(self, table: memoryview, abouts: Sequence[ChoiceKey], *, people: int) -> None:
        self.table = table
        self.abouts = abouts
        self._people = people

    def __getitem__(self, person: Pseudonym) -> tuple[Stated, ...]:
        row = self.row_of(person)
        if row is None:
            raise KeyError(person)
        raw = self._person_at(row)
        rows = ROW.iter_unpack(self.table[row * ROW.size :])
        return self.stated(takewhile(lambda each: each[0] == raw, rows))

    def __iter__(self) -> Iterator[Pseudonym]:
        return (raw.hex() for raw, _ in self._by_person())

    def __len__(self) -> int:
        return self._people

    def items(self) -> ItemsView[Pseudonym, tuple[Stated, ...]]:
        """Return everybody with what they chose, without looking anybody up."""
        return _Items(self)

    def row_of(self, person: Pseudonym) -> int | None:
        """Return the row at which a person begins, None for who chose nothing."""
        wanted, rows = bytes.fromhex(person), len(self.table) // ROW.size
        row = bisect_left(range(rows), wanted, key=self._person_at)
        return row if row < rows and self._person_at(row) == wanted else None

    def between(self, start: int, stop: int) -> tuple[Stated, ...]:
        """Return what stands in the rows [`start`, `stop`)."""
        return self.stated(ROW.iter_unpack(self.table[start * ROW.size : stop * ROW.size]))

    def stated(self, rows: Iterable[tuple[Any, ...]]) -> tuple[Stated, ...]:
        """Return what stands in some rows."""
        return tuple(
            Stated(LiveChoice(self.abouts[key], STATES[state], REACHES[reach], at), position)
            for _, key, state, reach, at, position in rows
        )

    def _person_at(self, row: int) -> bytes:
        start = row * ROW.size
        return bytes(self.table[start : start + _PERSON_BYTES])

    def _by_person(self) -> Iterator[tuple[bytes, Iterator[tuple[Any, ...]]]]:
        return groupby(ROW.iter_unpack(self.table), key=itemgetter(0))


class _Items(ItemsView[Pseudonym, tuple[Stated, ...]]):
    _mapping: KeptChoices

    def __iter__(self) -> Iterator[tuple[Pseudonym, tuple[Stated, ...]]]:
        for raw, rows in self._mapping._by_person():
            yield raw.hex(), self._mapping.stated(rows)
