"""Whom the notices of a case did not reach: people whose content would be used again if it was lifted now.

Asked of the evaluator, class of people by class of people. A policy that waits for a notice lets nothing through of who
was never told it, so it leaves nobody out; who was told it before, and only waits, is let through sooner or later, and
counts. Who said no to a use is asked nothing again, and is not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.control_plane.desk import Desk
from consentry.control_plane.known import Known
from consentry.corpus.classes import PersonClasses
from consentry.corpus.sidecar import NOBODY
from consentry.digests import Digest
from consentry.ledger.case_events import Step
from consentry.oversight.case import Approval, Case, NotReached
from consentry.oversight.order import Order, Scope
from consentry.policy.choice import Seconds, refused_as_a_whole
from consentry.policy.expressions import Rule
from consentry.policy.matrix import DecisionMatrix, ItemClass, MatrixCompiler, PersonClass
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import CATEGORIES, VISIBILITIES, Purpose
from consentry.release.in_scope import lay_out

Mask = npt.NDArray[np.bool_]

_KINDS = tuple(ItemClass(category, visibility) for category, visibility in product(CATEGORIES, VISIBILITIES))
_COHORTS = 8
"""How many lists of people are remembered: those of a case, while somebody looks at it."""


class Narrowing(NamedTuple):
    """What people agree to: by its digest, and the scope of the order that is left."""

    about: Digest
    scope: Scope


class Telling:
    """Knows who was told. The caller holds the lock of the desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._compilers: dict[tuple[Digest, Purpose, tuple[Rule, ...]], MatrixCompiler] = {}
        self._cohorts: dict[tuple[Digest, int], npt.NDArray[np.uint32]] = {}

    def not_reached(self, case: Case, *, at: Seconds, narrowing: Narrowing | None = None) -> NotReached:
        """Return how many accounts each notice that was served on the approval of a case did not reach.

        `narrowing`: on what two people agreed to, of those whose content is used again under the smaller order.
        """
        approval, served, kept = case.approval, case.served, None
        if narrowing is not None:
            approval = case.approval_of(Step.NARROW, narrowing.about)
            served, kept = case.served_on.get(narrowing.about, {}), narrowing.scope
        if approval is None or not served:
            return {}
        present = self.desk.newest
        concerned = self._concerned(case, present, at=at, kept=kept)
        missed = {notice: concerned & ~self._told(notice, approval, present, seats=concerned.size) for notice in served}
        return Counter({notice: int(np.count_nonzero(mask)) for notice, mask in missed.items()})

    def _concerned(self, case: Case, present: Known, *, at: Seconds, kept: Scope | None) -> Mask:
        """Return the seats of those whose content would be used again, if what is `kept` stays suspended."""
        orders = [each for each in present.record.orders.in_force() if each.order in case.orders]
        others = [each for each in present.record.orders.in_force() if each.order not in case.orders]
        rules = [(each.scope, each.rule) for each in others]
        if kept is not None:
            rules.append((kept, kept.rule(f"{case.case}.kept", why="it stays suspended")))
        found = np.zeros(present.knowledge(Purpose.TRAIN_AI, at=at).classes.codes.size, dtype=np.bool_)
        for policy, document, purpose in self._in_force(present):
            given_back = [order for order in orders if order.scope.concerns(purpose)]
            if not given_back:
                continue
            rest = tuple(rule for scope, rule in rules if scope.names(None) and scope.concerns(purpose))
            classes = present.knowledge(purpose, at=at).classes
            people = [None if each is None else _waited(each) for each in classes.members]
            matrix = self._compiler(policy, document, purpose, rest).compile(people, _KINDS, at=at)
            let_through = _let_through(matrix)
            for order in given_back:
                found |= _of_order(order, classes, let_through, purpose=purpose, at=at)
        found[NOBODY] = False
        return found

    def _in_force(self, present: Known) -> Iterator[tuple[PolicySet, Digest, Purpose]]:
        # Every set in force, not only the one that decides where none is named: a build can name any.
        newest = {each.name: each.digest for each in present.state.policies}
        for document in newest.values():
            policy = self.desk.document(document)
            yield from ((policy, document, purpose) for purpose in Purpose if policy.decides(purpose))

    def _compiler(
        self, policy: PolicySet, document: Digest, purpose: Purpose, rest: tuple[Rule, ...]
    ) -> MatrixCompiler:
        key = (document, purpose, rest)
        if key not in self._compilers:
            # Those of another time are of no use: policies and orders change seldom, and then for good.
            self._compilers = {each: kept for each, kept in self._compilers.items() if each[2] == rest}
            self._compilers[key] = MatrixCompiler((*policy.rules, *rest), purpose)
        return self._compilers[key]

    def _told(self, notice: str, approval: Approval, present: Known, *, seats: int) -> Mask:
        told = np.zeros(seats, dtype=np.bool_)
        for served in present.state.notices:
            if served.notice == notice and served.position > approval.position and served.at >= approval.at:
                reached = self._cohort(served.cohort, present)
                told[reached[reached < seats]] = True
        return told

    def _cohort(self, cohort: Digest, present: Known) -> npt.NDArray[np.uint32]:
        # By whom is linked with whom: one account that was told is a person that was told.
        key = (cohort, present.reaching.joined)
        if key not in self._cohorts:
            while len(self._cohorts) >= _COHORTS:
                del self._cohorts[next(iter(self._cohorts))]
            self._cohorts[key] = present.reached_by(cohort)
        return self._cohorts[key]


def _waited(person: PersonClass) -> PersonClass:
    """Return somebody as they are once the days after everything they were told are over."""
    return person._replace(notices=tuple((notice, 0) for notice, _ in person.notices)) if person.notices else person


def _let_through(matrix: DecisionMatrix) -> Mask:
    """Return by row of a matrix and kind of item whether anything is let through, whenever it was created."""
    allowed = np.array([each.allowed for each in matrix.outcomes], dtype=np.bool_)
    variants = np.array([allowed[list(each)].any() for each in matrix.variants], dtype=np.bool_)
    cells: npt.NDArray[Any] = np.array(matrix.cells, dtype=np.int64).reshape(-1, len(set(matrix.item_columns)))
    found: Mask = np.zeros(cells.shape, dtype=np.bool_)
    found[cells >= 0] = allowed[cells[cells >= 0]]
    found[cells < 0] = variants[-1 - cells[cells < 0]]
    return found[list(matrix.person_rows)][:, list(matrix.item_columns)]


def _of_order(order: Order, classes: PersonClasses, let_through: Mask, *, purpose: Purpose, at: Seconds) -> Mask:
    look = lay_out(order.rule, classes, items=_KINDS, at=at)
    of_class = let_through[:, look.items].any(axis=1)
    of_class &= np.array(
        [each is not None and not refused_as_a_whole(each.choices, purpose) for each in classes.members]
    )
    found: Mask = of_class[classes.codes] & look.seats
    return found
