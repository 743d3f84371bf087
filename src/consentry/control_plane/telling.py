"""Whom the notices of a case did not reach: people whose content would be used again if it was lifted now.

Asked of the evaluator, class of people by class of people. A policy that waits for a notice lets nothing through of who
was never told it, so it leaves nobody out; who was told it before, and only waits, is let through sooner or later, and
counts. Who said no to a use is asked nothing again, and is not counted.

Millions are counted, and everybody else waits for the lock of the desk. So what a count rests on is taken with it
(`asked`), as of a position, and counted without it (`count`): nothing in it changes any more. Asked again at a later
position, by who holds the lock or the head, only what changed since is counted anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from consentry.control_plane.desk import Desk
from consentry.control_plane.known import Known
from consentry.corpus.classes import PersonClasses, with_accounts
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
from consentry.release.in_scope import classes_in_scope, kinds_in_scope

Mask = npt.NDArray[np.bool_]
Seats = npt.NDArray[np.uint32]
_Kept = TypeVar("_Kept")

_KINDS = tuple(ItemClass(category, visibility) for category, visibility in product(CATEGORIES, VISIBILITIES))
_KEPT, _COUNTED = 16, 256
"""For how many notices it is remembered who was told, and how many were not: those of cases that somebody looks at."""


class Narrowing(NamedTuple):
    """What people agree to: by its digest, and the scope of the order that is left."""

    about: Digest
    scope: Scope


class _Use(NamedTuple):
    """A use that a policy set in force decides about, and that orders give back; `rest` are those that stay."""

    policy: PolicySet
    document: Digest
    purpose: Purpose
    given_back: tuple[Order, ...]
    rest: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a count rests on, as it was at a position: to be counted at any time, by any thread.

    Attributes:
        at: as of when rules are asked.
        classes: of everybody.
        uses: what would be used again.
        told: the lists of people that each notice was served to since the approval.
        groups: the accounts of each person with several, as of the position `joined`.
    """

    at: Seconds
    classes: PersonClasses
    uses: tuple[_Use, ...]
    told: Mapping[str, tuple[Digest, ...]]
    groups: Mapping[int, tuple[int, ...]]
    joined: int


class _Untold(NamedTuple):
    """How many seats of each class of people were not told."""

    classes: PersonClasses
    seats: npt.NDArray[np.int64]


