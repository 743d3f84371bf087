"""What the decisions of a release rest on, laid out for the kernel.

A basis is fixed by: the rules, the purpose, the time, and what is known of people and items at a ledger position. The
same basis always gives the same decisions. Two bases of one corpus can be compared row by row, which is how a release
is brought up to date and how two releases are explained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.corpus.choices import ChoiceSet
from consentry.corpus.classes import PersonClasses
from consentry.corpus.columns import UNKNOWN_DATE
from consentry.corpus.population import index_behind
from consentry.corpus.pseudonym import key_of
from consentry.corpus.sidecar import NOBODY, Sidecar
from consentry.policy.choice import Seconds, Standing, standing
from consentry.policy.evaluator import OWNER_UNKNOWN, Decision, evaluate_person
from consentry.policy.expressions import Item, Person, Rule
from consentry.policy.matrix import DecisionMatrix, ItemClass, MatrixCompiler
from consentry.policy.vocabulary import CATEGORIES, Category, Purpose
from consentry.release.reaching import FoundRows, rows_of_items
from consentry.release.tables import Bounds, Tables, strength, tables
from consentry.release.tallies import place_label


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What is known at a position: the class of every seat, dated refusals, and choices about single items.

    `single` holds *all* choices of the people who made one about a single item. `excluded` are the items, by pseudonym,
    that somebody objected to who is not their owner.
    """

    position: int
    classes: PersonClasses
    bounds: Bounds
    single: Mapping[int, ChoiceSet]
    excluded: frozenset[str] = frozenset()


class Fold(NamedTuple):
    """Person classes that this matrix decides alike and that are shown at the same place, as one class.

    `number[class]` is the folded class; `kinds` holds the row of the matrix and the place of each folded class.
    """

    number: npt.NDArray[np.int64]
    kinds: Mapping[tuple[int, str], int]

    @property
    def rows(self) -> tuple[int, ...]:
        """The row of the matrix of each folded class."""
        return tuple(row for row, _ in self.kinds)

    @property
    def places(self) -> tuple[str, ...]:
        """Where the people of each folded class are shown."""
        return tuple(place for _, place in self.kinds)


