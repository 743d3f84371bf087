"""The decision matrix: `evaluate`, worked out once for every class of person and every class of item.

People who differ in nothing a policy set can see get the same decision, and so do items. A *person class* is all that
is known of a person except the times of dated refusals; an *item class* all that is known of an item except when it
was created. The two dates that matter besides (the bounds in the rules, and the person's own bound where a refusal
reaches only into the future) are worked out as *variants* of a cell.

1. Each person class is reduced to its *signature*: the truth of every condition the rules can ask of a person.
2. Each pair of signature and item kind is evaluated by `evaluate_person`, once for each variant.
3. A cell whose variants agree holds an outcome; else it points at its variants.

INVARIANT: `decide` equals `evaluate_person` for every person of the class, item of the class and date (property test).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from typing import NamedTuple, TypeVar

from consentry.policy.choice import NO_CHOICE, SECONDS_PER_DAY, LiveChoice, Seconds, Standing, standing
from consentry.policy.evaluator import OWNER_UNKNOWN, Decision, evaluate_person
from consentry.policy.expressions import Item, NoticeCondition, Person, Rule
from consentry.policy.jurisdictions import contains
from consentry.policy.vocabulary import CATEGORIES, Account, Age, Category, ChoiceState, Purpose, Visibility


class PersonClass(NamedTuple):
    """All that decisions can depend on in a person, but for the dates of refusals with reach `future`.

    `choices` have their time set to 0; choices about single items are left out: they are decided item by item.
    """

    places: frozenset[str] = frozenset()
    established: bool = False
    age: Age = Age.UNKNOWN
    account: Account = Account.UNKNOWN
    known: bool = True
    choices: tuple[LiveChoice, ...] = ()
    notices: tuple[tuple[str, Seconds], ...] = ()

    def person(self, standing_: Standing) -> Person:
        """Return a person of this class whose choices add up to `standing_`."""
        return Person(
            places=self.places,
            established=self.established,
            age=self.age,
            account=self.account,
            known=self.known,
            standing=standing_,
            notices=dict(self.notices),
        )

    def standing(self, purpose: Purpose, category: Category) -> Standing:
        """Return what the choices add up to; `since` is 0 where a dated refusal decides."""
        return standing(self.choices, purpose=purpose, category=category)


STRANGER = PersonClass(known=False)
"""Somebody of whom nothing is known."""


class ItemClass(NamedTuple):
    """All that decisions and counts can depend on in an item, but for when it was created."""

    category: Category
    visibility: Visibility
    licence: str = ""


@dataclass(frozen=True, slots=True)
class DecisionMatrix:
    """Decisions by person class and item class.

    `cells[person_rows[p]][item_columns[i]]` is an index into `outcomes`, or -1 - k for `variants[k]`. A variants tuple
    holds 2 x (len(thresholds) + 1) + 1 indices into `outcomes`: for each span between thresholds the outcome before and
    from the person's own bound on, and last the outcome for an unknown date.
    """

    outcomes: tuple[Decision, ...]
    thresholds: tuple[Seconds, ...]
    person_rows: tuple[int, ...]
    item_columns: tuple[int, ...]
    cells: tuple[tuple[int, ...], ...]
    variants: tuple[tuple[int, ...], ...]

    def decide(self, person: int, item: int, *, created: Seconds | None, since: Seconds | None) -> Decision:
        """Return the decision for a person class and an item class, by their indices.

        `since` is the person's own bound for the item's category: the time of a refusal with reach `future`.
        """
        cell = self.cells[self.person_rows[person]][self.item_columns[item]]
        if cell < 0:
            cell = self.variants[-1 - cell][self.variant(created, since)]
        return self.outcomes[cell]

    def extends(self, other: DecisionMatrix) -> bool:
        """Say whether this matrix decides the classes of `other` as `other` does, under the same indices."""
        pairs = (
            (self.outcomes, other.outcomes),
            (self.person_rows, other.person_rows),
            (self.cells, other.cells),
            (self.variants, other.variants),
        )
        same = (self.thresholds, self.item_columns) == (other.thresholds, other.item_columns)
        return same and all(mine[: len(theirs)] == theirs for mine, theirs in pairs)

    def variant(self, created: Seconds | None, since: Seconds | None) -> int:
        """Return which of a cell's variants holds for an item created then."""
        if created is None:
            return 2 * (len(self.thresholds) + 1)
        return 2 * bisect_right(self.thresholds, created) + (since is not None and created >= since)


