"""Cases: opened, reviewed, and the steps that give something back or end them.

Each step is one append while the head of the ledger is held. Lifting is the COMMIT POINT of giving a use back: the
ends of all orders of the case and the end of the case are in the ledger together, or none of them is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from consentry.control_plane.agreement import Agreed, require_first_time
from consentry.control_plane.casebook import CaseBook
from consentry.control_plane.conditions import ConditionVerbs
from consentry.control_plane.desk import Desk
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.orders import OrderVerbs
from consentry.control_plane.telling import Narrowing
from consentry.control_plane.wording import require_handle, require_texts
from consentry.digests import digest_json
from consentry.errors import ConflictError, InputError, StateError
from consentry.ledger.case_events import (
    ApprovalGiven,
    CaseEnd,
    CaseEnded,
    CaseNarrowed,
    CaseOpened,
    Handle,
    NoticeRequired,
    ReviewBegun,
    Step,
)
from consentry.ledger.events import Body
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight.case import (
    APPROVALS,
    Answers,
    Case,
    CaseStanding,
    Obstacle,
    standing,
    what_stands_in_the_way,
)
from consentry.oversight.case_lift import lifted, require_ready_to_narrow
from consentry.oversight.correction import MOST_DAYS, require_days
from consentry.oversight.order import Order, Scope, is_inside, issue
from consentry.oversight.paper import Paper, papers_of, the_one
from consentry.policy.policy_parser import IDENTIFIER


class CaseVerbs:
    """Verbs about cases."""

    def __init__(self, desk: Desk, *, book: CaseBook, conditions: ConditionVerbs, orders: OrderVerbs) -> None:
        self.desk = desk
        self.book = book
        self.conditions = conditions
        self.orders = orders
        self.telling = book.telling

    def open(self, name: str, *, title: str, reference: str, by: Handle) -> Case:
        """Open a case for a concern. Nothing is suspended by it.

        Raises:
            ConflictError: there is a case of this name.
        """
        self.orders.require(Scope(), name)
        require_handle(by)
        require_texts(title=title, reference=reference)
        self.desk.present()
        with self.desk.at_head() as session:
            if self.desk.newest.overseen.cases.get(name) is not None:
                raise ConflictError("case-known", f"there is a case `{name}`", help="give another name")
            (position,) = session.append([CaseOpened(case=name, title=title, reference=reference, by=by)])
        self.desk.write_down(position)
        with once_recorded():
            return self.book.get(name)

    def every(self) -> list[Case]:
        """Return all cases, oldest first."""
        return self.book.every()

    def get(self, name: str) -> Case:
        """Return a case.

        Raises:
            NotFoundError: there is none of this name.
        """
        return self.book.get(name)

    def begin_review(self, name: str, *, by: Handle) -> Case:
        """Begin the review: from here on approvals count."""
        require_handle(by)
        return self.book.say(name, lambda case: [] if case.review is not None else [ReviewBegun(case=name, by=by)])

    def require_notice(self, name: str, notice: str, *, days: int, by: Handle) -> Case:
        """Note that a notice has to be served, and days have to pass, before a case is lifted. Days only grow.

        What was mistyped is corrected, or taken back (`control_plane.corrections`).

        Raises:
            InputError: no policy can name such a notice, or nobody waits for so many days.
        """
        require_handle(by)
        if not IDENTIFIER.fullmatch(notice) or days < 0:
            raise InputError(
                "case-notice",
                f"nobody can be served notice `{notice}` and wait {days} {'day' if days == 1 else 'days'}",
                help=f"give the `id` that the policy waits for, and a number of days from 0 to {MOST_DAYS}",
            )
        require_days(days)
        return self.book.say(name, lambda _: [NoticeRequired(case=name, notice=notice, days=days, by=by)])

    def register_of(self, name: str) -> tuple[Case, CaseStanding, tuple[Obstacle, ...], Answers]:
        """Return a case, how far it is, what stands in the way of lifting it, and what its checks find.

        Checks run, and people are counted, without the lock of the desk, for which renewals of leases wait. Checks are
        run again if what they look at was changed meanwhile; people are counted as of when the case was looked at.
        """
        while True:
            looked_at, answers = self.conditions.answers(name)
            with self.desk.lock:
                case, at = self.book.get(name), self.desk.parts.clock()
                if self.conditions.looked_at(case) != looked_at:
                    continue
                telling = self.telling.asked(case, at=at)
            not_reached = self.telling.count(telling)
            obstacles = what_stands_in_the_way(case, at, answers=answers, not_reached=not_reached)
            return case, standing(case, at, answers=answers, not_reached=not_reached), obstacles, answers

    def timeline(self, name: str) -> list[dict[str, Any]]:
        """Return everything that was said of a case, oldest first: position, time, kind and what it says."""
        return self.book.timeline(self.book.get(name))

    def papers(self, name: str, timeline: Iterable[Mapping[str, Any]] | None = None) -> list[Paper]:
        """Return the documents that were given in a case, oldest first; `timeline` saves reading it once more."""
        timeline = self.timeline(name) if timeline is None else timeline
        with self.desk.lock:
            return papers_of(self.book.get(name), timeline, notices=self.desk.present().overseen.notices)

    def paper(self, name: str, position: int, *, part: int = 0) -> tuple[Paper, bytes]:
        """Return a document of a case, by the position of the event that names it, and which of its texts.

        Raises:
            NotFoundError: that event names none, or is of another case.
        """
        found = the_one(self.papers(name), position, part=part)
        return found, self.desk.parts.objects.get(found.document)

    def approve(self, name: str, *, by: Handle) -> tuple[Obstacle, ...]:
        """Approve lifting a case; return what has to be done before anybody can, nothing if the approval counts.

        Raises:
            ConflictError: this person approved already, and nothing has changed since.
        """
        require_handle(by)
        while True:
            looked_at, answers = self.conditions.answers(name)
            with self.desk.at_head() as session:
                case = self.book.known(name)
                if self.conditions.looked_at(case) != looked_at:
                    continue
                case.require_open()
                missing = what_stands_in_the_way(case, self.desk.parts.clock(), answers=answers, not_reached=None)
                obstacles = tuple(each for each in missing if each.kind in ("suspension", "review", "condition"))
                position = None
                if not obstacles:
                    require_first_time(case, by=by, step=Step.LIFT)
                    (position,) = session.append([ApprovalGiven(case=name, step=Step.LIFT, about=None, by=by)])
            if position is not None:
                self.desk.write_down(position)
            with once_recorded(anything=position is not None):
                self.desk.present()
            return obstacles

    def lift(self, name: str, *, by: Handle, reference: str) -> tuple[Obstacle, ...]:
        """End all orders of a case, if nothing stands in the way; return what does.

        Raises:
            StateError: the case is over.
        """
        require_handle(by)
        require_texts(reference=reference)
        while True:
            looked_at, answers = self.conditions.answers(name)
            self._count(name)
            with self.desk.at_head() as session:
                case = self.book.known(name)
                if self.conditions.looked_at(case) != looked_at:
                    continue
                case.require_open()
                at = self.desk.parts.clock()
                not_reached = self.telling.not_reached(case, at=at)  # again: of those who moved since, it is quick
                obstacles = what_stands_in_the_way(case, at, answers=answers, not_reached=not_reached)
                positions = range(0)
                if not obstacles:
                    end = lifted(case, at=at, answers=answers, not_reached=not_reached, reference=reference, by=by)
                    positions = session.append([*self.orders.ends(sorted(case.orders), OrderEnd.LIFTED), end])
            if positions:
                self.desk.write_down(positions[-1])
            with once_recorded(anything=bool(positions)):
                self.desk.present()
            return obstacles

    def _count(self, name: str, *, narrowing: Narrowing | None = None) -> None:
        """Count whom the notices of a case did not reach, without the lock: at the head it is quick afterwards."""
        with self.desk.lock:
            telling = self.telling.asked(self.book.get(name), at=self.desk.parts.clock(), narrowing=narrowing)
        self.telling.count(telling)

    def withdraw(self, name: str, *, by: Handle, reference: str) -> Agreed:
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
            require_first_time(case, by=by, step=Step.WITHDRAW, about=about)
            people.extend((*case.approved_by(Step.WITHDRAW, about), by))
            said: list[Body] = [ApprovalGiven(case=name, step=Step.WITHDRAW, about=about, by=by)]
            if len(people) < APPROVALS:
                return said
            ended = self.orders.ends(sorted(case.orders), OrderEnd.WITHDRAWN)
            end = CaseEnded(case=name, how=CaseEnd.WITHDRAWN, reference=reference, found=(), by=tuple(people))
            return [*said, *ended, end]

        self.book.say(name, withdraw)
        return Agreed(by=tuple(people), done=len(people) >= APPROVALS)

    def prohibit(self, name: str, *, by: Handle, reference: str) -> Case:
        """End a case for good with its orders in force. Nothing lifts them any more."""
        require_handle(by)
        require_texts(reference=reference)
        end = CaseEnded(case=name, how=CaseEnd.PROHIBITED, reference=reference, found=(), by=(by,))
        return self.book.say(name, lambda _: [end])

    def require_smaller(self, name: str, scope: Scope) -> list[Order]:
        """Return the orders in force whose place a smaller one would take. Nothing is recorded.

        Raises:
            InputError: the scope is not inside of that of one of them, or is the same.
            StateError: nothing is suspended.
        """
        self.orders.require(scope, name)
        with self.desk.lock:
            case = self.book.get(name)
            self._require_smaller(case, scope)
            return [each for each in self.desk.newest.overseen.orders.of(name) if each.order in case.orders]

    def narrow(self, name: str, scope: Scope, *, by: Handle, reference: str) -> Agreed:
        """Agree that an order with a smaller scope takes the place of those in force; with two people it may be so.

        It is so if nothing stands in the way of lifting what it gives back. Otherwise that is done after they
        agreed, and either says it again.

        Raises:
            InputError: the scope is not inside of that of an order in force.
            StateError: nothing is suspended, the review has not begun or a condition is open (`case-not-ready`).
            ConflictError: this person said so already, nothing has changed since, and nobody else said the same.
        """
        self.orders.require(scope, name)
        require_handle(by)
        require_texts(reference=reference)
        narrowing = Narrowing(digest_json({"reference": reference, "scope": scope.to_json()}), scope)
        while True:
            looked_at, answers = self.conditions.answers(name)
            self._count(name, narrowing=narrowing)
            with self.desk.at_head() as session:
                case = self.book.known(name)
                if self.conditions.looked_at(case) != looked_at:
                    continue
                agreed, said = self._narrowed(case, narrowing, answers, by=by, reference=reference)
                positions = session.append(said) if said else range(0)
            if positions:
                self.desk.write_down(positions[-1])
            with once_recorded(anything=bool(positions)):
                self.desk.present()
                if agreed.done:
                    self.orders.drain()
            return agreed

    def _narrowed(
        self, case: Case, narrowing: Narrowing, answers: Answers, *, by: Handle, reference: str
    ) -> tuple[Agreed, list[Body]]:
        """Return who agreed by now, and what is to be said; the caller holds the head."""
        case.require_open()
        case.require_signed()
        about = narrowing.about
        origin, at = self._require_smaller(case, narrowing.scope), self.desk.parts.clock()
        not_reached = self.telling.not_reached(case, at=at, narrowing=narrowing)
        rest = what_stands_in_the_way(case, at, answers=answers, not_reached=not_reached, narrowing=about)
        require_ready_to_narrow(case, rest)
        people, said = case.approved_by(Step.NARROW, about), list[Body]()
        if len(people) < APPROVALS:
            require_first_time(case, by=by, step=Step.NARROW, about=about)
            people = (*people, by)
            said.append(ApprovalGiven(case=case.case, step=Step.NARROW, about=about, by=by))
        rest = tuple(each for each in rest if each.kind != "approval")
        if len(people) < APPROVALS or rest:
            return Agreed(by=people, done=False, in_the_way=rest if len(people) >= APPROVALS else ()), said
        order = f"{case.case}.{len(self.desk.newest.overseen.orders.of(case.case)) + 1}"
        now = self.desk.parts.milliseconds()
        smaller = issue(
            narrowing.scope, order=order, case=case.case, origin=origin, reference=reference, by=by, at_ms=now
        )
        self.orders.times.note(order)
        ended = self.orders.ends(sorted(case.orders), OrderEnd.NARROWED)
        done = CaseNarrowed(case=case.case, orders=(order,), by=tuple(dict.fromkeys((*people, by))))
        return Agreed(by=people, done=True, orders=(order,)), [*said, smaller, *ended, done]

    def _require_smaller(self, case: Case, scope: Scope) -> Origin:
        held = [each for each in self.desk.newest.overseen.orders.of(case.case) if each.order in case.orders]
        if not held:
            raise StateError(
                "case-nothing-suspended",
                f"case `{case.case}` suspends nothing",
                help="suspend first: consentry suspend --case",
            )
        at = self.desk.parts.clock()
        inside = [each for each in held if is_inside(scope, each.scope, at=at)]
        if not inside or any(each.scope == scope for each in held):
            raise InputError(
                "case-not-smaller",
                "the scope is not smaller than that of an order in force",
                help=f"it must lie inside one of: {', '.join(each.order for each in held)}; to widen it, suspend",
            )
        # Whatever bound any of them binds what is left.
        return max((each.origin for each in held), key=list(Origin).index)
