"""Live choices by seat, in the columns the kernel needs.

* `code[seat]` numbers the *set* of a person's choices, times left out; 0 is the empty set. Millions of people share a
  few hundred sets.
* `since[seat]` is the time of a refusal with reach `future`, if the person has exactly one. Whoever has several is in
  `several`: few people.
* Choices about single items are in `single`: few people as well.

Linked accounts: what one account of a person refuses, all of them refuse. An allowance counts only for the account that
gave it, because a choice may spread only towards less use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.policy.choice import ChoiceKey, LiveChoice, Seconds, standing
from consentry.policy.vocabulary import CATEGORIES, ChoiceState, Purpose, Reach

ChoiceSet = tuple[LiveChoice, ...]

_EMPTY: ChoiceSet = ()
_ALL, _NONE = -1, -2
NEVER = 0xFFFF_FFFF
"""Later than every known date of creation: no item is created at or after it."""


class DatedRefusals(NamedTuple):
    """Since when refusals with reach `future` hold.

    `everywhere[k]` is about all categories, for the person in `seats[k]` (ascending). What is about single categories
    is in `keys` (seat * 256 + index of the category, ascending) and `since`.
    """

    seats: npt.NDArray[np.uint32]
    everywhere: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    since: npt.NDArray[np.int64]


@dataclass(slots=True)
class ChoiceColumns:
    """Everybody's live choices. Owned by one thread; what `dated` returns is a copy."""

    code: npt.NDArray[np.unsignedinteger[Any]] = field(default_factory=lambda: np.zeros(1, dtype=np.uint16))
    since: npt.NDArray[np.uint32] = field(default_factory=lambda: np.full(1, NEVER, dtype=np.uint32))
    sets: list[ChoiceSet] = field(default_factory=lambda: [()])
    several: dict[int, ChoiceSet] = field(default_factory=dict)
    single: dict[int, ChoiceSet] = field(default_factory=dict)
    _codes: dict[ChoiceSet, int] = field(default_factory=lambda: {(): 0})

    def grow(self, seats: int) -> None:
        """Make room for `seats` seats (seat 0 included)."""
        more = seats - self.code.size
        if more > 0:
            self.code = np.concatenate([self.code, np.zeros(more, dtype=self.code.dtype)])
            self.since = np.concatenate([self.since, np.full(more, NEVER, dtype=np.uint32)])

    def put(self, seat: int, choices: ChoiceSet) -> None:
        """Set what the person in `seat` has chosen, replacing what was there."""
        if len(choices) == 1 and choices[0].key.item is None:
            # What nearly everybody has who has any.
            timeless: ChoiceSet = (choices[0]._replace(at=0),)
            general: ChoiceSet = choices
            single = _EMPTY
        else:
            general = tuple(choice for choice in choices if choice.key.item is None)
            timeless = tuple(sorted({choice._replace(at=0) for choice in general}, key=_order))
            single = choices if len(general) < len(choices) else _EMPTY
        self._number(seat, timeless)
        dated = tuple(choice for choice in general if _is_dated(choice))
        alone = len(dated) == 1 and 0 <= dated[0].at < NEVER
        self.since[seat] = dated[0].at if alone else NEVER
        for table, kept in ((self.several, () if alone else dated), (self.single, single)):
            if kept:
                table[seat] = kept
            else:
                table.pop(seat, None)

    def _number(self, seat: int, timeless: ChoiceSet) -> None:
        code = self._codes.get(timeless)
        if code is None:
            code = self._codes[timeless] = len(self.sets)
            self.sets.append(timeless)
            if code > np.iinfo(self.code.dtype).max:
                self.code = self.code.astype(np.uint32)
        self.code[seat] = code

    def dated(self, purpose: Purpose) -> DatedRefusals:
        """Return since when dated refusals of a use hold."""
        about = np.array([_about(choices, purpose) for choices in self.sets], dtype=np.int64)
        # Whoever has a time has exactly one dated refusal. Nearly always it is about this use, in all categories.
        seats = np.flatnonzero(self.since != NEVER)
        category, times = about[self.code[seats]], self.since[seats].astype(np.int64)
        everywhere = category == _ALL
        narrow = category >= 0
        keys, since = self._of_several(purpose)
        own_keys = (seats[narrow].astype(np.uint64) << np.uint64(8)) | category[narrow].astype(np.uint64)
        keys = np.concatenate([own_keys, keys])
        since = np.concatenate([times[narrow], since])
        ordered = np.argsort(keys, kind="stable")
        return DatedRefusals(seats[everywhere].astype(np.uint32), times[everywhere], keys[ordered], since[ordered])

    def _of_several(self, purpose: Purpose) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        keys: list[int] = []
        since: list[Seconds] = []
        shapes: dict[tuple[Any, ...], list[tuple[int, tuple[int, ...]]]] = {}
        for seat, choices in self.several.items():
            shape = tuple(choice.key for choice in choices)
            found = shapes.get(shape)
            if found is None:
                found = shapes[shape] = _dated_categories(choices, purpose)
            for code, which in found:
                keys.append(seat * 256 + code)
                since.append(min(choices[index].at for index in which))
        return np.array(keys, dtype=np.uint64), np.array(since, dtype=np.int64)


def _about(choices: ChoiceSet, purpose: Purpose) -> int:
    """Return the category that the one dated refusal of a set is about, as far as the purpose is concerned."""
    found = [choice for choice in choices if _is_dated(choice)]
    if len(found) != 1:
        return _NONE
    category = found[0].key.category
    if standing(found, purpose=purpose, category=category or CATEGORIES[0]).state is not ChoiceState.REFUSED:
        return _NONE
    return _ALL if category is None else CATEGORIES.index(category)


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


def spread(choices: Mapping[int, ChoiceSet], groups: Iterable[Sequence[int]]) -> dict[int, ChoiceSet]:
    """Return what counts for every seat: its own choices, and the refusals of the other accounts of the person.

    Args:
        choices: what each account chose, by seat.
        groups: the seats of each person with several accounts; no seat is in two groups.
    """
    result = dict(choices)
    for group in groups:
        refusals = _strongest(choice for seat in group for choice in choices.get(seat, ()))
        for seat in group:
            if together := tuple(dict.fromkeys([*choices.get(seat, ()), *refusals])):
                result[seat] = together
    return result


def _strongest(choices: Iterable[LiveChoice]) -> list[LiveChoice]:
    """Return a refusal for each thing and reach that some are about: the earliest, since it covers the later ones."""
    found: dict[tuple[ChoiceKey, Reach], LiveChoice] = {}
    for choice in choices:
        if choice.state is ChoiceState.REFUSED:
            earliest = found.setdefault((choice.key, choice.reach), choice)
            if choice.at < earliest.at:
                found[choice.key, choice.reach] = choice
    return list(found.values())