_Signature = tuple[object, ...]
_Kind = tuple[Category, Visibility]
_Asking = Callable[[tuple[_Signature, _Kind], PersonClass | None, Seconds], tuple[Decision, ...]]


class _Growing:
    """A matrix to which person classes are added. What was numbered keeps its number."""

    def __init__(
        self,
        items: tuple[ItemClass, ...],
        *,
        at: Seconds,
        signature_of: Callable[[PersonClass | None], _Signature],
        thresholds: tuple[Seconds, ...],
    ) -> None:
        self.items = items
        self.at = at
        self.people: tuple[PersonClass | None, ...] = ()
        self._signature_of = signature_of
        self._columns, kinds = _index([(each.category, each.visibility) for each in items], items)
        self._kinds = tuple(kinds)
        self._thresholds = thresholds
        self._rows: dict[_Signature, int] = {}
        self._person_rows: list[int] = []
        self._cells: list[tuple[int, ...]] = []
        self._outcomes: dict[Decision, int] = {}
        self._variants: dict[tuple[int, ...], int] = {}
        self.matrix = self._laid_out()

    def leads_to(self, people: tuple[PersonClass | None, ...], items: tuple[ItemClass, ...], *, at: Seconds) -> bool:
        """Say whether adding people can make it the matrix that is asked for."""
        return (items, at) == (self.items, self.at) and people[: len(self.people)] == self.people

    def add(self, people: tuple[PersonClass | None, ...], decisions_of: _Asking) -> None:
        if not people:
            return
        for person in people:
            signature = self._signature_of(person)
            if signature not in self._rows:
                self._rows[signature] = len(self._cells)
                self._cells.append(
                    tuple(self._cell(decisions_of((signature, kind), person, self.at)) for kind in self._kinds)
                )
            self._person_rows.append(self._rows[signature])
        self.people += people
        self.matrix = self._laid_out()

    def _cell(self, decisions: tuple[Decision, ...]) -> int:
        indices = tuple(self._outcomes.setdefault(decision, len(self._outcomes)) for decision in decisions)
        if len(set(indices)) == 1:
            return indices[0]
        return -1 - self._variants.setdefault(indices, len(self._variants))

    def _laid_out(self) -> DecisionMatrix:
        return DecisionMatrix(
            outcomes=tuple(self._outcomes),
            thresholds=self._thresholds,
            person_rows=tuple(self._person_rows),
            item_columns=self._columns,
            cells=tuple(self._cells),
            variants=tuple(self._variants),
        )


