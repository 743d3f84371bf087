"""What is done in a case: review, conditions, notices, approvals, its end, reports. Whoever signed in is who did it.

No body names who agrees: that is the account. A key of a program is nobody here, because a step that gives something
back takes two different people.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.agreement import Agreed
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
)
from consentry.service.gate import Control, NeedsAll

ROUTER = APIRouter(prefix="/v1/cases/{case}", tags=["cases"], route_class=Once)
Working = Annotated[Principal, Depends(NeedsAll(Action.CASE_WORK))]
Approving = Annotated[Principal, Depends(NeedsAll(Action.CASE_APPROVE))]
Delivering = Annotated[Principal, Depends(NeedsAll(Action.REPORT_DELIVER))]
Base64 = Annotated[str, Field(min_length=4, max_length=900_000, pattern=r"^([A-Za-z0-9+/]{4})*[A-Za-z0-9+/=]{4}$")]


class NewCondition(Body):
    """What has to be so before the case is lifted: shown by a document, or found by a check of the live system."""

    condition: Word
    title: Line
    owner: Word = Field(description="The handle of who sees to it.")
    due: Moment | None = None
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
    days: Annotated[int, Field(strict=True, ge=0, le=MOST_DAYS)]


class Mistake(Body):
    """Why something is not required after all. Who says the same as somebody else says it with the same reason."""

    reason: Line


class CorrectedNotice(Mistake):
    """So many full days are enough after a notice; `null`: it is not required at all."""

    days: Annotated[int, Field(strict=True, ge=0, le=MOST_DAYS)] | None


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


@ROUTER.post(
    "/review",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "case-unknown", 409: "case-over idempotency-running"}),
)
def review(*, case: Named, who: Working, control: Control) -> WholeCase:
    """Begin the review: from here on approvals count."""
    control.cases.begin_review(case, by=who.handle)
    return whole(control, case)


@ROUTER.post(
    "/conditions",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {
            404: "case-unknown",
            409: "case-over case-condition-known idempotency-running",
            422: "case-check-unknown case-check-policy case-check-parameters",
        }
    ),
)
def set_condition(*, case: Named, body: NewCondition, who: Working, control: Control) -> WholeCase:
    """Set a condition. Approvals that were given before count no more."""
    control.conditions.add(ConditionAdded(case=case, **dict(body), by=who.handle))
    return whole(control, case)


@ROUTER.post(
    "/conditions/{condition}/evidence",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {
            404: "case-unknown case-condition-unknown",
            409: "case-over case-condition-checked idempotency-running",
            422: "case-evidence-empty",
        }
    ),
)
def meet(*, case: Named, condition: Named, body: Evidence, who: Working, control: Control) -> WholeCase:
    """Note that a condition is met, as a document shows, which is stored."""
    control.conditions.meet(case, condition, evidence=_document(body), by=who.handle)
    return whole(control, case)


@ROUTER.post(
    "/conditions/{condition}/reopening",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {
            404: "case-unknown case-condition-unknown",
            409: "case-over case-condition-checked idempotency-running",
        }
    ),
)
def reopen(*, case: Named, condition: Named, body: Reopening, who: Working, control: Control) -> WholeCase:
    """Note that a condition is not met after all, and why."""
    control.conditions.reopen(case, condition, reason=body.reason, by=who.handle)
    return whole(control, case)


@ROUTER.post(
    "/conditions/{condition}/taking-back",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {
            404: "case-unknown case-condition-unknown",
            409: "case-over case-binding case-approved-already idempotency-running",
        }
    ),
)
def take_back(*, case: Named, condition: Named, body: Mistake, who: Approving, control: Control) -> Agreement:
    """Take a condition back that was a mistake. Once anybody approved lifting, the second person does it."""
    agreed = control.corrections.condition(case, condition, reason=body.reason, by=who.handle)
    return _agreement(agreed)


@ROUTER.post(
    "/notices/{notice}/correction",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {
            404: "case-unknown case-notice-unknown",
            409: "case-over case-binding case-approved-already idempotency-running",
            422: "case-notice-not-fewer",
        }
    ),
)
def correct_notice(*, case: Named, notice: Named, body: CorrectedNotice, who: Approving, control: Control) -> Agreement:
    """Have a case require less of a notice. Once anybody approved lifting, the second person does it."""
    agreed = control.corrections.notice(case, notice, days=body.days, reason=body.reason, by=who.handle)
    return _agreement(agreed)


@ROUTER.post(
    "/notices",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "case-unknown", 409: "case-over idempotency-running", 422: "case-notice"}),
)
def require_notice(*, case: Named, body: RequiredNotice, who: Working, control: Control) -> WholeCase:
    """Require that people are told, and that full days pass, before the case can be lifted. Days only grow."""
    control.cases.require_notice(case, body.notice, days=body.days, by=who.handle)
    return whole(control, case)


@ROUTER.post(
    "/approvals",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {404: "case-unknown", 409: "case-over case-not-ready case-approved-already idempotency-running"}
    ),
)
def approve(*, case: Named, who: Approving, control: Control) -> WholeCase:
    """Approve lifting the case. It takes two different people, both after the last change."""
    _unless(control.cases.approve(case, by=who.handle), "approved")
    return whole(control, case)


@ROUTER.post(
    "/lifting",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "case-unknown", 409: "case-over case-not-ready idempotency-running"}),
)
def lift(*, case: Named, body: Ending, who: Approving, control: Control) -> WholeCase:
    """Lift the case, if nothing stands in the way: all its orders end. Else the title says everything that does."""
    _unless(control.cases.lift(case, by=who.handle, reference=body.reference), "lifted")
    return whole(control, case)


@ROUTER.post(
    "/narrowing",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {
            404: "case-unknown",
            409: "case-over case-nothing-suspended case-not-ready case-authority-unsigned case-approved-already"
            " idempotency-running",
            422: "case-not-smaller order-window-empty order-unknown-model",
        }
    ),
)
def narrow(*, case: Named, body: Narrowing, who: Approving, control: Control) -> Agreement:
    """Agree that a smaller scope takes the place of what is suspended; the second person makes it so."""
    scope = Scope(**dict(body.scope))
    return _agreement(control.cases.narrow(case, scope, by=who.handle, reference=body.reference))


@ROUTER.post(
    "/withdrawal",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {404: "case-unknown", 409: "case-over case-authority-unsigned case-approved-already idempotency-running"}
    ),
)
def withdraw(*, case: Named, body: Ending, who: Approving, control: Control) -> Agreement:
    """Agree that whoever raised the concern gave it up; the second person ends what is suspended."""
    return _agreement(control.cases.withdraw(case, by=who.handle, reference=body.reference))


@ROUTER.post(
    "/prohibition",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "case-unknown", 409: "case-over idempotency-running"}),
)
def prohibit(*, case: Named, body: Ending, who: Working, control: Control) -> WholeCase:
    """End the case with its suspensions in force, for good. One person is enough: it gives nothing back."""
    control.cases.prohibit(case, by=who.handle, reference=body.reference)
    return whole(control, case)


@ROUTER.post(
    "/reports",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "case-unknown", 409: "case-report-known idempotency-running"}),
)
def schedule(*, case: Named, body: Report, who: Delivering, control: Control) -> WholeCase:
    """Note that a report is owed to the authority by a time."""
    control.reports.schedule(case, body.report, title=body.title, due=body.due, by=who.handle)
    return whole(control, case)


@ROUTER.post(
    "/reports/{report}/delivery",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "case-unknown case-report-unknown", 409: "idempotency-running"}),
)
def deliver(*, case: Named, report: Named, who: Delivering, control: Control) -> WholeCase:
    """Note that a report, of everything up to now, was handed over."""
    control.reports.deliver(case, report, position=None, by=who.handle)
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
