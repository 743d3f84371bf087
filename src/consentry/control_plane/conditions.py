"""Conditions of cases: shown by a document, or by a check of the live system."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial

from consentry.control_plane.casebook import CaseBook
from consentry.control_plane.desk import Desk
from consentry.control_plane.in_force import Read
from consentry.control_plane.wording import require_handle, require_name, require_texts
from consentry.digests import Digest
from consentry.errors import ConflictError, ConsentryError, InputError, NotFoundError, StateError, names_there_are
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
from consentry.policy.policy_set import PolicySet
from consentry.policy.vocabulary import Purpose

Check = tuple[str, str, tuple[str, ...], System]
"""A condition, its check, the parameters, and what the check looks at."""
Looked = tuple[object, ...]
"""What the checks of a case look at, to be compared."""


class ConditionVerbs:
    """Verbs about conditions."""

    def __init__(self, desk: Desk, book: CaseBook) -> None:
        self.desk = desk
        self.book = book

    def add(self, body: ConditionAdded) -> Case:
        """Add a condition to a case.

        Raises:
            InputError: no name, no day it is due, or a check that could never be run.
            ConflictError: the case has a condition of this name.
        """
        require_handle(body.by)
        require_handle(body.owner)
        require_texts(title=body.title)
        require_name(body.condition, "condition", code="case-condition-name")
        if body.due is None:
            raise InputError(
                "case-condition-undated",
                f"nobody says until when `{body.condition}` is due",
                help="name a day: what nobody waits for is not done",
            )
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

        # Stored without the head, for which renewals of leases wait: a scan of many pages takes its time.
        self._require_by_evidence(self.book.get(name), condition)
        document = self.desk.parts.objects.put(evidence)

        def meet(case: Case) -> list[Body]:
            self._require_by_evidence(case, condition)
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

    def answers(self, name: str) -> tuple[Looked, Answers]:
        """Run the checks of a case on the system as it is known now; return what they look at, and what they find.

        Who holds the head afterwards compares what they look at with what there is then. Running them takes a moment,
        for which everybody else would wait: the caller holds no lock.
        """
        form = self.form_for(name)
        with self.desk.lock:
            case = self.book.get(name)
            looked, asked = self.looked_at(case), asked_of(case, self.desk, at=self.desk.parts.clock(), form=form)
        return looked, asked()

    def looked_at(self, case: Case) -> Looked:
        """Return what the checks of a case look at, as it is known. The caller holds the lock."""
        return looked_at(case, self.desk)


def looked_at(case: Case, desk: Desk) -> Looked:
    """Return what the checks of a case look at: if that is the same they find the same. The caller holds the lock."""
    checks = tuple((each.condition, each.check, each.policy, each.parameters) for each in case.conditions.values())
    return case.orders, checks, desk.newest.state.policies


def asked_of(case: Case, desk: Desk, *, at: Seconds, form: Form | None) -> Callable[[], Answers]:
    """Return what runs the checks of a case, on the system as it is known now, whenever it is called.

    What the checks look at is gathered here, by a caller that holds the lock of the desk. Running them needs no lock.
    """
    known = desk.newest
    published = {each.name: each.digest for each in known.state.policies}
    return partial(run_all, checks_of(case, known.overseen, published=published, read=desk.document, at=at, form=form))


def run_all(checks: Iterable[Check]) -> Answers:
    """Run checks, and return what they find by their conditions."""
    return {name: run(check, parameters, system=system) for name, check, parameters, system in checks}


def checks_of(
    case: Case,
    overseen: Overseen,
    *,
    published: Mapping[str, Digest],
    read: Read,
    at: Seconds,
    form: Form | None,
) -> list[Check]:
    """Return the checks of a case with what each looks at: condition, check, parameters, system.

    Args:
        case: the case.
        overseen: what oversight knows.
        published: the document of the set in force under each name.
        read: reads such a document.
        at: the time as of which groups of places are asked.
        form: the form for objections that is served.
    """
    sets, unread = _read_all(published, read)
    areas, suspended = areas_of(case, overseen), purposes_of(case, overseen)
    # Every set in force, not only the one that a condition names: a build can name any.
    concerned = [name for name, each in sets.items() if any(map(each.decides, suspended))]
    return [
        (
            each.condition,
            each.check,
            each.parameters,
            System(
                policy=None if each.policy is None else sets.get(each.policy),
                areas=areas,
                at=at,
                form=form,
                others=tuple(sets[name] for name in concerned if name != each.policy),
                suspended=suspended,
                unread=unread,
            ),
        )
        for each in case.conditions.values()
        if each.check is not None
    ]


def _read_all(published: Mapping[str, Digest], read: Read) -> tuple[dict[str, PolicySet], tuple[str, ...]]:
    """Return the sets that can be read, and the names of those that cannot: nobody knows what those let through."""
    sets: dict[str, PolicySet] = {}
    for name, document in sorted(published.items()):
        with suppress(ConsentryError):
            sets[name] = read(document)
    return sets, tuple(name for name in sorted(published) if name not in sets)


def purposes_of(case: Case, overseen: Overseen) -> frozenset[Purpose]:
    """Return the uses that the orders of a case that hold are about; all of them if none holds."""
    scopes = [each.scope for each in overseen.orders.of(case.case) if each.order in case.orders]
    return frozenset(each for each in Purpose if not scopes or any(scope.concerns(each) for scope in scopes))


def areas_of(case: Case, overseen: Overseen) -> frozenset[str]:
    """Return the areas of the orders of a case that hold; empty if one of them holds everywhere, or none does."""
    scopes = [each.scope for each in overseen.orders.of(case.case) if each.order in case.orders]
    if any(not each.areas for each in scopes):
        return frozenset()
    return frozenset[str]().union(*(each.areas for each in scopes))
