"""Live choices by seat, in the columns the kernel needs.

* `code[seat]` numbers the *set* of a person's choices, times left out; 0 is the empty set. Millions of people share a
  few hundred sets.
* Refusals with reach `future` keep their time in `dated`, choices about single items in `single`: both are few.

Linked accounts: what one account of a person refuses, all of them refuse. An allowance counts only for the account that
gave it, because a choice may spread only towards less use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from consentry.policy.choice import LiveChoice, Seconds, standing
from consentry.policy.vocabulary import CATEGORIES, ChoiceState, Purpose, Reach

ChoiceSet = tuple[LiveChoice, ...]


def merged(own: Iterable[LiveChoice], others: Iterable[LiveChoice]) -> ChoiceSet:
    """Return what counts for one account of a person: its own choices, and the refusals of the other accounts."""
    refusals = (choice for choice in others if choice.state is ChoiceState.REFUSED)
    return tuple(dict.fromkeys([*own, *refusals]))


@dataclass(slots=True)
class ChoiceColumns:
    """Everybody's live choices. Owned by one thread; `frozen_code` hands out a copy for readers."""

    code: npt.NDArray[np.uint16 | np.uint32] = field(default_factory=lambda: np.zeros(1, dtype=np.uint16))
    sets: list[ChoiceSet] = field(default_factory=lambda: [()])
    dated: dict[int, ChoiceSet] = field(default_factory=dict)
    single: dict[int, ChoiceSet] = field(default_factory=dict)
    _codes: dict[ChoiceSet, int] = field(default_factory=lambda: {(): 0})

    def grow(self, seats: int) -> None:
        """Make room for `seats` seats (seat 0 included)."""
        if seats > self.code.size:
            larger = np.zeros(seats, dtype=self.code.dtype)
            larger[: self.code.size] = self.code
            self.code = larger

    def put(self, seat: int, choices: ChoiceSet) -> None:
        """Set what the person in `seat` has chosen, replacing what was there."""
        if len(choices) == 1 and choices[0].key.item is None:
            self._put_one(seat, choices)
            return
        general = [choice for choice in choices if choice.key.item is None]
        timeless = tuple(sorted({choice._replace(at=0) for choice in general}, key=_order))
        number = self._number(timeless)
        self.code[seat] = number
        dated = tuple(choice for choice in general if _is_dated(choice))
        single = tuple(choice for choice in choices if choice.key.item is not None)
        for table, kept in ((self.dated, dated), (self.single, choices if single else ())):
            if kept:
                table[seat] = kept
            else:
                table.pop(seat, None)

    def _put_one(self, seat: int, choices: ChoiceSet) -> None:
        """Set a single general choice: what nearly everybody has who has any."""
        (choice,) = choices
        timeless = (choice._replace(at=0),)
        number = self._number(timeless)
        self.code[seat] = number
        self.single.pop(seat, None)
        if _is_dated(choice):
            self.dated[seat] = choices
        else:
            self.dated.pop(seat, None)

    def _number(self, timeless: ChoiceSet) -> int:
        code = self._codes.get(timeless)
        if code is None:
            code = self._codes[timeless] = len(self.sets)
            self.sets.append(timeless)
            if code > np.iinfo(self.code.dtype).max:
                self.code = self.code.astype(np.uint32)
        return code

    def bounds(self, purpose: Purpose) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Return since when dated refusals hold: keys seat * 256 + category code, ascending, and seconds."""
        keys: list[int] = []
        since: list[Seconds] = []
        shapes: dict[tuple[Any, ...], list[tuple[int, tuple[int, ...]]]] = {}
        for seat, choices in self.dated.items():
            shape = tuple(choice.key for choice in choices)
            found = shapes.get(shape)
            if found is None:
                found = shapes[shape] = _dated_categories(choices, purpose)
            for code, which in found:
                keys.append(seat * 256 + code)
                # Items are created in 1970 or later: an earlier refusal is about all of them.
                since.append(max(0, min(choices[index].at for index in which)))
        ordered = np.argsort(np.array(keys, dtype=np.uint64), kind="stable")
        return np.array(keys, dtype=np.uint64)[ordered], np.array(since, dtype=np.int64)[ordered]


def _is_dated(choice: LiveChoice) -> bool:
    return choice.state is ChoiceState.REFUSED and choice.reach is Reach.FUTURE


def _dated_categories(choices: ChoiceSet, purpose: Purpose) -> list[tuple[int, tuple[int, ...]]]:
    """Return, for each category some of the choices are about, which of them."""
    found = []
    for code, category in enumerate(CATEGORIES):
        concerned = tuple(
            index
            for index, choice in enumerate(choices)
            if standing((choice,), purpose=purpose, category=category).state is ChoiceState.REFUSED
        )
        if concerned:
            found.append((code, concerned))
    return found


def _order(choice: LiveChoice) -> tuple[str, ...]:
    key = choice.key
    return (key.purpose, key.category or "", choice.state, choice.reach)


def spread(choices: Mapping[int, ChoiceSet], groups: Mapping[int, tuple[int, ...]]) -> dict[int, ChoiceSet]:
    """Return what counts for every seat: `choices` by seat, joined over the groups of linked accounts."""
    result = dict(choices)
    for seat, group in groups.items():
        others = (choice for other in group if other != seat for choice in choices.get(other, ()))
        joined = merged(choices.get(seat, ()), others)
        if joined:
            result[seat] = joined
    return result