class Telling:
    """Knows who was told."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._compilers: dict[tuple[Digest, Purpose, tuple[Rule, ...]], MatrixCompiler] = {}
        self._told: dict[Hashable, Mask] = {}
        self._untold: dict[Hashable, _Untold] = {}
        self._keeping = Lock()

    def not_reached(self, case: Case, *, at: Seconds, narrowing: Narrowing | None = None) -> NotReached:
        """Return how many accounts each notice that was served on the approval of a case did not reach.

        It is quick for who counted shortly before. The caller holds the lock of the desk.
        """
        return self.count(self.asked(case, at=at, narrowing=narrowing))

    def asked(self, case: Case, *, at: Seconds, narrowing: Narrowing | None = None) -> Asked | None:
        """Return what the count for a case rests on, None if there is nobody to count. The caller holds the lock.

        `narrowing`: on what two people agreed to, of those whose content is used again under the smaller order.
        """
        approval, served, kept = case.approval, case.served, None
        if narrowing is not None:
            approval = case.approval_of(Step.NARROW, narrowing.about)
            served, kept = case.served_on.get(narrowing.about, {}), narrowing.scope
        if approval is None or not served:
            return None
        present = self.desk.newest
        return Asked(
            at=at,
            classes=present.classes(at=at),
            uses=tuple(self._uses(case, present, kept=kept)),
            told={notice: _served(notice, approval, present) for notice in served},
            groups=present.groups,
            joined=present.reaching.joined,
        )

    def count(self, asked: Asked | None) -> dict[str, int]:
        """Return how many accounts each notice did not reach. The lock of the desk is not needed."""
        if asked is None:
            return {}
        concerned = self._concerned(asked)
        return {notice: int(self._not_told(lists, asked)[concerned].sum()) for notice, lists in asked.told.items()}

    def _uses(self, case: Case, present: Known, *, kept: Scope | None) -> Iterator[_Use]:
        """Yield the uses that the orders of a case give back, if what is `kept` stays suspended."""
        orders = [each for each in present.overseen.orders.in_force() if each.order in case.orders]
        others = [each for each in present.overseen.orders.in_force() if each.order not in case.orders]
        rules = [(each.scope, each.rule) for each in others]
        if kept is not None:
            rules.append((kept, kept.rule(f"{case.case}.kept", why="it stays suspended")))
        for policy, document, purpose in self._in_force(present):
            given_back = tuple(order for order in orders if order.scope.concerns(purpose))
            rest = tuple(rule for scope, rule in rules if scope.names(None) and scope.concerns(purpose))
            if given_back:
                yield _Use(policy, document, purpose, given_back, rest)

    def _in_force(self, present: Known) -> Iterator[tuple[PolicySet, Digest, Purpose]]:
        # Every set in force, not only the one that decides where none is named: a build can name any.
        newest = {each.name: each.digest for each in present.state.policies}
        for document in newest.values():
            policy = self.desk.document(document)
            yield from ((policy, document, purpose) for purpose in Purpose if policy.decides(purpose))

    def _concerned(self, asked: Asked) -> Mask:
        """Return by class of people whether content of theirs would be used again."""
        members = asked.classes.members
        found = np.zeros(len(members), dtype=np.bool_)
        for use in asked.uses:
            there = [classes_in_scope(order.rule, asked.classes, at=asked.at) for order in use.given_back]
            open_to = np.array(
                [each is not None and not refused_as_a_whole(each.choices, use.purpose) for each in members]
            )
            # Rules are asked of nobody else: an order is about few of all classes.
            concerned = np.flatnonzero(open_to & np.any(there, axis=0))
            people = [_waited(each) for number in concerned.tolist() if (each := members[number]) is not None]
            let_through = _let_through(self._compiler(use).compile(people, _KINDS, at=asked.at))
            for order, lives_there in zip(use.given_back, there, strict=True):
                of_kind: Mask = np.any(let_through[:, kinds_in_scope(order.rule, _KINDS)], axis=1)
                found[concerned] |= of_kind & lives_there[concerned]
        return found

    def _compiler(self, use: _Use) -> MatrixCompiler:
        key = (use.document, use.purpose, use.rest)
        with self._keeping:
            if key not in self._compilers:
                # Those of another time are of no use: policies and orders change seldom, and then for good.
                self._compilers = {each: kept for each, kept in self._compilers.items() if each[2] == use.rest}
                self._compilers[key] = MatrixCompiler((*use.policy.rules, *use.rest), use.purpose)
            return self._compilers[key]

    def _not_told(self, lists: tuple[Digest, ...], asked: Asked) -> npt.NDArray[np.int64]:
        """Return how many seats of each class were told by none of some lists; the one of nobody is none."""
        # By whom is linked with whom: one account that was told is a person that was told.
        classes = asked.classes
        key = (lists, asked.joined, classes.codes.size)
        known = self._untold.get(key)
        if known is None or known.classes is not classes:
            told = self._told_by(lists, asked)
            counted = np.bincount(classes.codes[~told], minlength=len(classes.members))
            known = self._keep(self._untold, key, _Untold(classes, counted), most=_COUNTED)
        return known.seats

    def _told_by(self, lists: tuple[Digest, ...], asked: Asked) -> Mask:
        seats = asked.classes.codes.size
        key = (lists, asked.joined, seats)
        told = self._told.get(key)
        if told is None:
            told = np.zeros(seats, dtype=np.bool_)
            told[NOBODY] = True
            for each in lists:
                reached = self._reached(each, asked)
                told[reached[reached < seats]] = True
            self._keep(self._told, key, told, most=_KEPT)
        return told

    def _reached(self, cohort: Digest, asked: Asked) -> Seats:
        people = self.desk.parts.people
        seats = people.seats_of(people.cohort(cohort))
        return with_accounts(seats[seats != NOBODY], asked.groups)

    def _keep(self, kept: dict[Hashable, _Kept], key: Hashable, found: _Kept, *, most: int) -> _Kept:
        with self._keeping:
            kept.pop(key, None)
            while len(kept) >= most:
                del kept[next(iter(kept))]
            kept[key] = found
        return found


def _served(notice: str, approval: Approval, present: Known) -> tuple[Digest, ...]:
    """Return the lists of people that a notice was served to since an approval, each once."""
    return tuple(
        dict.fromkeys(
            served.cohort
            for served in present.state.notices
            if served.notice == notice and served.position > approval.position and served.at >= approval.at
        )
    )


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
