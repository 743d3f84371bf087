"""What is known now: the ledger's state and everybody's choices by seat, carried forward event by event.

    present.advance(ledger.read(present.position))
    basis = lay_out(..., knowledge=present.knowledge(Purpose.TRAIN_GENAI, at=now))

The present is a cache: everything in it follows from the ledger, the people snapshot and the key. It is owned by one
thread at a time; the `Knowledge` it hands out is immutable and may be shared. What was decided at an earlier position
is brought up to date by `change` over the events since, whoever took them in meanwhile.

Erased people: a token in the ledger recognises a pseudonym, so a seat is closed when its pseudonym answers to a token.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from consentry.corpus.choices import ChoiceColumns, ChoiceSet, spread
from consentry.corpus.classes import (
    Attributes,
    Linked,
    Notices,
    PersonClasses,
    Said,
    classify,
    close,
    join_linked,
    moved,
    with_accounts,
)
from consentry.corpus.people_table import year_of
from consentry.corpus.pseudonym import Pseudonyms
from consentry.corpus.sidecar import NOBODY
from consentry.corpus.single_choices import Own, SingleChoices, singles_of
from consentry.digests import Digest
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade, NoticeServed, PersonLinked, Pseudonym
from consentry.ledger.groups import distinct, joined
from consentry.ledger.objection_events import ItemsExcluded
from consentry.ledger.state import EMPTY, Served, State, Stated, fold
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import ChoiceState, Purpose
from consentry.release.basis import Knowledge
from consentry.release.change import Change, Seats, is_structural
from consentry.release.reaching import Reached, Reaching, reached, reaches_back
from consentry.release.tables import Bounds


class Registry(Protocol):
    """The people of the deployment: seats for pseudonyms."""

    @property
    def seats(self) -> int:
        """Number of seats now, the one of nobody included; other processes may have given some of them."""
        ...

    def seats_of(self, people: Sequence[Pseudonym] | Pseudonyms, *, returned: Collection[str] = ()) -> Seats:
        """Return the seat of each pseudonym, giving new people the next one.

        Who has none and was erased is given none, but that of nobody, unless their suppression token is in `returned`.
        """
        ...

    def pseudonyms_of(self, seats: Sequence[int]) -> list[Pseudonym]:
        """Return the pseudonym in each seat, none of them that of nobody; that of an erased person is random."""
        ...

    def erased(self, tokens: Collection[str]) -> Seats:
        """Return the seats of erased people: those whose pseudonym answers to a suppression token, now or once."""
        ...


class PeopleTables(Protocol):
    """What people snapshots say, by seat."""

    def attributes(self, snapshot: Digest | None, *, at: Seconds, seats: int) -> Attributes:
        """Return what a snapshot says about seats below `seats`, ages as of `at`; all unknown without a snapshot."""
        ...

    def linked(self, snapshot: Digest | None) -> Mapping[int, tuple[int, ...]]:
        """Return, for every seat that a snapshot links to others, all seats of the same person."""
        ...

    def linked_when_erased(self) -> Collection[tuple[int, ...]]:
        """Return the seats of each erased person who had several, or may have had, ascending."""
        ...


class Cohorts(Protocol):
    """The stored lists of people a notice was served to."""

    def cohort(self, digest: Digest) -> Sequence[Pseudonym]:
        """Return the pseudonyms of a cohort."""
        ...


class _Stretch(NamedTuple):
    """Events taken in at once that were not structural: the position of the first one, and whom they concerned."""

    start: int
    seats: Seats


_STRETCHES = 64
_NO_SEATS: Seats = np.empty(0, dtype=np.uint32)


class Present:
    """The state at the newest position it was advanced to, with the columns made of it."""

    def __init__(self, registry: Registry, tables: PeopleTables, *, cohorts: Cohorts) -> None:
        self.registry = registry
        self.tables = tables
        self.cohorts = cohorts
        self._forget()

    def _forget(self) -> None:
        self.state: State = EMPTY
        self.columns = ChoiceColumns()
        self.reaching = Reaching()
        self._stretches: list[_Stretch] = []
        self._groups: Mapping[int, tuple[int, ...]] = {}
        self._notice_code: npt.NDArray[Any] = np.zeros(1, dtype=np.uint16)
        self._notice_sets: list[Notices] = [()]
        self._notice_numbers: dict[Notices, int] = {(): 0}
        self._classes: tuple[int, PersonClasses] | None = None

    @property
    def position(self) -> int:
        """The number of events taken in."""
        return self.state.position

    def advance(self, events: Iterable[Event]) -> None:
        """Take in the events that follow. If that fails all is forgotten: the next call begins at position 0."""
        new = list(events)
        if not new:
            return
        try:
            self.state = fold(self.state, new)
            if is_structural(new):
                self._rebuild()
            else:
                touched = self._take_in(new)
                # Events that concern nobody say nothing: the stretch before them reaches over them.
                if touched.size or not self._stretches:
                    self._stretches = [*self._stretches[1 - _STRETCHES :], _Stretch(new[0].position, touched)]
        except BaseException:
            # A state whose choices did not all reach the columns would let refused items through.
            self._forget()
            raise

    def restore(self, state: State) -> None:
        """Start from a state that was kept, instead of from position 0."""
        self.state = state
        try:
            self._rebuild()
        except BaseException:
            self._forget()
            raise

    def changed_since(self, position: int) -> Seats | None:
        """Return all seats whom events since a position taken in concerned; None if that is not remembered.

        It may name a few seats more. Not remembered is what lies before the last structural change.
        """
        if position == self.position:
            return _NO_SEATS
        first = bisect_right(self._stretches, position, key=lambda stretch: stretch.start) - 1
        if first < 0 or position > self.position:
            return None
        return np.unique(np.concatenate([stretch.seats for stretch in self._stretches[first:]]))

    def change(self, events: Sequence[Event]) -> Change:
        """Return whom `events`, all of them taken in, concerned since the position before them."""
        if is_structural(events):
            return Change(_NO_SEATS, structural=True)
        seats = [self._named(events), *(self._told(served) for served in _servings(events))]
        items = any(isinstance(event.body, ItemsExcluded) for event in events)
        return Change(self._with_accounts(np.concatenate(seats)), structural=False, items=items)

    def accounts(self, seat: int) -> tuple[int, ...]:
        """Return all seats of the person in `seat`, at least that one, ascending."""
        return self._groups.get(seat, (seat,))

    @property
    def groups(self) -> Mapping[int, tuple[int, ...]]:
        """All seats of a person, by each of them, for those who have several. It is never changed, only replaced."""
        return self._groups

    def _named(self, events: Sequence[Event]) -> Seats:
        """Return the seats of those who chose or were linked."""
        bodies = (event.body for event in events)
        named = dict.fromkeys(p for body in bodies if isinstance(body, ChoiceMade | PersonLinked) for p in body.people)
        return _somebody(self._seats_of(list(named)))

    def _seats_of(self, people: Sequence[Pseudonym] | Pseudonyms) -> Seats:
        """Return the seats of people who said something that counts: if they were erased, they said it afterwards.

        That of nobody stands for somebody whom another process is erasing: what they said is about to be gone.
        """
        return self.registry.seats_of(people, returned=self.state.erased)

    def _told(self, served: Served | NoticeServed) -> Seats:
        """Return the seats of those a notice was served to, but for people who were erased since."""
        return _somebody(self.registry.seats_of(self.cohorts.cohort(served.cohort)))

    def _with_accounts(self, seats: Seats) -> Seats:
        return with_accounts(seats, self._groups)

    def _take_in(self, events: Sequence[Event]) -> Seats:
        """Take in events that are not structural, and return whom they concern."""
        linked = [event.body for event in events if isinstance(event.body, PersonLinked)]
        if linked:
            self._groups = self._joined(self._groups, (person for body in linked for person in body.people))
            self.reaching.joined = events[-1].position
        touched = self._with_accounts(self._named(events))
        self._grow(self.registry.seats)
        self._put(touched.tolist())
        self.reaching.note(touched.tolist(), self.columns, position=events[-1].position)
        for served in _servings(events):
            told = self._told(served)
            self._serve(served.notice, told, at=served.at)
            touched = np.union1d(touched, self._with_accounts(told))
        if self._classes is not None and touched.size:
            year, classes = self._classes
            if classes.codes.size != self.columns.code.size:
                self._classes = None
                return touched
            joined_now = self._linked(touched) if linked else None
            self._classes = year, moved(classes, self._said(), seats=touched, linked=joined_now)
        return touched

    def _linked(self, touched: Seats) -> Linked:
        erased = self._with_accounts(np.intersect1d(touched, self.registry.erased(self.state.erased)))
        return Linked(list(distinct(self._groups, touched.tolist())), closed=set(erased.tolist()))

    def _rebuild(self) -> None:
        state = self.state
        singles, people, said = singles_of(state.choices)
        self._stretches = []
        self.columns = ChoiceColumns()
        if state.erased:
            self.registry.erased(state.erased)  # from here on they are known where seats are given
        seats = self._seats_of(singles.people)
        others = self._seats_of([*people, *state.groups]).tolist()[: len(people)]
        snapshot = state.people.snapshot if state.people is not None else None
        self._groups = self._joined(self.tables.linked(snapshot), state.groups)
        self._grow(self.registry.seats)
        self._put_everybody(singles, seats, [*zip(others, said, strict=True)])
        self._notice_sets, self._notice_numbers = [()], {(): 0}
        self._notice_code[:] = 0
        for served in state.notices:
            self._serve(served.notice, self._told(served), at=served.at)
        self._classes = None

    def _joined(
        self, groups: Mapping[int, tuple[int, ...]], people: Iterable[Pseudonym]
    ) -> Mapping[int, tuple[int, ...]]:
        """Return groups of linked seats after joining those whom the ledger names together with each of some people."""
        named = list(distinct(self.state.groups, people))
        members = [person for group in named for person in group]
        seat_of = dict(zip(members, self._seats_of(members).tolist(), strict=True))
        links: list[tuple[int, int]] = []
        for group in named:
            seats = [seat for person in group if (seat := seat_of[person]) != NOBODY]
            links.extend((seats[0], seat) for seat in seats)
        return joined(groups, links)

    def _put_everybody(self, singles: SingleChoices, seats: Seats, others: list[tuple[int, Own]]) -> None:
        """Set what counts for everybody, into new columns."""
        linked_seats = np.zeros(self.columns.code.size, dtype=np.bool_)
        linked_seats[[NOBODY, *self._groups]] = True
        alone = ~linked_seats[seats]
        reaching: list[tuple[int, int]] = []
        for choice, which in singles.by_kind(alone):
            self.columns.put_alike(seats[which], choice, at=singles.at[which])
            if reaches_back(choice):
                reaching += zip(seats[which].tolist(), singles.position[which].tolist(), strict=True)
        others += [(int(seats[index]), (singles.stated(index),)) for index in np.flatnonzero(~alone).tolist()]
        linked: dict[int, ChoiceSet] = {}
        for seat, stated in others:
            if seat == NOBODY:
                continue
            reaching += [(seat, each.position) for each in stated if reaches_back(each.choice)]
            if seat in self._groups:
                linked[seat] = _choices(stated)
            else:
                self.columns.put(seat, _choices(stated))
        groups = {self._groups[seat][0]: self._groups[seat] for seat in linked}
        for seat, choices in spread(linked, groups.values()).items():
            self.columns.put(seat, choices)
        self.reaching.rebuild(self.state, reaching, columns=self.columns, groups=self._groups)

    def _put(self, seats: Sequence[int]) -> None:
        """Set what counts for some seats, among them every account of each person."""
        people = self.registry.pseudonyms_of(seats)
        said = (self.state.choices.get(person, ()) for person in people)
        own = {seat: _choices(stated) for seat, stated in zip(seats, said, strict=True)}
        groups = {group[0]: group for seat in seats if (group := self._groups.get(seat)) is not None}
        together = spread(own, groups.values())
        for seat in seats:
            self.columns.put(seat, together.get(seat, ()))

    def _grow(self, seats: int) -> None:
        self.columns.grow(seats)
        if seats > self._notice_code.size:
            larger = np.zeros(seats, dtype=self._notice_code.dtype)
            larger[: self._notice_code.size] = self._notice_code
            self._notice_code = larger

    def _serve(self, notice: str, seats: Seats, *, at: Seconds) -> None:
        """Number the sets of notices people were served; the first serving of a notice is the one that counts."""
        self._grow(self.registry.seats)
        before = self._notice_code[seats]
        # Not `unique`: its first call imports all of masked arrays.
        for code in np.flatnonzero(np.bincount(before)).tolist():
            held = self._notice_sets[code]
            if any(each == notice for each, _ in held):
                continue
            after = tuple(sorted([*held, (notice, at)]))
            number = self._notice_numbers.setdefault(after, len(self._notice_sets))
            if number == len(self._notice_sets):
                self._notice_sets.append(after)
                if number > np.iinfo(self._notice_code.dtype).max:
                    self._notice_code = self._notice_code.astype(np.uint32)
            self._notice_code[seats[before == code]] = number

    def reached(self, purpose: Purpose, *, since: int) -> Reached:
        """Return whose items are to be taken out of what was sealed for a purpose, by what was said from `since` on.

        It may name people who said it before. Who was erased said it as well: what they refused is not known any more.
        """
        erased = _NO_SEATS
        if self.state.erased and max(self.state.newest_erasure, self.reaching.joined) >= since:
            erased = self._closed()
        found = reached(self.columns, self.reaching.since(since), purpose=purpose, erased=erased)
        return replace(found, items=tuple(self.state.excluded_from(purpose, since=since)))

    def reached_at(self, *, since: int) -> tuple[int, ...]:
        """Return the first and the last position, `since` one or later, at which something of `reached` was noticed."""
        erased = self.state.erased.values() if self.state.newest_erasure >= since else ()
        further = (*erased, *self.state.excluded.values())
        noticed = [*self.reaching.positions(since), *(each for each in further if each >= since)]
        return tuple(sorted({min(noticed), max(noticed)})) if noticed else (self.reaching.joined,)

    def _said(self) -> Said:
        return Said(
            choice_code=self.columns.code,
            choice_sets=self.columns.sets,
            notice_code=self._notice_code,
            notice_sets=self._notice_sets,
        )

    def classes(self, *, at: Seconds) -> PersonClasses:
        """Return the class of every seat, ages as of `at`: the same object while nobody's changes."""
        # Others may be given seats meanwhile: one number for all columns.
        seats = self.registry.seats
        year = year_of(at)
        if self._classes is None or self._classes[0] != year or self._classes[1].codes.size < seats:
            self._grow(seats)
            snapshot = self.state.people.snapshot if self.state.people is not None else None
            attributes = join_linked(self.tables.attributes(snapshot, at=at, seats=seats), self._groups)
            erased = self._closed()
            self._classes = year, classify(close(attributes, erased[erased < seats]), self._said())
        return self._classes[1]

    def _closed(self) -> Seats:
        """Return the seats of erased people and of all who are one person with them.

        What somebody erased had refused nobody knows, so it may be what any of their accounts refused.
        """
        return self._with_accounts(self.registry.erased(self.state.erased))

    def knowledge(self, purpose: Purpose, *, at: Seconds) -> Knowledge:
        """Return what is known for a purpose, ages as of `at`."""
        return Knowledge(
            position=self.position,
            classes=self.classes(at=at),
            bounds=Bounds(*self.columns.dated(purpose)),
            single=dict(self.columns.single),
            excluded=frozenset(self.state.excluded_from(purpose)),
        )


def _somebody(seats: Seats) -> Seats:
    found: Seats = seats[seats != NOBODY]
    return found


def _servings(events: Iterable[Event]) -> list[NoticeServed]:
    return [event.body for event in events if isinstance(event.body, NoticeServed)]


def _choices(said: Iterable[Stated]) -> ChoiceSet:
    return tuple(each.choice for each in said if each.choice.state is not ChoiceState.UNSET)
