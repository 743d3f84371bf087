"""Who refused with reach `everything`, and what of theirs leaves releases that are sealed.

Of millions of people few say this. They are kept with the position at which it was noticed, so that what a release has
not heard yet is found without going through everybody's choices. A position may be later than the choice, never
earlier: people are then looked at once more, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.corpus.census import Threads
from consentry.corpus.choices import ChoiceColumns, ChoiceSet
from consentry.corpus.mapped import let_go
from consentry.corpus.pseudonym import key_of
from consentry.corpus.sidecar import NOBODY, Sidecar, Span, Version
from consentry.ledger.events import Pseudonym
from consentry.ledger.state import State
from consentry.policy.choice import Choice, LiveChoice
from consentry.policy.matrix import ItemClass
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach

Seats = npt.NDArray[np.uint32]
Rows = npt.NDArray[np.int64]
FoundRows = npt.NDArray[np.uint32]
_SPAN_ROWS = 1 << 20


def reaches_back(choice: Choice | LiveChoice) -> bool:
    """Say whether a choice takes items out of releases that are sealed."""
    return choice.state is ChoiceState.REFUSED and choice.reach is Reach.EVERYTHING


class SingleItem(NamedTuple):
    """One item that the person in a seat refused, by its pseudonym; of one category or of any."""

    seat: int
    category: Category | None
    item: Pseudonym


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What leaves the releases for a purpose: all items of some people, those of a category, and single ones.

    `items` are single items, by pseudonym, that leave whoever they are by.
    """

    people: Seats
    by_category: Mapping[Category, Seats]
    single: Sequence[SingleItem]
    items: Sequence[Pseudonym] = ()

    @property
    def nothing(self) -> bool:
        """Whether nobody said anything that reaches back."""
        return not (self.people.size or self.by_category or self.single or self.items)

    def rows(self, sidecar: Sidecar, items: Sequence[ItemClass]) -> Rows:
        """Return the rows of a file that leave: those that are by or about such people, ascending and distinct."""
        found = [sidecar.rows_of(self.people)]
        for category, seats in self.by_category.items():
            rows = sidecar.rows_of(seats)
            found.append(rows[_of_category(sidecar, rows, items=items, category=category)])
        for each in self.single:
            rows = sidecar.rows_of(np.array([each.seat], dtype=np.uint32))
            rows = rows[sidecar.item[rows] == np.uint64(key_of(each.item))]
            if each.category is not None:
                rows = rows[_of_category(sidecar, rows, items=items, category=each.category)]
            found.append(rows)
        found.append(rows_of_items(sidecar, self.items))
        return np.unique(np.concatenate(found)).astype(np.int64)


def rows_of_items(sidecar: Sidecar, items: Collection[Pseudonym]) -> FoundRows:
    """Return the rows of a file that hold one of these items, ascending."""
    return _rows_of_keys(Span(0, sidecar, 0, sidecar.rows), _keys(items))


def _keys(items: Collection[Pseudonym]) -> npt.NDArray[np.uint64]:
    return np.unique(np.array([key_of(each) for each in items], dtype=np.uint64))


def _rows_of_keys(span: Span, keys: npt.NDArray[np.uint64]) -> FoundRows:
    if not keys.size:
        return np.empty(0, dtype=np.uint32)
    stored = np.asarray(span.sidecar.item[span.start : span.stop], dtype=np.uint64)
    place = np.minimum(np.searchsorted(keys, stored), keys.size - 1)
    return (np.flatnonzero(keys[place] == stored) + span.start).astype(np.uint32)


class KeptRows(NamedTuple):
    """Where these items are, file by file."""

    items: frozenset[Pseudonym]
    rows: Mapping[Version, FoundRows]

    def of(self, files: Sequence[Version]) -> list[FoundRows]:
        """Return the rows of some of the files, in this order."""
        return [self.rows[each] for each in files]


