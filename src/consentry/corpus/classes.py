"""Person classes: which of a few thousand kinds of people each seat belongs to, as of a time and a position.

The class of a person is all that a decision can depend on (`consentry.policy.matrix.PersonClass`). It is worked out
with look-up tables over small integers, never person by person: five million people take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.corpus.choices import ChoiceSet
from consentry.ledger.groups import distinct
from consentry.policy.choice import Seconds
from consentry.policy.matrix import PersonClass
from consentry.policy.vocabulary import ACCOUNTS, AGES, Account, Age

Array = npt.NDArray[Any]
U32 = npt.NDArray[np.uint32]
Notices = tuple[tuple[str, Seconds], ...]

_DENSE_KEYS = 1 << 24
_PART = 1 << 16
_CLOSED = ACCOUNTS.index(Account.CLOSED)
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


class ClassKey(NamedTuple):
    """What makes a person class: what the people table says, as one number, and the codes of choices and notices."""

    base: int
    choices: int
    notices: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonClasses:
    """`codes[seat]` indexes `members`; members[0] is None: nobody.

    `keys` says what makes each class, and `numbers` is the inverse, so that people who change their mind can be moved
    without classifying everybody again (`moved`).
    """

    codes: Array
    members: tuple[PersonClass | None, ...]
    keys: tuple[ClassKey, ...]
    numbers: Mapping[ClassKey, int]
    residences: Sequence[Residing]


class _Base(NamedTuple):
    """What the people table says of somebody, as `_numbered` makes one number of it."""

    residence: int
    age: int
    account: int
    known: int

    @classmethod
    def of(cls, number: int) -> _Base:
        rest, known = divmod(number, 2)
        rest, account = divmod(rest, len(ACCOUNTS))
        residence, age = divmod(rest, len(AGES))
        return cls(residence, age, account, known)

    def number(self) -> int:
        return ((self.residence * len(AGES) + self.age) * len(ACCOUNTS) + self.account) * 2 + self.known


_NOBODY = ClassKey(-1, -1, -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What people said and were told, by seat, as indices into the distinct sets of choices and of notices."""

    choice_code: Array
    choice_sets: Sequence[ChoiceSet]
    notice_code: Array
    notice_sets: Sequence[Notices]


def classify(attributes: Attributes, said: Said) -> PersonClasses:
    """Return the class of every seat."""
    base, base_keys = _numbered(
        (attributes.residence, len(attributes.residences)),
        (attributes.age, len(AGES)),
        (attributes.account, len(ACCOUNTS)),
        (attributes.known.view(np.uint8), 2),
    )
    choices, notices = len(said.choice_sets), len(said.notice_sets)
    codes, found = _numbered((base, len(base_keys)), (said.choice_code, choices), (said.notice_code, notices))
    keys = [_NOBODY]
    for number in found.tolist():
        rest, notice = divmod(number, notices)
        base_code, choice = divmod(rest, choices)
        keys.append(ClassKey(int(base_keys[base_code]), choice, notice))
    shifted: Array = codes.astype(_code_type(len(keys)))
    shifted += 1
    shifted[0] = 0
    return PersonClasses(
        codes=shifted,
        members=(None, *(_member(key, attributes.residences, said) for key in keys[1:])),
        keys=tuple(keys),
        numbers={key: number for number, key in enumerate(keys)},
        residences=attributes.residences,
    )


class Linked(NamedTuple):
    """People whose accounts were linked: all seats of each, and those among them whose owners were erased."""

    groups: Iterable[tuple[int, ...]] = ()
    closed: Container[int] = ()


def moved(classes: PersonClasses, said: Said, *, seats: Array, linked: Linked | None = None) -> PersonClasses:
    """Return the classes after the people in `seats` said something or were linked; nothing else may have changed."""
    members, keys, numbers = list(classes.members), list(classes.keys), dict(classes.numbers)
    residences = list(classes.residences)
    bases = {} if linked is None else dict(_linked_bases(classes, linked, residences))
    new = []
    columns = (seats, classes.codes[seats], said.choice_code[seats], said.notice_code[seats])
    for seat, code, choice, notice in zip(*(column.tolist() for column in columns), strict=True):
        key = ClassKey(bases.get(seat, keys[code].base), choice, notice)
        if key not in numbers:
            numbers[key] = len(members)
            keys.append(key)
            members.append(_member(key, residences, said))
        new.append(numbers[key])
    codes = classes.codes.astype(_code_type(len(members)), copy=True)
    codes[seats] = new
    if len(members) == len(classes.members):
        return replace(classes, codes=codes)
    return PersonClasses(
        codes=codes, members=tuple(members), keys=tuple(keys), numbers=numbers, residences=tuple(residences)
    )


