"""Which choices are about ids that nothing here has. They are kept; most often a list holds other ids than the tables.

A person is known who is in the people table, is an account of somebody, or whom an item of a registered corpus is by or
about. People without an account may refuse as well, before anything of theirs is here: so it is said, and not refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.control_plane.desk import Desk
from consentry.corpus.pseudonym import key_of, of_texts
from consentry.corpus.registration import open_corpus
from consentry.corpus.sidecar import Sidecar
from consentry.errors import ConsentryError
from consentry.ledger.events import ChoiceMade, Pseudonym
from consentry.policy.vocabulary import ChoiceState

_AT_ONCE = 10_000
_SHOWN = 5
Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Unknown:
    """How many choices are about ids that nothing has, and where the first of them stand."""

    choices: int = 0
    where: list[str] = field(default_factory=list)

    def note(self, where: str) -> None:
        """Note one more."""
        self.choices += 1
        if len(self.where) < _SHOWN:
            self.where.append(where)


class Imported(NamedTuple):
    """How many choices were recorded, and which of them are about people and items that nothing here has.

    `without_notice` of them take a no back and name no notice that was shown; `erased` were left out: they are about
    people who were erased.
    """

    recorded: int
    unknown_people: Unknown
    unknown_items: Unknown
    without_notice: Unknown
    erased: Unknown


class UnknownIds:
    """Looks choices over, some thousands at a time, with items of one corpus."""

    def __init__(self, desk: Desk, *, corpus: str | None) -> None:
        self.people, self.items, self.unread, self.erased = Unknown(), Unknown(), Unknown(), Unknown()
        self._left_out = 0
        self._desk = desk
        self._corpus = corpus
        self._waiting: list[tuple[ChoiceMade, str]] = []
        self._present = desk.present()
        self._sidecars: dict[str, list[Sidecar]] = {}
        self._listed: Mask | None = None

    def look(self, choice: ChoiceMade, *, where: str = "") -> None:
        """Look a choice over, or have it wait until there are more."""
        if self._present.state.is_erased(choice.person):
            self.erased.note(where)
            return
        if choice.choice.state is not ChoiceState.REFUSED and choice.notice is None:
            self.unread.note(where)
        self._waiting.append((choice, where))
        if len(self._waiting) >= _AT_ONCE:
            self.done()

    def done(self) -> None:
        """Look over what still waits. What is here and cannot be read makes nobody unknown."""
        waiting, self._waiting = self._waiting, []
        if self._is_empty():
            return
        for (_, where), unknown in zip(waiting, self.unknown([choice.person for choice, _ in waiting]), strict=True):
            if unknown:
                self.people.note(where)
        with suppress(ConsentryError, OSError):
            keys = {key_of(item) for choice, _ in waiting for item in choice.choice.items}
            gone = keys - self._found(keys)
            for choice, where in waiting if gone else ():
                if any(key_of(item) in gone for item in choice.choice.items):
                    self.items.note(where)

    def leave_out(self, _: ChoiceMade) -> None:
        """Count a choice that is not recorded, as it is about somebody who was erased by then."""
        self._left_out += 1

    def unknown(self, people: Sequence[Pseudonym]) -> list[bool]:
        """Say of each whether nothing here has them. What is here and cannot be read makes nobody unknown."""
        if not self._is_empty():
            with suppress(ConsentryError, OSError):
                return [not known for known in self._known_people(people).tolist()]
        return [False] * len(people)

    def imported(self, recorded: int) -> Imported:
        """Return what was found of choices that are recorded now."""
        erased = replace(self.erased, choices=self._left_out)
        return Imported(recorded, self.people, self.items, self.unread, erased)

    def _is_empty(self) -> bool:
        """Say whether there is nothing to hold ids against."""
        return self._present.state.people is None and not self._present.state.corpora

    def _known_people(self, people: Sequence[Pseudonym]) -> Mask:
        index, _ = self._desk.parts.pseudonyms.lookup()
        # The seat of whoever has none is 0, that of nobody.
        seats = index.lookup(of_texts(people)) + np.uint32(1)
        listed = self._in_people_table()
        known: Mask = (seats < listed.size) & listed[np.minimum(seats, listed.size - 1)]
        for name in self._present.state.corpora:
            for sidecar in self._opened(name):
                first = np.searchsorted(sidecar.posting_person, seats, side="left")
                last = np.searchsorted(sidecar.posting_person, seats, side="right")
                known |= (first < last) & (seats > 0)
        for row in np.flatnonzero(~known).tolist():
            seat = int(seats[row])
            groups = self._present.state.group_of(people[row]), self._present.accounts(seat) if seat else ()
            known[row] = any(len(each) > 1 for each in groups)
        return known

    def _in_people_table(self) -> Mask:
        if self._listed is None:
            loaded, parts = self._present.state.people, self._desk.parts
            seats = parts.people.seats
            snapshot = None if loaded is None else loaded.snapshot
            attributes = parts.people.attributes(snapshot, at=parts.clock(), seats=seats)
            self._listed = np.asarray(attributes.known, dtype=np.bool_)
        return self._listed

    def _found(self, keys: set[int]) -> set[int]:
        """Return which of these keys of items the corpus has."""
        if not keys or self._corpus is None:
            return set()
        wanted = np.array(sorted(keys), dtype=np.uint64)
        found = [sidecar.item[np.isin(sidecar.item, wanted)] for sidecar in self._opened(self._corpus)]
        return {int(key) for each in found for key in each}

    def _opened(self, name: str) -> list[Sidecar]:
        if name not in self._sidecars:
            self._sidecars[name] = list(open_corpus(self._desk.corpora, name).sidecars)
        return self._sidecars[name]


def in_json(found: Unknown) -> dict[str, Any]:
    """Return it for programs."""
    return {"choices": found.choices, "where": found.where}
