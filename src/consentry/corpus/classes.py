"""Person classes: which of a few thousand kinds of people each seat belongs to, as of a time and a position.

The class of a person is all that a decision can depend on (`consentry.policy.matrix.PersonClass`). It is worked out
with look-up tables over small integers, never person by person: five million people take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonClasses:
    """`codes[seat]` indexes `members`; members[0] is None: nobody.

    `base[seat]` numbers what the people table says (`base_keys`), and `numbers` the classes by (base, choices,
    notices), so that people who change their mind can be moved without classifying everybody again (`moved`).
    """

    codes: Array
    members: tuple[PersonClass | None, ...]
    base: Array
    base_keys: Sequence[int]
    residences: Sequence[Residing]
    numbers: Mapping[tuple[int, int, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What people said and were told, by seat, as indices into the distinct sets of choices and of notices."""

    choice_code: Array
    choice_sets: Sequence[ChoiceSet]
    notice_code: Array
    notice_sets: Sequence[Notices]


def classify(attributes: Attributes, said: Said) -> PersonClasses:
    """Return the class of every seat."""
    base_key: Array = attributes.residence.astype(np.int64)
    for column, span in (
        (attributes.age, len(AGES)),
        (attributes.account, len(ACCOUNTS)),
        (attributes.known.view(np.uint8), 2),
    ):
        base_key *= span
        base_key += column
    base, base_keys = _number(base_key)
    full: Array = base.astype(np.int64)
    full *= len(said.choice_sets)
    full += said.choice_code
    full *= len(said.notice_sets)
    full += said.notice_code
    codes, full_keys = _number(full)
    listed = base_keys.tolist()
    members: list[PersonClass | None] = [None]
    numbers = {}
    for key in full_keys.tolist():
        rest, notice = divmod(key, len(said.notice_sets))
        base_code, choice = divmod(rest, len(said.choice_sets))
        numbers[base_code, choice, notice] = len(members)
        members.append(
            _member(listed[base_code], attributes.residences, said.choice_sets[choice], said.notice_sets[notice])
        )
    shifted: Array = codes.astype(_code_type(len(members)))
    shifted += 1
    shifted[0] = 0
    return PersonClasses(
        codes=shifted,
        members=tuple(members),
        base=base,
        base_keys=listed,
        residences=attributes.residences,
        numbers=numbers,
    )


def moved(classes: PersonClasses, said: Said, *, seats: Array) -> PersonClasses:
    """Return the classes after the people in `seats` said something; nothing else may have changed."""
    members, numbers = list(classes.members), dict(classes.numbers)
    new = []
    for seat in seats.tolist():
        key = int(classes.base[seat]), int(said.choice_code[seat]), int(said.notice_code[seat])
        if key not in numbers:
            numbers[key] = len(members)
            base_code, choice, notice = key
            members.append(
                _member(
                    classes.base_keys[base_code],
                    classes.residences,
                    said.choice_sets[choice],
                    said.notice_sets[notice],
                )
            )
        new.append(numbers[key])
    codes = classes.codes.astype(_code_type(len(members)), copy=True)
    codes[seats] = new
    return replace(classes, codes=codes, members=tuple(members), numbers=numbers)


def _code_type(classes: int) -> type[np.unsignedinteger[Any]]:
    return np.uint16 if classes <= 1 << 16 else np.uint32


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