def _linked_bases(classes: PersonClasses, linked: Linked, residences: list[Residing]) -> Iterator[tuple[int, int]]:
    """Yield what the people table says of each seat that was linked, as one number; new `residences` are added.

    What accounts linked before have in common stands for each of them: joining it again is joining what each had.
    """
    codes = {residing: code for code, residing in enumerate(residences)}
    for group in linked.groups:
        own = [_Base.of(classes.keys[code].base) for code in classes.codes[list(group)].tolist()]
        person = _as_one([(residences[each.residence], each.age) for each in own if each.known])
        for seat, base in zip(group, own, strict=True):
            account = _CLOSED if seat in linked.closed else base.account
            if person is None:
                yield seat, base._replace(account=account).number()
                continue
            residing, age = person
            code = codes.setdefault(residing, len(residences))
            if code == len(residences):
                residences.append(residing)
            yield seat, _Base(code, age, account, base.known).number()


def _code_type(classes: int) -> type[np.unsignedinteger[Any]]:
    return np.uint16 if classes <= 1 << 16 else np.uint32


def _member(key: ClassKey, residences: Sequence[Residing], said: Said) -> PersonClass:
    base = _Base.of(key.base)
    places, established = residences[base.residence]
    return PersonClass(
        places=places,
        established=established,
        age=AGES[base.age],
        account=ACCOUNTS[base.account],
        known=bool(base.known),
        choices=said.choice_sets[key.choices],
        notices=said.notice_sets[key.notices],
    )


def _numbered(*columns: tuple[Array, int]) -> tuple[Array, npt.NDArray[np.int64]]:
    """Number the distinct combinations that occur in some columns, ascending.

    Returns the number of each entry, and for each combination its key: the entries of the columns as the digits of one
    number. Works through a few entries at a time, so that what is in between stays in the processor's cache.

    Args:
        columns: each with one more than the largest value it can hold; the first one is the highest digit.
    """
    size, span = columns[0][0].size, prod(width for _, width in columns)
    if span > _DENSE_KEYS:
        distinct, inverse = np.unique(_combined(columns, slice(0, size)), return_inverse=True)
        return inverse, distinct
    parts = [slice(start, start + _PART) for start in range(0, size, _PART)]
    present = np.zeros(span, dtype=np.bool_)
    for part in parts:
        present[_combined(columns, part)] = True
    keys = np.flatnonzero(present)
    table = np.zeros(span, dtype=np.min_scalar_type(keys.size))
    table[keys] = np.arange(keys.size)
    numbers: Array = np.empty(size, dtype=table.dtype)
    for part in parts:
        np.take(table, _combined(columns, part), out=numbers[part], mode="clip")
    return numbers, keys


def _combined(columns: Sequence[tuple[Array, int]], part: slice) -> npt.NDArray[np.int64]:
    (first, _), *rest = columns
    keys: npt.NDArray[np.int64] = first[part].astype(np.int64)
    for column, width in rest:
        keys *= width
        keys += column[part]
    return keys


def join_linked(attributes: Attributes, groups: Mapping[int, tuple[int, ...]]) -> Attributes:
    """Return the attributes with the accounts of one person joined: all their places, the most protected age.

    A person is established only if every account is; one closed account does not close the others.
    """
    if not groups:
        return attributes
    residence, age = attributes.residence.astype(np.int64), attributes.age.copy()
    residences = list(attributes.residences)
    codes = {residing: code for code, residing in enumerate(residences)}
    # The groups share no seat, so their first ones tell them apart.
    for group in {group[0]: group for group in groups.values()}.values():
        known = [other for other in group if attributes.known[other]]
        person = _as_one([(residences[int(residence[other])], int(age[other])) for other in known])
        if person is None:
            continue
        joined, protected = person
        if joined not in codes:
            codes[joined] = len(residences)
            residences.append(joined)
        accounts = list(group)
        residence[accounts] = codes[joined]
        age[accounts] = protected
    return Attributes(
        residences=residences, residence=residence, age=age, account=attributes.account, known=attributes.known
    )


def _as_one(accounts: Sequence[tuple[Residing, int]]) -> tuple[Residing, int] | None:
    """Return where the owner of some accounts lives, and the age as an index into AGES; None if there is none."""
    if not accounts:
        return None
    residing, ages = zip(*accounts, strict=True)
    places = frozenset[str]().union(*(each.places for each in residing))
    age = max(ages, key=lambda code: _AGE_PROTECTION[AGES[code]])
    return Residing(places, all(each.established for each in residing)), age


def close(attributes: Attributes, seats: Array) -> Attributes:
    """Return the attributes with the accounts in `seats` closed: their owners were erased."""
    if not seats.size:
        return attributes
    account = attributes.account.copy()
    account[seats] = _CLOSED
    return Attributes(
        residences=attributes.residences,
        residence=attributes.residence,
        age=attributes.age,
        account=account,
        known=attributes.known,
    )


def with_accounts(seats: U32, groups: Mapping[int, tuple[int, ...]]) -> U32:
    """Return seats with all accounts of the same people, ascending and distinct."""
    if groups:
        linked = seats if seats.size < len(groups) else np.intersect1d(seats, np.fromiter(groups, dtype=np.uint32))
        found = distinct(groups, linked.tolist())
        seats = np.concatenate([seats, *(np.array(group, dtype=np.uint32) for group in found)])
    return np.unique(seats)