@dataclass(slots=True)
class MatrixCompiler:
    """Compiles matrices for one list of rules and one purpose, remembering every cell it ever worked out."""

    rules: tuple[Rule, ...]
    purpose: Purpose
    _remembered: dict[tuple[_Signature, _Kind], tuple[Decision, ...]] = field(default_factory=dict)
    _standings: dict[tuple[LiveChoice, ...], tuple[Standing, ...]] = field(default_factory=dict)
    _growing: _Growing | None = None
    _lock: Lock = field(default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        self.rules = tuple(rule for rule in self.rules if rule.applies_to(self.purpose))

    @property
    def thresholds(self) -> tuple[Seconds, ...]:
        """The creation dates at which some rule changes its mind, ascending."""
        bounds = {rule.created_from for rule in self.rules} | {rule.created_before for rule in self.rules}
        return tuple(sorted(bound for bound in bounds if bound is not None))

    def compile(
        self, people: Sequence[PersonClass | None], items: Sequence[ItemClass], *, at: Seconds
    ) -> DecisionMatrix:
        """Return the matrix over `people` (None: an item without an owner) and `items` as of `at`.

        While choices come in, people are asked for who are those of the last time and a few more: only these are worked
        out. Asked for the same again, the same object is returned.
        """
        asked = tuple(people)
        with self._lock:
            growing = self._growing
            if growing is None or not growing.leads_to(asked, tuple(items), at=at):
                growing = self._growing = _Growing(
                    tuple(items), at=at, signature_of=self._signatures(at), thresholds=self.thresholds
                )
            growing.add(asked[len(growing.people) :], self._variants)
            return growing.matrix

    def _signatures(self, at: Seconds) -> Callable[[PersonClass | None], _Signature]:
        """Return what gives a person's signature as of `at`; places and notices are few, and each is asked once."""
        areas = sorted({area for rule in self.rules for area in rule.inside | rule.outside})
        conditions = {rule.notice for rule in self.rules if rule.notice is not None}

        @cache
        def where(places: frozenset[str]) -> frozenset[tuple[bool | None, ...]]:
            return frozenset(tuple(contains(area, place, at=at) for area in areas) for place in places)

        @cache
        def told(notices: tuple[tuple[str, Seconds], ...]) -> frozenset[NoticeCondition]:
            served = dict(notices)
            return frozenset(
                each
                for each in conditions
                if each.notice in served and at >= served[each.notice] + each.days * SECONDS_PER_DAY
            )

        def signature(person: PersonClass | None) -> _Signature:
            if person is None:
                return ()
            return (
                where(person.places),
                person.established,
                person.age,
                person.account if person.account in (Account.CLOSED, Account.UNCLEAR) else None,
                person.known,
                self._standing(person),
                told(person.notices),
            )

        return signature

    def _standing(self, person: PersonClass) -> tuple[Standing, ...]:
        """Return what the choices add up to, category by category; nothing for somebody without choices."""
        choices = person.choices
        if not choices:
            return ()
        found = self._standings.get(choices)
        if found is None:
            found = self._standings[choices] = tuple(person.standing(self.purpose, category) for category in CATEGORIES)
        return found

    def _variants(
        self, cell: tuple[_Signature, _Kind], person: PersonClass | None, at: Seconds
    ) -> tuple[Decision, ...]:
        found = self._remembered.get(cell)
        if found is None:
            found = self._remembered[cell] = self._work_out(cell[1], person, at)
        return found

    def _work_out(self, kind: _Kind, person: PersonClass | None, at: Seconds) -> tuple[Decision, ...]:
        thresholds = self.thresholds
        if person is None:
            return (OWNER_UNKNOWN,) * (2 * (len(thresholds) + 1) + 1)
        category, visibility = kind
        whole = person.standing(self.purpose, category)
        dated = whole.state is ChoiceState.REFUSED and whole.since is not None
        if not dated and not thresholds:
            # Nothing asks when the item was created.
            item = Item(category=category, visibility=visibility)
            return (evaluate_person(self.rules, person.person(whole), item=item, at=at),) * 3
        before, after = (NO_CHOICE, Standing(ChoiceState.REFUSED)) if dated else (whole, whole)
        decisions = []
        for created in ((thresholds[0] - 1 if thresholds else 0), *thresholds):
            item = Item(category=category, visibility=visibility, created=created)
            decisions += [
                evaluate_person(self.rules, person.person(each), item=item, at=at) for each in (before, after)
            ]
        undated = Item(category=category, visibility=visibility, created=None)
        decisions.append(evaluate_person(self.rules, person.person(whole), item=undated, at=at))
        return tuple(decisions)


_Key = TypeVar("_Key")
_Member = TypeVar("_Member")


def _index(keys: Sequence[_Key], members: Sequence[_Member]) -> tuple[tuple[int, ...], dict[_Key, _Member]]:
    """Number the distinct keys; return the number of each member, and one member for each key in number order."""
    first: dict[_Key, _Member] = {}
    numbers: dict[_Key, int] = {}
    for key, member in zip(keys, members, strict=True):
        if key not in numbers:
            numbers[key] = len(numbers)
            first[key] = member
    return tuple(numbers[key] for key in keys), first
