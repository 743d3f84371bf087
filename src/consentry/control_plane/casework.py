"""Cases at work: opening, conditions, review, required notices, and how a case stands.

What is said of a case is checked and appended while the head of the ledger is held, so that two people who do something
at a time do it one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from consentry.control_plane import newest_word
from consentry.control_plane.overseeing import Overseeing
from consentry.control_plane.wording import is_name, require_handle, require_texts
from consentry.errors import ConflictError, InputError, NotFoundError, StateError
from consentry.ledger.case_events import (
    CaseOpened,
    ConditionAdded,
    ConditionMet,
    ConditionReopened,
    Handle,
    NoticeRequired,
    ReviewBegun,
)
from consentry.ledger.events import Body, NoticeServed
from consentry.ledger.oversight_events import OrderDrained
from consentry.oversight.case import (
    Answers,
    Case,
    Obstacle,
    Standing,
    standing,
    what_stands_in_the_way,
)
from consentry.oversight.condition_check import System, require_check, run
from consentry.oversight.order import Scope
from consentry.oversight.record import Record
from consentry.policy.choice import Seconds
from consentry.policy.policy_parser import IDENTIFIER

_MOST_DAYS = 36_500


class Casework(Overseeing):
    """Verbs about cases."""

    def open_case(self, name: str, *, title: str, reference: str, by: Handle) -> Case:
        """Open a case for a concern. Nothing is suspended by it.

        Raises:
            ConflictError: there is a case of this name.
        """
        self._check(Scope(), name)
        require_handle(by)
        require_texts(title=title, reference=reference)
        self.present()
        with self.lock, self.parts.ledger.sealing() as session:
            self._advance(session.read_delta(self.newest.position))
            if self.newest.record.cases.get(name) is not None:
                raise ConflictError("case-known", f"there is a case `{name}`", help="give another name")
            session.append([CaseOpened(case=name, title=title, reference=reference, by=by)])
        return self.case(name)

    def cases(self) -> list[Case]:
        """Return all cases, oldest first."""
        return list(self.present().record.cases)

    def case(self, name: str) -> Case:
        """Return a case.

        Raises:
            NotFoundError: there is none of this name.
        """
        self.present()
        return self._case_at_head(name)

    def _case_at_head(self, name: str) -> Case:
        known = {each.case: each for each in self.newest.record.cases}
        if name not in known:
            raise NotFoundError(
                "case-unknown",
                f"no case `{name}`",
                help=f"there are: {', '.join(known)}" if known else "open one: consentry case open",
            )
        return known[name]

    def add_condition(self, body: ConditionAdded) -> Case:
        """Add a condition to a case.

        Raises:
            InputError: no name, or a check that could never be run.
            ConflictError: the case has a condition of this name.
        """
        require_handle(body.by)
        require_handle(body.owner)
        require_texts(title=body.title)
        if not is_name(body.condition):
            raise InputError(
                "case-condition-name",
                f"`{body.condition}` is no name of a condition",
                help="use lower-case letters, digits and single hyphens",
            )
        if body.check is not None:
            require_check(body.check, body.parameters, policy=body.policy)

        def add(case: Case) -> list[Body]:
            if body.condition in case.conditions:
                raise ConflictError(
                    "case-condition-known",
                    f"case `{case.case}` has a condition `{body.condition}`",
                    help="give another name: what was undertaken once is not replaced",
                )
            return [body]

        return self._in_case(body.case, add)

    def meet_condition(self, name: str, condition: str, *, evidence: bytes, by: Handle) -> Case:
        """Note that a condition is met, as a document shows. The document is stored.

        Raises:
            NotFoundError: no such condition.
            StateError: it has a check, which alone says whether it is met.
        """
        require_handle(by)
        if not evidence:
            raise InputError(
                "case-evidence-empty", "the evidence is an empty document", help="give the document itself"
            )

        def meet(case: Case) -> list[Body]:
            self._require_by_evidence(case, condition)
            document = self.parts.objects.put(evidence)
            return [ConditionMet(case=name, condition=condition, evidence=document, by=by)]

        return self._in_case(name, meet)

    def reopen_condition(self, name: str, condition: str, *, by: Handle) -> Case:
        """Note that a condition is not met after all."""
        require_handle(by)

        def reopen(case: Case) -> list[Body]:
            self._require_by_evidence(case, condition)
            return [ConditionReopened(case=name, condition=condition, by=by)]

        return self._in_case(name, reopen)

    def _require_by_evidence(self, case: Case, condition: str) -> None:
        found = case.conditions.get(condition)
        if found is None:
            raise NotFoundError(
                "case-condition-unknown",
                f"case `{case.case}` has no condition `{condition}`",
                help=f"conditions: {', '.join(case.conditions)}" if case.conditions else "add it first",
            )
        if found.check is not None:
            raise StateError(
                "case-condition-checked",
                f"condition `{condition}` is met when the check `{found.check}` says so",
                help="change what the check looks at: it is run at every attempt to lift",
            )

    def begin_review(self, name: str, *, by: Handle) -> Case:
        """Begin the review: from here on approvals count."""
        require_handle(by)
        return self._in_case(name, lambda case: [] if case.review is not None else [ReviewBegun(case=name, by=by)])

    def require_notice(self, name: str, notice: str, *, days: int, by: Handle) -> Case:
        """Note that a notice has to be served, and days have to pass, before a case is lifted. Days only grow."""
        require_handle(by)
        if not IDENTIFIER.fullmatch(notice) or not 0 <= days <= _MOST_DAYS:
            raise InputError(
                "case-notice",
                f"nobody can be served notice `{notice}` and wait {days} days",
                help="give the `id` that the policy waits for, and a number of days from 0 to 36500",
            )
        return self._in_case(name, lambda _: [NoticeRequired(case=name, notice=notice, days=days, by=by)])

    def answers(self, case: Case) -> Answers:
        """Run the checks of a case's conditions on the system as it is known now."""
        areas, at = areas_of(case, self.newest.record), self.parts.clock()
        return {
            each.condition: run(each.check, each.parameters, system=self._system(each.policy, areas, at=at))
            for each in case.conditions.values()
            if each.check is not None
        }

    def _system(self, policy: str | None, areas: frozenset[str], *, at: Seconds) -> System:
        published = None if policy is None else self.newest.state.policy(policy)
        document = None if published is None else self.document(published.digest)
        return System(policy=document, areas=areas, at=at, form=self.parts.objection_form())

    def register_of(self, name: str) -> tuple[Case, Standing, tuple[Obstacle, ...], Answers]:
        """Return a case, how far it is, what stands in the way of lifting it, and what its checks find."""
        with self.lock:
            case, at = self.case(name), self.parts.clock()
            answers = self.answers(case)
            return case, standing(case, at, answers=answers), what_stands_in_the_way(case, at, answers=answers), answers

    def timeline(self, name: str) -> list[dict[str, Any]]:
        """Return everything that was said of a case, oldest first: position, time, kind and what it says."""
        case = self.case(name)
        orders = {each.order for each in self.newest.record.orders.of(name)}

        def concerns(body: Body | None) -> bool:
            if isinstance(body, NoticeServed):
                return body.notice in case.notices
            if isinstance(body, OrderDrained):
                return body.order in orders
            return getattr(body, "case", None) == name

        events = self.parts.ledger.read(case.position, only_open=True)
        return [
            {"position": each.position, "at": each.recorded_at, "kind": each.kind, "body": each.body.to_json()}
            for each in events
            if each.body is not None and concerns(each.body)
        ]

    def _in_case(self, name: str, say: Callable[[Case], Sequence[Body]], *, over_too: bool = False) -> Case:
        """Say something about a case that is not over (or is), while nobody else can say anything."""
        self.present()
        with self.lock, self.parts.ledger.sealing() as session:
            self._advance(session.read_delta(self.newest.position))
            case = self._case_at_head(name)
            if not over_too:
                case.require_open()
            bodies = say(case)
            positions = session.append(bodies) if bodies else range(0)
        if positions:
            newest_word.write_down(self.parts.home, self.parts.ledger, position=positions[-1])
        return self.case(name)


def areas_of(case: Case, record: Record) -> frozenset[str]:
    """Return the areas of the orders of a case that hold; empty if one of them holds everywhere, or none does."""
    scopes = [each.scope for each in record.orders.of(case.case) if each.order in case.orders]
    if any(not each.areas for each in scopes):
        return frozenset()
    return frozenset[str]().union(*(each.areas for each in scopes))
