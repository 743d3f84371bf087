"""What is known now: the ledger's state and everybody's choices by seat, carried forward event by event.

    present.advance(ledger.read(present.position))
    basis = lay_out(..., knowledge=present.knowledge(Purpose.TRAIN_GENAI, at=now))

The present is a cache: everything in it follows from the ledger, the people snapshot and the key. It is owned by one
thread at a time; the `Knowledge` it hands out is immutable and may be shared.

Erased people: a token in the ledger recognises a pseudonym, so a seat is closed when its pseudonym answers to a token.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from consentry.corpus.choices import ChoiceColumns, ChoiceSet, spread
from consentry.corpus.classes import Attributes, Notices, PersonClasses, Said, classify, close, join_linked, moved
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
        """Number of seats, the one of nobody included."""
        ...

    def seats_of(self, people: Sequence[Pseudonym]) -> Seats:
        """Return the seat of each pseudonym, giving new people the next one."""
        ...

    def erased(self, tokens: Collection[str]) -> Seats:
        """Return the seats whose pseudonym answers to one of the suppression tokens."""
        ...


class PeopleTables(Protocol):
    """What people snapshots say, by seat."""

    def attributes(self, snapshot: Digest | None, *, at: Seconds) -> Attributes:
        """Return what a snapshot says about every seat, ages as of `at`; all unknown without a snapshot."""
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


_NO_SEATS: Seats = np.empty(0, dtype=np.uint32)
_WITHOUT_EFFECT = (ReleaseSealed, ReleaseWithdrawn)


class Present:
    """The state at the newest position it was advanced to, with the columns made of it."""

    def __init__(self, registry: Registry, tables: PeopleTables, cohorts: Cohorts) -> None:
        self.registry = registry
        self.tables = tables
        self.cohorts = cohorts
        self.state: State = EMPTY
        self.columns = ChoiceColumns()
        self._groups: Mapping[int, tuple[int, ...]] = {}
        self._notice_code: Array = np.zeros(1, dtype=np.uint16)
        self._notice_sets: list[Notices] = [()]
        self._classes: tuple[Seconds, PersonClasses] | None = None

    @property
    def position(self) -> int:
        """The number of events taken in."""
        return self.state.position

    def advance(self, events: Iterable[Event]) -> Change:
        """Take in the events that follow, and say what they changed."""
        new = list(events)
        if not new:
            return Change(_NO_SEATS, structural=False)
        self.state = fold(self.state, new)
        bodies = [event.body for event in new if event.body is not None]
        said = [body for body in bodies if isinstance(body, ChoiceMade)]
        if len(said) + sum(isinstance(body, _WITHOUT_EFFECT) for body in bodies) < len(bodies):
            self._rebuild()
            return Change(_NO_SEATS, structural=True)
        return Change(self._take_in([body.person for body in said]), structural=False)

    def _take_in(self, people: Sequence[Pseudonym]) -> Seats:
        named = list(dict.fromkeys(people))
        if not named:
            return _NO_SEATS
        seats = self.registry.seats_of(named)
        self._grow()
        concerned = {int(seat): person for seat, person in zip(seats, named, strict=True)}
        touched = {other for seat in concerned for other in self._groups.get(seat, (seat,))}
        if len(touched) > len(concerned) or any(seat in self._groups for seat in concerned):
            self._put_all(only=touched)
        else:
            for seat, person in concerned.items():
                self.columns.put(seat, _choices(self.state, person))
        result = np.array(sorted(touched), dtype=np.uint32)
        if self._classes is not None:
            at, classes = self._classes
            grown = classes.codes.size != self.registry.seats
            self._classes = None if grown else (at, moved(classes, self._said(), result))
        return result

    def _rebuild(self) -> None:
        state = self.state
        people = list(state.choices)
        self.columns = ChoiceColumns()
        self.registry.seats_of([*people, *state.groups])
        self._groups = self._join_groups()
        self._grow()
        self._put_all(only=None)
        self._serve_notices()
        self._grow()
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

    def _put_all(self, *, only: set[int] | None) -> None:
        people = list(self.state.choices)
        by_seat: dict[int, ChoiceSet] = {}
        for seat, person in zip(self.registry.seats_of(people).tolist(), people, strict=True):
            by_seat[seat] = _choices(self.state, person)
        everything = spread(by_seat, self._groups)
        if only is None:
            for seat, choices in everything.items():
                self.columns.put(seat, choices)
            return
        for seat in only:
            self.columns.put(seat, everything.get(seat, ()))

    def _grow(self) -> None:
        seats = self.registry.seats
        self.columns.grow(seats)
        if seats > self._notice_code.size:
            larger = np.zeros(seats, dtype=np.uint16)
            larger[: self._notice_code.size] = self._notice_code
            self._notice_code = larger

    def _serve_notices(self) -> None:
        """Number the sets of notices people were served; the first serving of a notice is the one that counts."""
        self._notice_sets = [()]
        numbers: dict[Notices, int] = {(): 0}
        self._notice_code = np.zeros(self.registry.seats, dtype=np.uint16)
        for served in self.state.notices:
            seats = self.registry.seats_of(self.cohorts.cohort(served.cohort))
            self._grow()
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
        if self._classes is None or self._classes[0] != at or self._classes[1].codes.size != self.registry.seats:
            self._grow()
            snapshot = self.state.people.snapshot if self.state.people is not None else None
            attributes = join_linked(self.tables.attributes(snapshot, at=at), self._groups)
            attributes = close(attributes, self.registry.erased(self.state.erased))
            self._classes = at, classify(attributes, self._said())
        return Knowledge(
            position=self.position,
            classes=self._classes[1],
            bounds=Bounds(*self.columns.bounds(purpose)),
            single=dict(self.columns.single),
        )


def _choices(state: State, person: Pseudonym) -> ChoiceSet:
    return tuple(stated.choice for stated in state.choices.get(person, ()))
