"""Person classes: which of a few thousand kinds of people each seat belongs to, as of a time and a position.

The class of a person is all that a decision can depend on (`consentry.policy.matrix.PersonClass`). It is worked out
with look-up tables over small integers, never person by person: five million people take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.corpus.choices import ChoiceSet
from consentry.policy.choice import Seconds
from consentry.policy.matrix import PersonClass
from consentry.policy.vocabulary import ACCOUNTS, AGES, Account, Age

Array = npt.NDArray[Any]
Notices = tuple[tuple[str, Seconds], ...]

_DENSE_KEYS = 1 << 26
_AGE_PROTECTION = {Age.ADULT: 0, Age.UNKNOWN: 1, Age.MINOR: 2}


class Residing(NamedTuple):
    """Candidate places and whether a signal that counts led to them."""

    places: frozenset[str] = frozenset()
    established: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What the people table says, by seat; entry 0 (nobody) is never used.

    `residence` indexes `residences`; `age` indexes AGES as of the time of the decision; `account` indexes ACCOUNTS;
    `known` is False for ids that no people table holds.
    """

    residences: Sequence[Residing]
    residence: Array
    age: npt.NDArray[np.uint8]
    account: npt.NDArray[np.uint8]
    known: npt.NDArray[np.bool_]

    @property
    def seats(self) -> int:
        """Number of seats, the one of nobody included."""
        return int(self.residence.size)


@dataclass(frozen=True, slots=True)
class PersonClasses:
    """`codes[seat]` indexes `members`; members[0] is None: nobody."""

    codes: Array
    members: tuple[PersonClass | None, ...]


def classify(
    attributes: Attributes,
    *,
    choice_code: Array,
    choice_sets: Sequence[ChoiceSet],
    notice_code: Array,
    notice_sets: Sequence[Notices],
) -> PersonClasses:
    """Return the class of every seat.

    Args:
        attributes: by seat.
        choice_code: by seat, index into `choice_sets`.
        choice_sets: live choices with times left out.
        notice_code: by seat, index into `notice_sets`.
        notice_sets: the notices served, each with its time.
    """
    base = attributes.residence.astype(np.int64)
    for column, span in ((attributes.age, len(AGES)), (attributes.account, len(ACCOUNTS)), (attributes.known, 2)):
        base *= span
        base += column
    base_code, base_keys = _number(base)
    full = base_code.astype(np.int64)
    full *= len(choice_sets)
    full += choice_code
    full *= len(notice_sets)
    full += notice_code
    codes, keys = _number(full)
    members: list[PersonClass | None] = [None]
    for key in keys.tolist():
        rest, notice = divmod(key, len(notice_sets))
        base_index, choice = divmod(rest, len(choice_sets))
        members.append(
            _member(int(base_keys[base_index]), attributes.residences, choice_sets[choice], notice_sets[notice])
        )
    dtype = np.uint16 if len(members) <= 1 << 16 else np.uint32
    shifted = codes.astype(dtype)
    shifted += 1
    shifted[0] = 0
    return PersonClasses(shifted, tuple(members))


def _member(key: int, residences: Sequence[Residing], choices: ChoiceSet, notices: Notices) -> PersonClass:
    key, known = divmod(key, 2)
    key, account = divmod(key, len(ACCOUNTS))
    residence, age = divmod(key, len(AGES))
    places, established = residences[residence]
    return PersonClass(
        places=places,
        established=established,
        age=AGES[age],
        account=ACCOUNTS[account],
        known=bool(known),
        choices=choices,
        notices=notices,
    )


def _number(keys: npt.NDArray[np.int64]) -> tuple[Array, npt.NDArray[np.int64]]:
    """Number the distinct keys in ascending order; return the number of each entry, and the keys."""
    highest = int(keys.max(initial=0))
    if highest >= _DENSE_KEYS:
        distinct, numbers = np.unique(keys, return_inverse=True)
        return numbers, distinct
    present = np.zeros(highest + 1, dtype=np.bool_)
    present[keys] = True
    distinct = np.flatnonzero(present)
    table = np.zeros(highest + 1, dtype=np.uint32)
    table[distinct] = np.arange(distinct.size, dtype=np.uint32)
    return table[keys], distinct


def join_linked(attributes: Attributes, groups: Mapping[int, tuple[int, ...]]) -> Attributes:
    """Return the attributes with the accounts of one person joined: all their places, the most protected age.

    A person is established only if every account is; one closed account does not close the others.
    """
    if not groups:
        return attributes
    residence, age = attributes.residence.astype(np.int64), attributes.age.copy()
    residences = list(attributes.residences)
    codes = {residing: code for code, residing in enumerate(residences)}
    for seat, group in groups.items():
        found = [attributes.residences[int(attributes.residence[other])] for other in group if attributes.known[other]]
        ages = [AGES[int(attributes.age[other])] for other in group if attributes.known[other]]
        if not found:
            continue
        joined = Residing(frozenset().union(*(each.places for each in found)), all(each.established for each in found))
        if joined not in codes:
            codes[joined] = len(residences)
            residences.append(joined)
        residence[seat] = codes[joined]
        age[seat] = AGES.index(max(ages, key=_AGE_PROTECTION.__getitem__))
    return Attributes(
        residences=residences, residence=residence, age=age, account=attributes.account, known=attributes.known
    )


def close(attributes: Attributes, seats: Array) -> Attributes:
    """Return the attributes with the accounts in `seats` closed: their owners were erased."""
    if not seats.size:
        return attributes
    account = attributes.account.copy()
    account[seats] = ACCOUNTS.index(Account.CLOSED)
    return Attributes(
        residences=attributes.residences,
        residence=attributes.residence,
        age=attributes.age,
        account=account,
        known=attributes.known,
    )
