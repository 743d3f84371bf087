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
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from consentry.corpus.choices import ChoiceColumns, ChoiceSet, spread
from consentry.corpus.classes import Attributes, Notices, PersonClasses, Said, classify, close, join_linked, moved
from consentry.corpus.people_table import year_of
from consentry.digests import Digest
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade, Pseudonym, ReleaseSealed, ReleaseWithdrawn
from consentry.ledger.state import EMPTY, State, fold
from consentry.policy.choice import Seconds
from consentry.policy.vocabulary import Purpose
from consentry.release.basis import Knowledge
from consentry.release.kernel import Bounds

Seats = npt.NDArray[np.uint32]
Array = npt.NDArray[Any]


class Registry(Protocol):
    """The people of the deployment: seats for pseudonyms."""

    @property
    def seats(self) -> int:
        """Number of seats now, the one of nobody included; other processes may have given some of them."""
        ...

    def seats_of(self, people: Sequence[Pseudonym]) -> Seats:
        """Return the seat of each pseudonym, giving new people the next one."""
        ...

    def pseudonym_of(self, seat: int) -> Pseudonym | None:
        """Return the pseudonym in a seat, None for nobody; that of an erased person is random."""
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


class Cohorts(Protocol):
    """The stored lists of people a notice was served to."""

    def cohort(self, digest: Digest) -> Sequence[Pseudonym]:
        """Return the pseudonyms of a cohort."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """What events changed: the choices of these seats only, or (`structural`) anything else."""

    seats: Seats
    structural: bool


class _Stretch(NamedTuple):
    """Events taken in at once that changed choices only: the position of the first one, and whose choices."""

    start: int
    seats: Seats


_STRETCHES = 64
_NO_SEATS: Seats = np.empty(0, dtype=np.uint32)
_WITHOUT_EFFECT = (ReleaseSealed, ReleaseWithdrawn)


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
        self._stretches: list[_Stretch] = []
        self._groups: Mapping[int, tuple[int, ...]] = {}
        self._notice_code: Array = np.zeros(1, dtype=np.uint16)
        self._notice_sets: list[Notices] = [()]
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
                touched = self._take_in([event.body.person for event in new if isinstance(event.body, ChoiceMade)])
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
        """Return all seats whose choices changed since a position taken in; None if that is not remembered.

        It may name a few seats more. Not remembered is what lies before the last change of anything but choices.
        """
        if position == self.position:
            return _NO_SEATS
        starts = [stretch.start for stretch in self._stretches]
        first = bisect_right(starts, position) - 1
        if first < 0 or position > self.position:
            return None
        return np.unique(np.concatenate([stretch.seats for stretch in self._stretches[first:]]))

    def change(self, events: Sequence[Event]) -> Change:
        """Return what `events`, all of them taken in, changed since the position before them."""
        if is_structural(events):
            return Change(_NO_SEATS, structural=True)
        people = dict.fromkeys(event.body.person for event in events if isinstance(event.body, ChoiceMade))
        seats = self.registry.seats_of(list(people)).tolist()
        return Change(np.array(sorted(self._accounts(seats)), dtype=np.uint32), structural=False)

    def accounts(self, seat: int) -> tuple[int, ...]:
        """Return all seats of the person in `seat`, at least that one, ascending."""
        return self._groups.get(seat, (seat,))

    def _accounts(self, seats: Iterable[int]) -> set[int]:
        return {account for seat in seats for account in self.accounts(seat)}

    def _take_in(self, people: Sequence[Pseudonym]) -> Seats:
        named = list(dict.fromkeys(people))
        if not named:
            return _NO_SEATS
        seats = self.registry.seats_of(named).tolist()
        self._grow(self.registry.seats)
        touched = self._accounts(seats)
        if any(seat in self._groups for seat in seats):
            self._put(sorted(touched))
        else:
            for seat, person in zip(seats, named, strict=True):
                self.columns.put(seat, _choices(self.state, person))
        result = np.array(sorted(touched), dtype=np.uint32)
        if self._classes is not None:
            year, classes = self._classes
            grown = classes.codes.size != self.columns.code.size
            self._classes = None if grown else (year, moved(classes, self._said(), seats=result))
        return result

    def _rebuild(self) -> None:
        state = self.state
        people = list(state.choices)
        self._stretches = []
        self.columns = ChoiceColumns()
        self.registry.seats_of([*people, *state.groups])
        self._groups = self._join_groups()
        self._grow(self.registry.seats)
        self._put_all()
        self._serve_notices()
        self._classes = None

    def _join_groups(self) -> Mapping[int, tuple[int, ...]]:
        """Return the groups of linked seats: those the people table names and those the ledger names, joined."""
        snapshot = self.state.people.snapshot if self.state.people is not None else None
        named = list(self.state.groups)
        seat_of = dict(zip(named, self.registry.seats_of(named).tolist(), strict=True))
        parts = [set(group) for group in self.tables.linked(snapshot).values()]
        parts += [{seat_of[person] for person in group} for group in self.state.groups.values()]
        joined: dict[int, set[int]] = {}
        for part in parts:
            whole = part.union(*(joined[seat] for seat in part if seat in joined))
            for seat in whole:
                joined[seat] = whole
        return {seat: tuple(sorted(group)) for seat, group in joined.items()}

    def _put_all(self) -> None:
        people = list(self.state.choices)
        seats = self.registry.seats_of(people).tolist()
        linked: dict[int, ChoiceSet] = {}
        for seat, person in zip(seats, people, strict=True):
            choices = _choices(self.state, person)
            if seat in self._groups:
                linked[seat] = choices
            else:
                self.columns.put(seat, choices)
        for seat, choices in spread(linked, self._groups).items():
            self.columns.put(seat, choices)

    def _put(self, seats: Sequence[int]) -> None:
        """Set what counts for some seats, among them every account of each person."""
        own = {seat: _choices(self.state, self.registry.pseudonym_of(seat) or "") for seat in seats}
        together = spread(own, {seat: self.accounts(seat) for seat in seats})
        for seat in seats:
            self.columns.put(seat, together.get(seat, ()))

    def _grow(self, seats: int) -> None:
        self.columns.grow(seats)
        if seats > self._notice_code.size:
            larger = np.zeros(seats, dtype=np.uint16)
            larger[: self._notice_code.size] = self._notice_code
            self._notice_code = larger

    def _serve_notices(self) -> None:
        """Number the sets of notices people were served; the first serving of a notice is the one that counts."""
        self._notice_sets = [()]
        numbers: dict[Notices, int] = {(): 0}
        self._notice_code[:] = 0
        for served in self.state.notices:
            seats = self.registry.seats_of(self.cohorts.cohort(served.cohort))
            self._grow(self.registry.seats)
            before = self._notice_code[seats]
            for code in np.unique(before).tolist():
                held = self._notice_sets[code]
                if any(notice == served.notice for notice, _ in held):
                    continue
                after = tuple(sorted([*held, (served.notice, served.at)]))
                if after not in numbers:
                    numbers[after] = len(self._notice_sets)
                    self._notice_sets.append(after)
                self._notice_code[seats[before == code]] = numbers[after]

    def _said(self) -> Said:
        return Said(
            choice_code=self.columns.code,
            choice_sets=self.columns.sets,
            notice_code=self._notice_code,
            notice_sets=self._notice_sets,
        )

    def knowledge(self, purpose: Purpose, *, at: Seconds) -> Knowledge:
        """Return what is known for a purpose, ages as of `at`."""
        # Others may be given seats meanwhile: one number for all columns.
        seats = self.registry.seats
        year = year_of(at)
        if self._classes is None or self._classes[0] != year or self._classes[1].codes.size < seats:
            self._grow(seats)
            snapshot = self.state.people.snapshot if self.state.people is not None else None
            attributes = join_linked(self.tables.attributes(snapshot, at=at, seats=seats), self._groups)
            erased = self.registry.erased(self.state.erased)
            self._classes = year, classify(close(attributes, erased[erased < seats]), self._said())
        return Knowledge(
            position=self.position,
            classes=self._classes[1],
            bounds=Bounds(*self.columns.dated(purpose)),
            single=dict(self.columns.single),
        )


def is_structural(events: Iterable[Event]) -> bool:
    """Say whether `events` change more than what some people chose."""
    unremarkable = (ChoiceMade, *_WITHOUT_EFFECT)
    return any(event.body is not None and not isinstance(event.body, unremarkable) for event in events)


def _choices(state: State, person: Pseudonym) -> ChoiceSet:
    return tuple(stated.choice for stated in state.choices.get(person, ()))
