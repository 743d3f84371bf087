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

Mask = npt.NDArray[np.bool_]
_Keys = npt.NDArray[np.uint32] | npt.NDArray[np.uint64]

_EMPTY: ChoiceSet = ()
_ALL, _NONE = -1, -2
_MANY = 1 << 14
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

    def with_others(self, anew: DatedRefusals, *, seats: npt.NDArray[np.uint32]) -> DatedRefusals:
        """Return the same, but for the people in `seats` (ascending), of whom only what is in `anew` holds."""
        own = _kept(self.seats, seats, seats + np.uint32(1))
        first = seats.astype(np.uint64) << np.uint64(8)
        narrow = _kept(self.keys, first, first + np.uint64(256))
        kept = DatedRefusals(self.seats[own], self.everywhere[own], self.keys[narrow], self.since[narrow])
        place, key_place = np.searchsorted(kept.seats, anew.seats), np.searchsorted(kept.keys, anew.keys)
        return DatedRefusals(
            np.insert(kept.seats, place, anew.seats),
            np.insert(kept.everywhere, place, anew.everywhere),
            np.insert(kept.keys, key_place, anew.keys),
            np.insert(kept.since, key_place, anew.since),
        )


def _kept(keys: _Keys, starts: _Keys, stops: _Keys) -> Mask:
    """Say which keys (ascending) are in none of the ranges from `starts` to `stops`."""
    kept = np.ones(keys.size, dtype=np.bool_)
    first, last = np.searchsorted(keys, starts), np.searchsorted(keys, stops)
    for start, stop in zip(first.tolist(), last.tolist(), strict=True):
        kept[start:stop] = False
    return kept


class _Remembered(NamedTuple):
    """What `dated` returned, and the seats of those who said something since."""

    found: DatedRefusals
    put: set[int]


@dataclass(slots=True)
class ChoiceColumns:
    """Everybody's live choices. Owned by one thread; what `dated` returned is never changed."""

    code: npt.NDArray[np.unsignedinteger[Any]] = field(default_factory=lambda: np.zeros(1, dtype=np.uint16))
    since: npt.NDArray[np.uint32] = field(default_factory=lambda: np.full(1, NEVER, dtype=np.uint32))
    sets: list[ChoiceSet] = field(default_factory=lambda: [()])
    several: dict[int, ChoiceSet] = field(default_factory=dict)
    single: dict[int, ChoiceSet] = field(default_factory=dict)
    _codes: dict[ChoiceSet, int] = field(default_factory=lambda: {(): 0})
    _remembered: dict[Purpose, _Remembered] = field(default_factory=dict)

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
        self.code[seat] = self._number(timeless)
        dated = tuple(choice for choice in general if _is_dated(choice))
        alone = len(dated) == 1 and 0 <= dated[0].at < NEVER
        self.since[seat] = dated[0].at if alone else NEVER
        for table, kept in ((self.several, () if alone else dated), (self.single, single)):
            if kept:
                table[seat] = kept
            else:
                table.pop(seat, None)
        for each in self._remembered.values():
            each.put.add(seat)

    def put_alike(self, seats: npt.NDArray[np.uint32], choice: LiveChoice, *, at: npt.NDArray[np.int64]) -> None:
        """Put for many people who were not put before: each chose the same and no more, about no item, at a time."""
        self.code[seats] = self._number((choice._replace(at=0),))
        if not _is_dated(choice):
            return
        alone = (at >= 0) & (at < NEVER)
        self.since[seats[alone]] = at[alone]
        for seat, when in zip(seats[~alone].tolist(), at[~alone].tolist(), strict=True):
            self.several[seat] = (choice._replace(at=when),)

    def _number(self, timeless: ChoiceSet) -> int:
        code = self._codes.get(timeless)
        if code is None:
            code = self._codes[timeless] = len(self.sets)
            self.sets.append(timeless)
            if code > np.iinfo(self.code.dtype).max:
                self.code = self.code.astype(np.uint32)
        return code

    def dated(self, purpose: Purpose) -> DatedRefusals:
        """Return since when dated refusals of a use hold. Asked again, it looks only at those who were put since."""
        known = self._remembered.get(purpose)
        if known is None or len(known.put) > _MANY:
            found = self._dated(np.flatnonzero(self.since != NEVER), self.several, purpose)
        else:
            put = np.array(sorted(known.put), dtype=np.uint32)
            several = {seat: self.several[seat] for seat in put.tolist() if seat in self.several}
            anew = self._dated(put[self.since[put] != NEVER].astype(np.int64), several, purpose)
            found = known.found.with_others(anew, seats=put) if put.size else known.found
        self._remembered[purpose] = _Remembered(found, set())
        return found

    def _dated(self, seats: npt.NDArray[np.int64], several: Mapping[int, ChoiceSet], purpose: Purpose) -> DatedRefusals:
        """Return what holds for people who have a time (ascending), and for people with several dated refusals."""
        about = np.array([_about(choices, purpose) for choices in self.sets], dtype=np.int64)
        # Whoever has a time has exactly one dated refusal. Nearly always it is about this use, in all categories.
        category, times = about[self.code[seats]], self.since[seats].astype(np.int64)
        everywhere = category == _ALL
        narrow = category >= 0
        keys, since = _of_several(several, purpose)
        own_keys = (seats[narrow].astype(np.uint64) << np.uint64(8)) | category[narrow].astype(np.uint64)
        keys = np.concatenate([own_keys, keys])
        since = np.concatenate([times[narrow], since])
        ordered = np.argsort(keys, kind="stable")
        return DatedRefusals(seats[everywhere].astype(np.uint32), times[everywhere], keys[ordered], since[ordered])


def _of_several(
    several: Mapping[int, ChoiceSet], purpose: Purpose
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    keys: list[int] = []
    since: list[Seconds] = []
    shapes: dict[tuple[Any, ...], list[tuple[int, tuple[int, ...]]]] = {}
    for seat, choices in several.items():
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
