"""The steps of a case that give something back or end it: approve, lift, narrow, withdraw, prohibit.

Each of them is one append while the head of the ledger is held. Lifting is the COMMIT POINT of giving a use back: the
ends of all orders of the case and the end of the case are in the ledger together, or none of them is.
"""

from __future__ import annotations

from dataclasses import dataclass

from consentry.control_plane.casework import Casework
from consentry.control_plane.wording import require_handle, require_texts
from consentry.digests import digest_json
from consentry.errors import ConflictError, InputError, StateError
from consentry.ledger.case_events import ApprovalGiven, CaseEnd, CaseEnded, CaseNarrowed, Handle, Step
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight.case import APPROVALS, Case, Obstacle, lifted, what_stands_in_the_way
from consentry.oversight.order import Scope, is_inside, issue


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """Who agreed to a step that takes two people, and whether it was done with that."""

    by: tuple[Handle, ...]
    done: bool
    orders: tuple[str, ...] = ()
    """Orders that were issued."""


class CaseSteps(Casework):
    """Verbs that take a case further."""

    def approve(self, name: str, *, by: Handle) -> tuple[Obstacle, ...]:
        """Approve lifting a case; return what has to be done before anybody can, nothing if the approval counts.

        Raises:
            ConflictError: this person approved already, and nothing has changed since.
        """
        require_handle(by)
        obstacles: list[Obstacle] = []

        def approve(case: Case) -> list[Body]:
            answers = self.answers(case)
            missing = what_stands_in_the_way(case, self.parts.clock(), answers=answers)
            obstacles.extend(each for each in missing if each.kind in ("suspension", "review", "condition"))
            if obstacles:
                return []
            _require_first_time(case, by, Step.LIFT)
            return [ApprovalGiven(case=name, step=Step.LIFT, about=None, by=by)]

        self._in_case(name, approve)
        return tuple(obstacles)

    def lift(self, name: str, *, by: Handle, reference: str) -> tuple[Obstacle, ...]:
        """End all orders of a case, if nothing stands in the way; return what does.

        Raises:
            StateError: the case is over.
        """
        require_handle(by)
        require_texts(reference=reference)
        while True:
            with self.lock:
                case = self.case(name)
                # Before the head is held: checks take a moment, and everybody else would wait for them.
                looked_at, answers = self._looked_at(case), self.answers(case)
            with self.lock, self.parts.ledger.sealing() as session:
                self._advance(session.read_delta(self.newest.position))
                case = self._case_at_head(name)
                if self._looked_at(case) != looked_at:
                    continue
                case.require_open()
                at = self.parts.clock()
                obstacles = what_stands_in_the_way(case, at, answers=answers)
                if not obstacles:
                    end = lifted(case, at=at, answers=answers, reference=reference, by=by)
                    session.append([*self.end_orders(sorted(case.orders), OrderEnd.LIFTED), end])
            self.present()
            return obstacles

    def _looked_at(self, case: Case) -> tuple[object, ...]:
        return case.orders, tuple(case.conditions), self.newest.state.policies

    def withdraw_case(self, name: str, *, by: Handle, reference: str) -> Agreed:
        """Agree that whoever raised the concern gave it up; the second to say the very same ends the orders.

        Raises:
            ConflictError: this person said so already, and nothing has changed since.
        """
        require_handle(by)
        require_texts(reference=reference)
        about = digest_json({"reference": reference})
        people: list[Handle] = []

        def withdraw(case: Case) -> list[Body]:
            case.require_signed()
            _require_first_time(case, by, Step.WITHDRAW, about)
            people.extend((*case.approved_by(Step.WITHDRAW, about), by))
            said: list[Body] = [ApprovalGiven(case=name, step=Step.WITHDRAW, about=about, by=by)]
            if len(people) < APPROVALS:
                return said
            ended = self.end_orders(sorted(case.orders), OrderEnd.WITHDRAWN)
            end = CaseEnded(case=name, how=CaseEnd.WITHDRAWN, reference=reference, found=(), by=tuple(people))
            return [*said, *ended, end]

        self._in_case(name, withdraw)
        return Agreed(by=tuple(people), done=len(people) >= APPROVALS)

    def prohibit(self, name: str, *, by: Handle, reference: str) -> Case:
        """End a case for good with its orders in force. Nothing lifts them any more."""
        require_handle(by)
        require_texts(reference=reference)
        end = CaseEnded(case=name, how=CaseEnd.PROHIBITED, reference=reference, found=(), by=(by,))
        return self._in_case(name, lambda _: [end])

    def narrow(self, name: str, scope: Scope, *, by: Handle, reference: str) -> Agreed:
        """Agree that an order with a smaller scope takes the place of those in force; the second person makes it so.

        Raises:
            InputError: the scope is not inside of that of an order in force.
            StateError: nothing is suspended.
            ConflictError: this person said so already, and nothing has changed since.
        """
        self._check(scope, name)
        require_handle(by)
        require_texts(reference=reference)
        about = digest_json({"reference": reference, "scope": scope.to_json()})
        people: list[Handle] = []
        orders: list[str] = []

        def narrow(case: Case) -> list[Body]:
            case.require_signed()
            origin = self._require_smaller(case, scope)
            _require_first_time(case, by, Step.NARROW, about)
            people.extend((*case.approved_by(Step.NARROW, about), by))
            said: list[Body] = [ApprovalGiven(case=name, step=Step.NARROW, about=about, by=by)]
            if len(people) < APPROVALS:
                return said
            number = len(self.newest.record.orders.of(name)) + 1
            orders.append(f"{name}.{number}")
            now = self.parts.milliseconds()
            smaller = issue(scope, order=orders[0], case=name, origin=origin, reference=reference, by=by, at_ms=now)
            ended = self.end_orders(sorted(case.orders), OrderEnd.NARROWED)
            return [*said, smaller, *ended, CaseNarrowed(case=name, orders=tuple(orders), by=tuple(people))]

        self._in_case(name, narrow)
        if orders:
            self.drain()
        return Agreed(by=tuple(people), done=len(people) >= APPROVALS, orders=tuple(orders))

    def _require_smaller(self, case: Case, scope: Scope) -> Origin:
        held = [each for each in self.newest.record.orders.of(case.case) if each.order in case.orders]
        if not held:
            raise StateError(
                "case-nothing-suspended",
                f"case `{case.case}` suspends nothing",
                help="suspend first: consentry suspend --case",
            )
        at = self.parts.clock()
        inside = [each for each in held if is_inside(scope, each.scope, at=at)]
        if not inside or any(each.scope == scope for each in held):
            raise InputError(
                "case-not-smaller",
                "the scope is not smaller than that of an order in force",
                help=f"it must lie inside one of: {', '.join(each.order for each in held)}; to widen it, suspend",
            )
        return inside[0].origin


def _require_first_time(case: Case, by: Handle, step: Step, about: str | None = None) -> None:
    if by in case.approved_by(step, about):
        raise ConflictError(
            "case-approved-already",
            f"`{by}` approved this already",
            help="it takes two different people; approve again after the next change",
        )
