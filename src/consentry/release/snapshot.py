"""Asking about one person: may something of theirs that is created now be used? Answered from memory, in microseconds.

    snapshot = take(present, rules, index=index, key=key, at=now)
    snapshot.may("u-17", purpose=Purpose.TRAIN_GENAI, category=Category.POST).allowed

The answer is that of `evaluate` for an item of this category and visibility, by and about this person alone, created
at the time the snapshot was taken. Of somebody without a seat nothing is known, which denies; an empty id is nobody.
Choices about single items say nothing about a new item, and are not looked at.

A snapshot never changes, and any number of threads may ask it. It holds no ids: besides the people index, which it
shares, two bytes a person, and what was worked out for each use that was asked about. What was said later does not
count until the next snapshot is taken; whoever is still asking this one is not disturbed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from consentry.corpus.classes import PersonClasses
from consentry.corpus.people import PeopleIndex
from consentry.corpus.pseudonym import PseudonymKey, halves, pseudonyms
from consentry.policy.choice import Seconds
from consentry.policy.evaluator import OWNER_UNKNOWN, Decision
from consentry.policy.expressions import Rule
from consentry.policy.matrix import STRANGER, DecisionMatrix, ItemClass, MatrixCompiler
from consentry.policy.vocabulary import CATEGORIES, Category, Purpose, Visibility
from consentry.release.basis import Knowledge
from consentry.release.tables import Bounds


class KnowsPeople(Protocol):
    """What a snapshot is taken of: `consentry.release.present.Present`."""

    def knowledge(self, purpose: Purpose, *, at: Seconds) -> Knowledge:
        """Return what is known for a purpose, ages as of `at`."""
        ...


class Use(NamedTuple):
    """What is asked about."""

    purpose: Purpose
    category: Category
    visibility: Visibility


class _Later(NamedTuple):
    """Whose refusal begins only after the time of the snapshot: seats, and seat * 256 + index of the category."""

    seats: frozenset[int]
    keys: tuple[int, ...]

    def about(self, category: Category) -> frozenset[int]:
        code = CATEGORIES.index(category)
        return self.seats | {key >> 8 for key in self.keys if key & 255 == code}


class _Answers(NamedTuple):
    """The answers about one use by person class, `before` those of people whose refusal begins `later`."""

    by_class: list[Decision]
    before: list[Decision]
    later: frozenset[int]

    @property
    def stranger(self) -> Decision:
        return self.by_class[-1]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Snapshot:
    """The answers at a position of the ledger and a time."""

    position: int
    at: Seconds
    index: PeopleIndex
    key: PseudonymKey
    classes: PersonClasses
    _compilers: Mapping[Purpose, MatrixCompiler]
    _later: Mapping[Purpose, _Later]
    _codes: memoryview
    _answers: dict[tuple[Purpose, Category, Visibility], _Answers] = field(default_factory=dict)

    def rules(self, purpose: Purpose) -> tuple[Rule, ...]:
        """Return the rules that answer about a purpose."""
        return self._compilers[purpose].rules

    @property
    def nbytes(self) -> int:
        """Memory taken for all people, the people index included."""
        return self.index.nbytes + int(self.classes.codes.nbytes)

    def may(
        self, person: str | int, *, purpose: Purpose, category: Category, visibility: Visibility = Visibility.PUBLIC
    ) -> Decision:
        """Decide about a new item of one person.

        Raises:
            KeyError: the snapshot was not taken for this purpose.
        """
        # A plain tuple is equal to a Use, and made in a third of the time.
        answers = self._answers.get((purpose, category, visibility))
        if answers is None:
            answers = self._work_out(Use(purpose, category, visibility))
        high, low = halves(self.key, person)
        seat = self.index.seat_of(high, low)
        if not 0 < seat < len(self._codes):
            # No seat at all, or one that was given after this snapshot was taken.
            return answers.stranger if person != "" else OWNER_UNKNOWN
        if seat in answers.later:
            return answers.before[self._codes[seat]]
        return answers.by_class[self._codes[seat]]

    def may_many(
        self, people: pa.Array, *, purpose: Purpose, category: Category, visibility: Visibility = Visibility.PUBLIC
    ) -> npt.NDArray[np.bool_]:
        """Say about each of a column of people whether a new item of theirs may be used; null and empty ids: no."""
        use = Use(purpose, category, visibility)
        answers = self._answers.get(use) or self._work_out(use)
        seats = self.index.lookup(pseudonyms(self.key, people)) + np.uint32(1)
        # Who has no seat has that of nobody, and is denied like nobody.
        seats[seats >= self.classes.codes.size] = 0
        codes = self.classes.codes[seats]
        allowed: npt.NDArray[np.bool_] = _allowed(answers.by_class)[codes]
        if answers.later:
            waiting = np.isin(seats, np.array(sorted(answers.later), dtype=np.uint32))
            allowed[waiting] = _allowed(answers.before)[codes[waiting]]
        return allowed

    def _work_out(self, use: Use) -> _Answers:
        # Several threads may work out the same: they come to the same, and the last one's is kept.
        compiler = self._compilers[use.purpose]
        people = (*self.classes.members, STRANGER)
        matrix = compiler.compile(people, [ItemClass(use.category, use.visibility)], at=self.at)
        by_class, before = (_decisions(matrix, variant=matrix.variant(self.at, since)) for since in (self.at, None))
        later = self._later[use.purpose].about(use.category)
        answers = self._answers[use] = _Answers(by_class, before, later)
        return answers


def _decisions(matrix: DecisionMatrix, *, variant: int) -> list[Decision]:
    """Return the decision for each person class of a matrix over one item class, dated cells in their `variant`."""
    outcomes = [cell if cell >= 0 else matrix.variants[-1 - cell][variant] for (cell,) in matrix.cells]
    return [matrix.outcomes[outcomes[row]] for row in matrix.person_rows]


def _allowed(decisions: list[Decision]) -> npt.NDArray[np.bool_]:
    return np.fromiter((decision.allowed for decision in decisions), dtype=np.bool_, count=len(decisions))


def take(
    present: KnowsPeople,
    rules: Mapping[Purpose, Iterable[Rule]],
    *,
    index: PeopleIndex,
    key: PseudonymKey,
    at: Seconds,
    like: Snapshot | None = None,
) -> Snapshot:
    """Take a snapshot.

    Args:
        present: what is known of people; not asked again.
        rules: the rules that decide, for each purpose (at least one) the snapshot shall answer about.
        index: the people index that `present` uses.
        key: the key of the domain of people.
        at: the time of the decisions.
        like: an earlier snapshot. Rules that are the same are not compiled again, and the answers about every use that
            it was asked about are worked out at once, so that nobody waits for them later.
    """
    compilers = {purpose: _compiled(tuple(each), purpose, like=like) for purpose, each in rules.items()}
    known = {purpose: present.knowledge(purpose, at=at) for purpose in compilers}
    first = next(iter(known.values()))
    taken = Snapshot(
        position=first.position,
        at=at,
        index=index,
        key=key,
        classes=first.classes,
        _compilers=compilers,
        _later={purpose: _beginning_later(each.bounds, at) for purpose, each in known.items()},
        _codes=first.classes.codes.data,
    )
    for use in [] if like is None else [Use(*each) for each in list(like._answers)]:
        if use.purpose in compilers:
            taken._work_out(use)
    return taken


def _compiled(rules: tuple[Rule, ...], purpose: Purpose, *, like: Snapshot | None) -> MatrixCompiler:
    earlier = None if like is None else like._compilers.get(purpose)
    # Compared by what they say: a policy set that was published anew may decide otherwise.
    applicable = tuple(rule for rule in rules if rule.applies_to(purpose))
    return earlier if earlier is not None and earlier.rules == applicable else MatrixCompiler(rules, purpose)


def _beginning_later(bounds: Bounds, at: Seconds) -> _Later:
    seats = bounds.seats[bounds.everywhere > at]
    return _Later(frozenset(seats.tolist()), tuple(bounds.keys[bounds.since > at].tolist()))
