"""What is done in a case: review, conditions, notices, approvals, its end, reports. Whoever signed in is who did it.

No body names who agrees: that is the account. A key of a program is nobody here, because a step that gives something
back takes two different people.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends
from pydantic import BeforeValidator, Field

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.agreement import Agreed
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.plane import ControlPlane
from consentry.errors import InputError, StateError
from consentry.ledger.case_events import ConditionAdded
from consentry.oversight.case import Obstacle
from consentry.oversight.correction import MOST_DAYS
from consentry.oversight.order import Scope
from consentry.service.api.cases import WholeCase, whole
from consentry.service.api.once import KEY, Once
from consentry.service.api.shape import (
    Answer,
    Body,
    Line,
    Moment,
    Named,
    ScopeBody,
    Text,
    Word,
    problems,
    whole_number,
)
from consentry.service.gate import Control, NeedsAll
from consentry.service.request_words import form

ROUTER = APIRouter(prefix="/v1/cases/{case}", tags=["cases"], route_class=Once)
Working = Annotated[Principal, Depends(NeedsAll(Action.CASE_WORK))]
Approving = Annotated[Principal, Depends(NeedsAll(Action.CASE_APPROVE))]
Delivering = Annotated[Principal, Depends(NeedsAll(Action.REPORT_DELIVER))]
Days = Annotated[int, Field(strict=True, ge=0, le=MOST_DAYS), BeforeValidator(whole_number)]
Base64 = Annotated[
    str,
    Field(
        min_length=4,
        max_length=33_000_000,
        pattern=form(r"^([A-Za-z0-9+/]{4})*[A-Za-z0-9+/=]{4}$", "must be bytes in Base64"),
    ),
]


_Do = TypeVar("_Do", bound=Callable[..., object])


def _step(
    path: str, *, over: bool = True, missing: str = "", conflict: str = "", unprocessable: str = ""
) -> Callable[[_Do], _Do]:
    """Return what makes an address of a step: done once for a key, answered with 201; `over`: not after the end."""
    codes = {
        404: f"case-unknown {missing}",
        409: f"{'case-over ' if over else ''}{conflict} idempotency-running",
        422: unprocessable,
    }
    described = problems({status: each for status, each in codes.items() if each})
    return ROUTER.post(path, status_code=201, dependencies=[KEY], responses=described)


class NewCondition(Body):
    """What has to be so before the case is lifted: shown by a document, or found by a check of the live system."""

    condition: Word
    title: Line
    owner: Word = Field(description="The handle of who sees to it.")
    due: Moment
    check: Word | None = Field(default=None, description="Run at every attempt to lift, instead of evidence.")
    policy: Word | None = Field(default=None, description="The policy set that the check looks at.")
    parameters: Annotated[tuple[Line, ...], Field(max_length=20)] = ()


class Reopening(Body):
    """Why a condition is not met after all."""

    reason: Line


class Evidence(Body):
    """A document that shows that a condition is met: as text, or any bytes in base64. One of the two."""

    text: Text | None = None
    document: Base64 | None = None


class RequiredNotice(Body):
    """A notice that has to be served, and full days that have to pass, before the case is lifted."""

    notice: Word
    days: Days


class Mistake(Body):
    """Why something is not required after all. Who says the same as somebody else says it with the same reason."""

    reason: Line


class CorrectedNotice(Mistake):
    """So many full days are enough after a notice; `null`: it is not required at all."""

    days: Days | None


class Ending(Body):
    """By what letter or decision."""

    reference: Line


class Narrowing(Ending):
    """A smaller scope that takes the place of what is suspended."""

    scope: ScopeBody


class Report(Body):
    """A report that is owed to the authority."""

    report: Word
    title: Line
    due: Moment


class Agreement(Answer):
    """Who agreed to the very same, and whether it was done with that: it takes two different people."""

    by: list[str]
    done: bool
    orders: list[str] = Field(description="Orders that were issued.")
    in_the_way: list[str] = Field(description="Of a narrowing two people agreed to: what has to be done yet.")


@_step("/review")
def review(*, case: Named, who: Working, control: Control) -> WholeCase:
    """Begin the review: from here on approvals count."""
    control.cases.begin_review(case, by=who.handle)
    return _as_it_is(control, case)


@_step(
    "/conditions",
    conflict="case-condition-known",
    unprocessable="case-check-unknown case-check-policy case-check-parameters",
)
def set_condition(*, case: Named, body: NewCondition, who: Working, control: Control) -> WholeCase:
    """Set a condition. Approvals that were given before count no more."""
    control.conditions.add(ConditionAdded(case=case, **dict(body), by=who.handle))
    return _as_it_is(control, case)


@_step(
    "/conditions/{condition}/evidence",
    missing="case-condition-unknown",
    conflict="case-condition-checked",
    unprocessable="case-evidence-empty",
)
def meet(*, case: Named, condition: Named, body: Evidence, who: Working, control: Control) -> WholeCase:
    """Note that a condition is met, as a document shows, which is stored."""
    control.conditions.meet(case, condition, evidence=_document(body), by=who.handle)
    return _as_it_is(control, case)


@_step("/conditions/{condition}/reopening", missing="case-condition-unknown", conflict="case-condition-checked")
def reopen(*, case: Named, condition: Named, body: Reopening, who: Working, control: Control) -> WholeCase:
    """Note that a condition is not met after all, and why."""
    control.conditions.reopen(case, condition, reason=body.reason, by=who.handle)
    return _as_it_is(control, case)


@_step(
    "/conditions/{condition}/taking-back",
    missing="case-condition-unknown",
    conflict="case-binding case-approved-already",
)
def take_back(*, case: Named, condition: Named, body: Mistake, who: Approving, control: Control) -> Agreement:
    """Take a condition back that was a mistake. Once anybody approved lifting, the second person does it."""
    agreed = control.corrections.condition(case, condition, reason=body.reason, by=who.handle)
    return _agreement(agreed)


@_step(
    "/notices/{notice}/correction",
    missing="case-notice-unknown",
    conflict="case-binding case-approved-already",
    unprocessable="case-notice-not-fewer",
)
def correct_notice(*, case: Named, notice: Named, body: CorrectedNotice, who: Approving, control: Control) -> Agreement:
    """Have a case require less of a notice. Once anybody approved lifting, the second person does it."""
    agreed = control.corrections.notice(case, notice, days=body.days, reason=body.reason, by=who.handle)
    return _agreement(agreed)


@_step("/notices", unprocessable="case-notice")
def require_notice(*, case: Named, body: RequiredNotice, who: Working, control: Control) -> WholeCase:
    """Require that people are told, and that full days pass, before the case can be lifted. Days only grow."""
    control.cases.require_notice(case, body.notice, days=body.days, by=who.handle)
    return _as_it_is(control, case)


@_step("/approvals", conflict="case-not-ready case-approved-already")
def approve(*, case: Named, who: Approving, control: Control) -> WholeCase:
    """Approve lifting the case. It takes two different people, both after the last change."""
    _unless(control.cases.approve(case, by=who.handle), "approved")
    return _as_it_is(control, case)


@_step("/lifting", conflict="case-not-ready")
def lift(*, case: Named, body: Ending, who: Approving, control: Control) -> WholeCase:
    """Lift the case, if nothing stands in the way: all its orders end. Else the title says everything that does."""
    _unless(control.cases.lift(case, by=who.handle, reference=body.reference), "lifted")
    return _as_it_is(control, case)


@_step(
    "/narrowing",
    conflict="case-nothing-suspended case-not-ready case-authority-unsigned case-approved-already",
    unprocessable="case-not-smaller policy-unknown-area order-window-empty order-unknown-model",
)
def narrow(*, case: Named, body: Narrowing, who: Approving, control: Control) -> Agreement:
    """Agree that a smaller scope takes the place of what is suspended; the second person makes it so."""
    scope = Scope(**dict(body.scope))
    return _agreement(control.cases.narrow(case, scope, by=who.handle, reference=body.reference))


@_step("/withdrawal", conflict="case-authority-unsigned case-approved-already")
def withdraw(*, case: Named, body: Ending, who: Approving, control: Control) -> Agreement:
    """Agree that whoever raised the concern gave it up; the second person ends what is suspended."""
    return _agreement(control.cases.withdraw(case, by=who.handle, reference=body.reference))


@_step("/prohibition")
def prohibit(*, case: Named, body: Ending, who: Working, control: Control) -> WholeCase:
    """End the case with its suspensions in force, for good. One person is enough: it gives nothing back."""
    control.cases.prohibit(case, by=who.handle, reference=body.reference)
    return _as_it_is(control, case)


@_step("/reports", over=False, conflict="case-report-known")
def schedule(*, case: Named, body: Report, who: Delivering, control: Control) -> WholeCase:
    """Note that a report is owed to the authority by a time."""
    control.reports.schedule(case, body.report, title=body.title, due=body.due, by=who.handle)
    return _as_it_is(control, case)


@_step("/reports/{report}/delivery", over=False, missing="case-report-unknown")
def deliver(*, case: Named, report: Named, who: Delivering, control: Control) -> WholeCase:
    """Note that a report, of everything up to now, was handed over."""
    control.reports.deliver(case, report, position=None, by=who.handle)
    return _as_it_is(control, case)


def _as_it_is(control: ControlPlane, case: str) -> WholeCase:
    """Return a case after something was said of it. That is recorded, also where nothing can be read any more."""
    with once_recorded():
        return whole(control, case)


def _document(body: Evidence) -> bytes:
    if (body.text is None) is (body.document is None):
        raise InputError(
            "case-evidence-empty", "the evidence is no text and no document, or both", help="give one of the two"
        )
    if body.text is not None:
        return body.text.strip().encode()
    try:
        return base64.b64decode(body.document or "", validate=True)
    except binascii.Error:
        raise InputError("case-evidence-empty", "the document is not in base64", help="encode its bytes") from None


def _agreement(agreed: Agreed) -> Agreement:
    rest = [each.text for each in agreed.in_the_way]
    return Agreement(by=list(agreed.by), done=agreed.done, orders=list(agreed.orders), in_the_way=rest)


def _unless(obstacles: tuple[Obstacle, ...], done: str) -> None:
    """Refuse with everything that stands in the way."""
    if obstacles:
        raise StateError(
            "case-not-ready",
            f"the case cannot be {done} yet: {'; '.join(each.text.replace('`', '') for each in obstacles)}",
            help="do what is missing, and try again; GET the case to see it one by one",
        )
