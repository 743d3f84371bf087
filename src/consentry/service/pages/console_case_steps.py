"""What is done in a case: conditions, notices, approvals, its end, and reports. Whoever is signed in is who did it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.errors import InputError, StateError
from consentry.ledger.case_events import ConditionAdded
from consentry.oversight.case import Obstacle
from consentry.service.gate import Control
from consentry.service.pages.console_cases import show
from consentry.service.pages.console_frame import Staff, kept, said
from consentry.service.pages.console_frame import required_day as required

ROUTER = APIRouter()
Working = Annotated[Principal, Depends(Staff(Action.CASE_WORK))]
Approving = Annotated[Principal, Depends(Staff(Action.CASE_APPROVE))]
Delivering = Annotated[Principal, Depends(Staff(Action.REPORT_DELIVER))]
Text = Annotated[str, Form()]


def _in(request: Request, control: ControlPlane, case: str, *, do: Callable[[], object], **given: Any) -> Response:
    """Do something in a case and show the case; if it is refused, with what is wrong and what was given."""
    return said(
        do,
        to=f"/console/cases/{case}",
        again=lambda problem: show(request, control, name=case, problem=problem, given=kept(**given)),
    )


@ROUTER.post("/console/cases/{case}/review")
def review(request: Request, control: Control, *, case: str, who: Working) -> Response:
    """Begin the review."""
    return _in(request, control, case, do=lambda: control.cases.begin_review(case, by=who.handle))


@ROUTER.post("/console/cases/{case}/conditions")
def add_condition(
    *,
    request: Request,
    control: Control,
    case: str,
    who: Working,
    condition: Text = "",
    condition_title: Text = "",
    owner: Text = "",
    due: Text = "",
    check: Text = "",
    policy: Text = "",
    parameters: Text = "",
) -> Response:
    """Add a condition."""

    def add() -> object:
        body = ConditionAdded(
            case=case,
            condition=condition.strip(),
            title=condition_title.strip(),
            owner=owner.strip(),
            due=required(due, what="day it is due"),
            check=check or None,
            policy=(policy or None) if check else None,
            parameters=tuple(parameters.split()) if check else (),
            by=who.handle,
        )
        return control.conditions.add(body)

    given = {"condition": condition, "condition_title": condition_title, "owner": owner, "due": due, "check": check}
    return _in(request, control, case, do=add, form="condition", policy=policy, parameters=parameters, **given)


@ROUTER.post("/console/cases/{case}/conditions/{condition}/meet")
def meet(
    *,
    request: Request,
    control: Control,
    case: str,
    condition: str,
    who: Working,
    file: UploadFile | None = None,
    text: Text = "",
) -> Response:
    """Note that a condition is met, as a document or a text shows."""
    evidence = (file.file.read() if file is not None else b"") or text.strip().encode()
    return _in(
        request,
        control,
        case,
        do=lambda: control.conditions.meet(case, condition, evidence=evidence, by=who.handle),
        condition_met=condition,
        text=text,
    )


@ROUTER.post("/console/cases/{case}/conditions/{condition}/reopen")
def reopen(
    *, request: Request, control: Control, case: str, condition: str, who: Working, reason: Text = ""
) -> Response:
    """Note that a condition is not met after all, and why."""
    return _in(
        request,
        control,
        case,
        do=lambda: control.conditions.reopen(case, condition, reason=reason.strip(), by=who.handle),
        condition_reopened=condition,
        reason=reason,
    )


@ROUTER.post("/console/cases/{case}/notices")
def require_notice(
    *, request: Request, control: Control, case: str, who: Working, notice: Text = "", days: Text = ""
) -> Response:
    """Require that people are told, and that days pass, before the case can be lifted."""

    def require() -> object:
        if not days.strip().isdecimal():
            raise InputError("case-notice", "the days to wait are no number", help="give full days, such as 30")
        return control.cases.require_notice(case, notice.strip(), days=int(days.strip()[:6]), by=who.handle)

    return _in(request, control, case, do=require, form="notice", notice=notice, days=days)


@ROUTER.post("/console/cases/{case}/notices/{notice}/correct")
def correct_notice(
    *,
    request: Request,
    control: Control,
    case: str,
    notice: str,
    who: Approving,
    fewer_days: Text = "",
    not_required: Text = "",
    reason: Text = "",
) -> Response:
    """Have a case wait fewer days after a notice, or not require it."""

    def correct() -> object:
        days = fewer_days.strip()
        if bool(days) is bool(not_required) or not (days or "0").isdecimal():
            raise InputError(
                "case-notice",
                "neither full days that are enough nor that the notice is not required",
                help="give one of the two",
            )
        fewer = int(days[:6]) if days else None
        return control.corrections.notice(case, notice, days=fewer, reason=reason.strip(), by=who.handle)

    return _in(
        request,
        control,
        case,
        do=correct,
        notice_corrected=notice,
        fewer_days=fewer_days,
        not_required=not_required,
        reason=reason,
    )


@ROUTER.post("/console/cases/{case}/conditions/{condition}/take-back")
def take_back(
    *, request: Request, control: Control, case: str, condition: str, who: Approving, reason: Text = ""
) -> Response:
    """Take a condition back that was a mistake."""
    return _in(
        request,
        control,
        case,
        do=lambda: control.corrections.condition(case, condition, reason=reason.strip(), by=who.handle),
        condition_taken_back=condition,
        reason=reason,
    )


@ROUTER.post("/console/cases/{case}/approve")
def approve(request: Request, control: Control, *, case: str, who: Approving) -> Response:
    """Approve lifting the case."""
    return _in(request, control, case, do=lambda: _unless(control.cases.approve(case, by=who.handle), "approved"))


@ROUTER.post("/console/cases/{case}/lift")
def lift(request: Request, control: Control, *, case: str, who: Approving, lift_reference: Text = "") -> Response:
    """Lift the case, if nothing stands in the way."""
    return _in(
        request,
        control,
        case,
        do=lambda: _unless(control.cases.lift(case, by=who.handle, reference=lift_reference.strip()), "lifted"),
        form="lift",
        lift_reference=lift_reference,
    )


def _unless(obstacles: tuple[Obstacle, ...], done: str) -> None:
    """Refuse with everything that stands in the way."""
    if obstacles:
        raise StateError(
            "case-not-ready",
            f"the case cannot be {done} yet: {'; '.join(each.text.replace('`', '') for each in obstacles)}",
            help="do what is missing, and try again",
        )


@ROUTER.post("/console/cases/{case}/withdraw")
def withdraw(
    request: Request, control: Control, *, case: str, who: Approving, withdraw_reference: Text = ""
) -> Response:
    """Agree that whoever raised the concern gave it up; the second person ends what is suspended."""
    return _in(
        request,
        control,
        case,
        do=lambda: control.cases.withdraw(case, by=who.handle, reference=withdraw_reference.strip()),
        form="withdraw",
        withdraw_reference=withdraw_reference,
    )


@ROUTER.post("/console/cases/{case}/prohibit")
def prohibit(request: Request, control: Control, *, case: str, who: Working, prohibit_reference: Text = "") -> Response:
    """End the case with its suspensions in force, for good."""
    return _in(
        request,
        control,
        case,
        do=lambda: control.cases.prohibit(case, by=who.handle, reference=prohibit_reference.strip()),
        form="prohibit",
        prohibit_reference=prohibit_reference,
    )


@ROUTER.post("/console/cases/{case}/reports")
def schedule(
    *,
    request: Request,
    control: Control,
    case: str,
    who: Delivering,
    report: Text = "",
    report_title: Text = "",
    report_due: Text = "",
) -> Response:
    """Note that a report is owed by a day."""

    def schedule_it() -> object:
        due = required(report_due, what="day it is due")
        return control.reports.schedule(case, report.strip(), title=report_title.strip(), due=due, by=who.handle)

    return _in(
        request,
        control,
        case,
        do=schedule_it,
        form="report",
        report=report,
        report_title=report_title,
        report_due=report_due,
    )


@ROUTER.post("/console/cases/{case}/reports/{report}/deliver")
def deliver(request: Request, control: Control, *, case: str, report: str, who: Delivering) -> Response:
    """Note that a report, as of now, was handed over."""
    return _in(
        request,
        control,
        case,
        do=lambda: control.reports.deliver(case, report, position=None, by=who.handle),
    )