class OwnDecision(NamedTuple):
    """The decision about one row that somebody made a choice about, and whether it is an involved person's."""

    decision: Decision
    involved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Rules, purpose, time and knowledge, with the tables made of them.

    `fold` says which person classes share cells of the tables; `exceptions[f][row]` is an outcome.
    """

    compiler: MatrixCompiler
    at: Seconds
    knowledge: Knowledge
    items: tuple[ItemClass, ...]
    matrix: DecisionMatrix
    fold: Fold
    look: Tables
    exceptions: tuple[Mapping[int, int], ...]

    @property
    def purpose(self) -> Purpose:
        """What the items are wanted for."""
        return self.compiler.purpose


def lay_out(
    compiler: MatrixCompiler,
    *,
    at: Seconds,
    knowledge: Knowledge,
    items: Sequence[ItemClass],
    sidecars: Sequence[Sidecar],
    like: Basis | None = None,
) -> Basis:
    """Work out the matrix and the items decided by themselves.

    Args:
        compiler: the rules that decide and the purpose.
        at: the time the decisions are as of.
        knowledge: what is known of people.
        items: the item classes of the corpus, in code order.
        sidecars: the files, in release order.
        like: an earlier basis; what is the same in both is not worked out again.
    """
    _check_seats(sidecars, knowledge)
    matrix = compiler.compile(knowledge.classes.members, items, at=at)
    asked = Asked(compiler, at, knowledge, items)
    own = [asked.decisions(sidecar) for sidecar in sidecars]
    further = list(dict.fromkeys(each.decision for file in own for each in file.values()))
    fold = _fold(matrix, knowledge.classes, like=like)
    if like is not None and _same_cells(like, matrix, fold, items=tuple(items), further=further):
        look = replace(like.look, person_class=knowledge.classes.codes, bounds=knowledge.bounds)
    else:
        look = _tables(matrix, fold, items=items, knowledge=knowledge, further=further)
    number = {decision: len(matrix.outcomes) + index for index, decision in enumerate(further)}
    exceptions = tuple(
        {row: number[each.decision] + each.involved * look.involved_offset for row, each in file.items()}
        for file in own
    )
    return Basis(
        compiler=compiler,
        at=at,
        knowledge=knowledge,
        items=tuple(items),
        look=look,
        matrix=matrix,
        fold=fold,
        exceptions=exceptions,
    )


def _tables(
    matrix: DecisionMatrix,
    fold: Fold,
    *,
    items: Sequence[ItemClass],
    knowledge: Knowledge,
    further: Sequence[Decision],
) -> Tables:
    """Lay out folded rows of a matrix."""
    return tables(
        replace(matrix, person_rows=fold.rows),
        person_class=knowledge.classes.codes,
        items=items,
        fold=fold.number,
        bounds=knowledge.bounds,
        further=further,
    )


def _same_cells(
    like: Basis, matrix: DecisionMatrix, fold: Fold, *, items: tuple[ItemClass, ...], further: Sequence[Decision]
) -> bool:
    """Say whether the tables of an earlier basis hold but for what is known of people."""
    outcomes = (*matrix.outcomes, *further)
    return like.matrix is matrix and like.fold is fold and like.items == items and like.look.outcomes == outcomes


def _fold(matrix: DecisionMatrix, classes: PersonClasses, *, like: Basis | None) -> Fold:
    """Fold the person classes, so that what the kernel looks up stays small however many places people live in."""
    begun = Fold(np.empty(0, dtype=np.int64), {})
    if like is not None and _continues(like, matrix, classes):
        begun = like.fold
    folded = begun.number.size
    if folded == len(classes.members):
        return begun
    rest = list(zip(matrix.person_rows[folded:], map(place_label, classes.members[folded:]), strict=True))
    kinds = dict(begun.kinds)
    for kind in rest:
        kinds.setdefault(kind, len(kinds))
    return Fold(np.concatenate([begun.number, [kinds[kind] for kind in rest]]).astype(np.int64), kinds)


def _continues(like: Basis, matrix: DecisionMatrix, classes: PersonClasses) -> bool:
    """Say whether classes and matrix are those of an earlier basis, and perhaps more."""
    members = like.knowledge.classes.members
    return matrix.extends(like.matrix) and classes.members[: len(members)] == members


def _check_seats(sidecars: Sequence[Sidecar], knowledge: Knowledge) -> None:
    for sidecar in sidecars:
        if sidecar.seats > knowledge.classes.codes.size:
            raise index_behind(f"`{sidecar.pin.path}`")


@dataclass(frozen=True, slots=True)
class Asked:
    """Decides single rows in plain Python, with everything the people concerned have said."""

    compiler: MatrixCompiler
    at: Seconds
    knowledge: Knowledge
    items: Sequence[ItemClass]

    def decisions(self, sidecar: Sidecar, excluded_rows: FoundRows | None = None) -> dict[int, OwnDecision]:
        """Return the decision about each row of a file that a choice about a single item concerns.

        `excluded_rows` are those of excluded items, where somebody has looked for them: it takes a pass over a column.
        """
        single, excluded = self.knowledge.single, self.knowledge.excluded
        if not single and not excluded:
            return {}
        seats = np.array(sorted(single), dtype=np.uint32)
        found = rows_of_items(sidecar, excluded) if excluded_rows is None else excluded_rows
        rows = np.union1d(sidecar.rows_of(seats), found)
        keys = sidecar.item[rows]
        wanted: dict[int, str] = {
            key_of(choice.key.item): choice.key.item
            for choices in single.values()
            for choice in choices
            if choice.key.item is not None
        }
        wanted |= {key_of(item): item for item in excluded}
        return {
            int(row): self.decide(sidecar, int(row), item_key=wanted[int(key)])
            for row, key in zip(rows, keys, strict=True)
            if int(key) in wanted
        }

    def decide(self, sidecar: Sidecar, row: int, *, item_key: str) -> OwnDecision:
        """Decide one row as the kernel would: the owner first, then the strongest of those who are against it."""
        kind = self.items[int(sidecar.klass[row])]
        created = UNKNOWN_DATE if sidecar.created is None else int(sidecar.created[row])
        item = Item(
            category=kind.category,
            visibility=kind.visibility,
            created=None if created == UNKNOWN_DATE else created,
            objected=item_key in self.knowledge.excluded,
        )
        owner = self.for_seat(int(sidecar.person[row]), item, item_key=item_key)
        if not owner.allowed:
            return OwnDecision(owner, involved=False)
        first = int(np.searchsorted(sidecar.involved_row, row, side="left"))
        last = int(np.searchsorted(sidecar.involved_row, row, side="right"))
        others = [self.for_seat(int(seat), item, item_key=item_key) for seat in sidecar.involved_person[first:last]]
        against = sorted((decision for decision in others if not decision.allowed), key=strength)
        return OwnDecision(against[0], involved=True) if against else OwnDecision(owner, involved=False)

    def for_seat(self, seat: int, item: Item, *, item_key: str) -> Decision:
        """Decide for one of the people an item involves."""
        person = self.person(seat, item.category, item_key=item_key)
        return OWNER_UNKNOWN if person is None else evaluate_person(self.compiler.rules, person, item=item, at=self.at)

    def person(self, seat: int, category: Category, *, item_key: str | None) -> Person | None:
        """Return what is known of the person in a seat, for an item of `category`; None for nobody."""
        facts = self.knowledge.classes.members[int(self.knowledge.classes.codes[seat])]
        if seat == NOBODY or facts is None:
            return None
        said = self.knowledge.single.get(seat)
        if said is not None:
            return facts.person(standing(said, purpose=self.compiler.purpose, category=category, item=item_key))
        found = facts.standing(self.compiler.purpose, category)
        if found.since is not None:
            bound = self.knowledge.bounds.of(np.array([seat]), np.array([CATEGORIES.index(category)]))
            found = Standing(found.state, int(bound[0]))
        return facts.person(found)


def only_moved(old: Basis, new: Basis, *, seats: npt.NDArray[np.uint32]) -> bool:
    """Say whether two bases of one corpus differ in nothing but what the people in `seats` said."""
    before, after = old.knowledge.classes, new.knowledge.classes
    if old.compiler is not new.compiler or old.items != new.items or after.codes.size < before.codes.size:
        return False
    if not _continues(old, new.matrix, after):
        return False
    moved = np.flatnonzero(after.codes[: before.codes.size] != before.codes)
    return bool(np.isin(moved, seats).all())


def rules_for(rules: Sequence[Rule], *, decides: bool) -> tuple[Rule, ...]:
    """Return the rules if the policy set decides the purpose at all, else none: nothing is permitted."""
    return tuple(rules) if decides else ()


def people_of(basis: Basis, sidecar: Sidecar, *, row: int, item_key: str) -> list[tuple[int, Person | None]]:
    """Return seat and facts of everybody an item involves, the owner first: what `release explain` shows."""
    asked = Asked(basis.compiler, basis.at, basis.knowledge, basis.items)
    category = basis.items[int(sidecar.klass[row])].category
    first, last = (int(np.searchsorted(sidecar.involved_row, row, side=side)) for side in ("left", "right"))
    seats = [int(sidecar.person[row]), *(int(seat) for seat in sidecar.involved_person[first:last])]
    return [(seat, asked.person(seat, category, item_key=item_key)) for seat in seats]
