"""Conditions of cases: shown by a document, or by a check of the live system."""

from __future__ import annotations

from collections.abc import Callable

from consentry.control_plane.casebook import CaseBook
from consentry.control_plane.desk import Desk
from consentry.control_plane.wording import require_handle, require_name, require_texts
from consentry.errors import ConflictError, InputError, NotFoundError, StateError, names_there_are
from consentry.ledger.case_events import (
    ConditionAdded,
    ConditionMet,
    ConditionReopened,
    Handle,
)
from consentry.ledger.events import Body
from consentry.oversight.case import (
    Answers,
    Case,
)
from consentry.oversight.condition_check import ABOUT_THE_FORM, System, require_check, run
from consentry.oversight.objection_form import Form
from consentry.oversight.overseen import Overseen
from consentry.policy.choice import Seconds


class ConditionVerbs:
    """Verbs about conditions."""

    def __init__(self, desk: Desk, book: CaseBook) -> None:
        self.desk = desk
        self.book = book

    def add(self, body: ConditionAdded) -> Case:
        """Add a condition to a case.

        Raises:
            InputError: no name, or a check that could never be run.
            ConflictError: the case has a condition of this name.
        """
        require_handle(body.by)
        require_handle(body.owner)
        require_texts(title=body.title)
        require_name(body.condition, "condition", code="case-condition-name")
        if body.check is not None:
            require_check(body.check, body.parameters, policy=body.policy)

        def add(case: Case) -> list[Body]:
            if body.condition in case.conditions:
                raise ConflictError(
                    "case-condition-known",
                    f"case `{case.case}` has a condition `{body.condition}`",
                    help="give another name, or take that one back first if it was a mistake",
                )
            return [body]

        return self.book.say(body.case, add)

    def meet(self, name: str, condition: str, *, evidence: bytes, by: Handle) -> Case:
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
            document = self.desk.parts.objects.put(evidence)
            return [ConditionMet(case=name, condition=condition, evidence=document, by=by)]

        return self.book.say(name, meet)

    def reopen(self, name: str, condition: str, *, reason: str, by: Handle) -> Case:
        """Note that a condition is not met after all, and why.

        Raises:
            NotFoundError: no such condition.
            StateError: it has a check, which alone says whether it is met.
            InputError: the reason is not a line.
        """
        require_handle(by)
        require_texts(reason=reason)

        def reopen(case: Case) -> list[Body]:
            self._require_by_evidence(case, condition)
            return [ConditionReopened(case=name, condition=condition, reason=reason, by=by)]

        return self.book.say(name, reopen)

    def _require_by_evidence(self, case: Case, condition: str) -> None:
        found = case.conditions.get(condition)
        if found is None:
            raise NotFoundError(
                "case-condition-unknown",
                f"case `{case.case}` has no condition `{condition}`",
                help=names_there_are(case.conditions, "conditions", otherwise="add it first"),
            )
        if found.check is not None:
            raise StateError(
                "case-condition-checked",
                f"condition `{condition}` is met when the check `{found.check}` says so",
                help="change what the check looks at: it is run at every attempt to lift",
            )

    def form_for(self, name: str) -> Form | None:
        """Return the form for objections as it is served, if a condition of a case is about it.

        It is asked for over HTTP, perhaps of the server that this runs in: the caller holds no lock. Of a condition
        that is added afterwards the answer is no.

        Raises:
            NotFoundError: there is no case of this name.
        """
        checks = {each.check for each in self.book.get(name).conditions.values()}
        return self.desk.parts.objection_form() if checks & ABOUT_THE_FORM else None

    def answers(self, case: Case, *, form: Form | None) -> Answers:
        """Run the checks of a case's conditions on the system as it is known now, and the form as `form_for` saw it."""
        return self.asked(case, form=form)()

    def asked(self, case: Case, *, form: Form | None) -> Callable[[], Answers]:
        """Return what runs the checks of a case, on the system as it is known now, whenever it is called.

        What the checks look at is gathered here, by a caller that holds the lock of the desk. Running them takes a
        moment, and needs no lock.
        """
        areas, at = areas_of(case, self.desk.newest.record), self.desk.parts.clock()
        checks = [
            (each.condition, each.check, each.parameters, self._system(each.policy, areas, at=at, form=form))
            for each in case.conditions.values()
            if each.check is not None
        ]
        return lambda: {name: run(check, parameters, system=system) for name, check, parameters, system in checks}

    def _system(self, policy: str | None, areas: frozenset[str], *, at: Seconds, form: Form | None) -> System:
        published = None if policy is None else self.desk.newest.state.policy(policy)
        document = None if published is None else self.desk.document(published.digest)
        return System(policy=document, areas=areas, at=at, form=form)


def areas_of(case: Case, record: Overseen) -> frozenset[str]:
    """Return the areas of the orders of a case that hold; empty if one of them holds everywhere, or none does."""
    scopes = [each.scope for each in record.orders.of(case.case) if each.order in case.orders]
    if any(not each.areas for each in scopes):
        return frozenset()
    return frozenset[str]().union(*(each.areas for each in scopes))