def kept_rows(
    kept: KeptRows | None,
    sidecars: Sequence[Sidecar],
    *,
    files: Sequence[Version],
    items: frozenset[Pseudonym],
    threads: Threads,
) -> KeptRows:
    """Return where these items are: looked for in files and of items that `kept` does not know.

    Looking takes a pass over the column of item keys, which is far longer than deciding the few that are found.
    """
    known = {} if kept is None or kept.items != items else kept.rows
    keys = _keys(items)
    spans = [
        Span(nth, sidecar, start, min(start + _SPAN_ROWS, sidecar.rows))
        for nth, sidecar in enumerate(sidecars)
        if keys.size and files[nth] not in known
        for start in range(0, sidecar.rows, _SPAN_ROWS)
    ]

    def look(span: Span) -> FoundRows:
        rows = _rows_of_keys(span, keys)
        let_go(span.sidecar.item)
        return rows

    found: list[list[FoundRows]] = [[] for _ in sidecars]
    for span, rows in zip(spans, threads.map(look, spans), strict=True):
        found[span.nth].append(rows)
    nothing = np.empty(0, dtype=np.uint32)
    return KeptRows(
        items,
        {
            file: known[file] if file in known else np.concatenate([nothing, *found[nth]])
            for nth, file in enumerate(files)
        },
    )


def _of_category(
    sidecar: Sidecar, rows: npt.NDArray[np.uint32], *, items: Sequence[ItemClass], category: Category
) -> npt.NDArray[np.bool_]:
    such = np.array([kind.category is category for kind in items], dtype=np.bool_)
    found: npt.NDArray[np.bool_] = such[sidecar.klass[rows]]
    return found


class Reaching:
    """Everybody for whom a refusal that reaches back counts, linked accounts among them. Owned by one thread."""

    def __init__(self) -> None:
        self._since: dict[int, int] = {}
        self._newest = -1
        self.joined = 0
        """The newest position at which accounts may have been joined to one person, or a later one."""

    def since(self, position: int) -> list[int]:
        """Return the seats of those for whom one came to count at a position or later, ascending."""
        if position > self._newest:
            return []
        return sorted(seat for seat, noticed in self._since.items() if noticed >= position)

    def positions(self, since: int) -> list[int]:
        """Return the positions at which one came to count, `since` one or later."""
        return [noticed for noticed in self._since.values() if noticed >= since]

    def note(self, seats: Iterable[int], columns: ChoiceColumns, *, position: int) -> None:
        """Look again at people who said something, or were linked, at `position` or before."""
        for seat in seats:
            if any(map(reaches_back, _said(columns, seat))):
                self._since[seat] = self._newest = position
            else:
                self._since.pop(seat, None)

    def rebuild(
        self,
        state: State,
        said: Iterable[tuple[int, int]],
        *,
        columns: ChoiceColumns,
        groups: Mapping[int, tuple[int, ...]],
    ) -> None:
        """Look at everybody anew; `said` are the seat and the position of every choice that reaches back."""
        such = np.array([any(map(reaches_back, choices)) for choices in columns.sets], dtype=np.bool_)
        reaching = such[columns.code]
        for seat, choices in columns.single.items():
            reaching[seat] = any(map(reaches_back, choices))
        self._since = dict.fromkeys(np.flatnonzero(reaching).tolist(), 0)
        joined = self.joined = max([0 if state.people is None else state.people.position, *state.links.values()])
        for seat, position in said:
            for account in groups.get(seat, (seat,)):
                if account in self._since:
                    at = max(position, joined) if seat in groups else position
                    self._since[account] = max(self._since[account], at)
        self._newest = max(self._since.values(), default=-1)


def reached(columns: ChoiceColumns, seats: Sequence[int], *, purpose: Purpose, erased: Seats) -> Reached:
    """Return what leaves the releases for a purpose.

    Args:
        columns: what everybody said.
        seats: whose refusals are looked at.
        purpose: what the releases are for.
        erased: people all of whose items leave.
    """
    whole: list[int] = []
    by_category: dict[Category, list[int]] = {}
    single = []
    for seat in seats:
        about = [choice.key for choice in _said(columns, seat) if _refuses(choice, purpose)]
        if any(key.category is None and key.item is None for key in about):
            whole.append(seat)
            continue
        for key in about:
            if key.item is not None:
                single.append(SingleItem(seat, key.category, key.item))
            elif key.category is not None:
                by_category.setdefault(key.category, []).append(seat)
    people = np.union1d(np.array(whole, dtype=np.uint32), erased)
    return Reached(
        people=people[people != NOBODY],
        by_category={category: np.array(found, dtype=np.uint32) for category, found in by_category.items()},
        single=single,
    )


def _refuses(choice: LiveChoice, purpose: Purpose) -> bool:
    about = choice.key.purpose
    return reaches_back(choice) and (about in purpose.lineage or purpose.covers(about))


def _said(columns: ChoiceColumns, seat: int) -> ChoiceSet:
    """Return what counts for the person in a seat. Times may be left out."""
    return columns.single.get(seat) or columns.sets[int(columns.code[seat])]
