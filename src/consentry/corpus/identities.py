"""Raw ids, one by one or in whole columns, to what is stored of them: pseudonyms, seats and item keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.corpus.people import PeopleIndex
from consentry.corpus.pseudonym import PseudonymKey, high_words, pseudonym, pseudonyms
from consentry.corpus.pseudonym import Pseudonyms as Pseudonymised
from consentry.errors import InputError
from consentry.ledger.events import Pseudonym


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Raw ids to what is stored of them, under the deployment's key."""

    key: PseudonymKey
    index: PeopleIndex
    _people: PseudonymKey = field(init=False, repr=False, compare=False)
    """Derived once: that takes several times as long as a pseudonym."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_people", self.key.for_people())

    def person(self, person: str) -> Pseudonym:
        """Return the pseudonym of a person id; none has an empty one."""
        _require_id(person, "people-empty-id", "person")
        return pseudonym(self._people, person)

    def item(self, corpus: str, item: str) -> Pseudonym:
        """Return the pseudonym of an item id of a corpus; none has an empty one."""
        _require_id(item, "item-empty-id", "item")
        return pseudonym(self.key.for_items(corpus), item)

    def identities(self, corpus: str, *, seating: bool = True) -> Identities:
        """Return what turns the id columns of a corpus into seats and keys; not `seating`: without new seats."""
        seats = self.index.assign if seating else self.index.lookup
        return Identities(people=self._people, items=self.key.for_items(corpus), ordinals=seats)

    def lookup(self) -> tuple[PeopleIndex, PseudonymKey]:
        """Return what turns ids of people into seats without giving any."""
        return self.index, self._people


@dataclass(frozen=True, slots=True, kw_only=True)
class Identities:
    """Whole columns of ids to seats and keys; see `consentry.corpus.sidecar.Identities`."""

    people: PseudonymKey
    items: PseudonymKey
    ordinals: Callable[[Pseudonymised], npt.NDArray[np.uint32]]

    def seats(self, ids: pa.Array) -> npt.NDArray[np.uint32]:
        """Return the seat of each person id; null and empty ids are nobody."""
        seats: npt.NDArray[np.uint32] = self.ordinals(pseudonyms(self.people, ids)) + np.uint32(1)
        return seats

    def item_keys(self, ids: pa.Array) -> npt.NDArray[np.uint64]:
        """Return the first half of each item's pseudonym."""
        return high_words(self.items, ids)


def _require_id(id: str, code: str, what: str) -> None:  # noqa: A002
    """Refuse an empty id: in content and in tables it is nobody and nothing, so nothing would ever come of it."""
    if not id:
        raise InputError(code, f"the id of the {what} is empty", help="give the id as it stands in the platform's data")
