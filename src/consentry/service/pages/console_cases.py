"""Cases: all of them, one with its register and timeline, and opening one. What is done in a case is beside this."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.digests import canonical_json
from consentry.ledger.case_events import Step
from consentry.oversight.case import APPROVALS, Case, CaseStanding, Obstacle, step_reached
from consentry.oversight.condition_check import CHECKS
from consentry.oversight.correction import takes_two
from consentry.oversight.drained_words import took_in_words
from consentry.oversight.order import Order, in_words
from consentry.oversight.paper import PaperKind
from consentry.service.gate import Control, denied, principal_of
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import REFUSED, Staff, kept, said, twin
from consentry.service.pages.console_overview import case_rows
from consentry.service.papers import TIMELINE, Part, Place, as_document, as_file, may_read, said_to, shown
from consentry.service.registers import condition_rows, report_rows
from consentry.service.site import page

ROUTER = APIRouter()
_CASES = Listing(
    name="cases",
    columns=(
        Column("case", N_("Case")),
        Column("title", N_("About")),
        Column("standing", N_("How far"), kind="state", chosen_from=True),
        Column("suspends", N_("Suspends"), kind="list"),
        Column("open_points", N_("Open points"), kind="number"),
        Column("at", N_("Opened"), kind="time"),
    ),
    sort="-at",
)
_STEPS = (
    (CaseStanding.CONCERN_RAISED, N_("Concern raised")),
    (CaseStanding.SUSPENDED, N_("Suspended")),
    (CaseStanding.UNDER_REVIEW, N_("Under review")),
    (CaseStanding.CONDITIONS_MET, N_("Conditions met")),
    (CaseStanding.APPROVED, N_("Approved by two")),
    (CaseStanding.NOTICES_SERVED, N_("Notices served")),
    (CaseStanding.WAITING, N_("Waiting after the notice")),
    (CaseStanding.READY, N_("Ready to lift")),
)
_KINDS = {
    "case.opened": N_("Case opened"),
    "order.issued": N_("Use suspended"),
    "order.ended": N_("Order ended"),
    "order.drained": N_("Nobody reads what the order hits any more"),
    "case.review-begun": N_("Review begun"),
    "condition.added": N_("Condition added"),
    "condition.met": N_("Condition met"),
    "condition.reopened": N_("Condition opened again"),
    "condition.taken-back": N_("Condition taken back"),
    "approval.given": N_("Approved"),
    "case.notice-required": N_("Notice required"),
    "case.notice-corrected": N_("Notice corrected"),
    "notice.served": N_("Notice served"),
    "case.narrowed": N_("Suspension narrowed"),
    "case.ended": N_("Case ended"),
    "report.scheduled": N_("Report scheduled"),
    "report.delivered": N_("Report delivered"),
    "statement.filed": N_("Statement filed by an authority"),
}
_ABOUT = ("says", "order", "condition", "notice", "report", "step", "how", "reference", "title", "reason")


@ROUTER.get("/console/cases")
def cases(request: Request, control: Control, *, _: Annotated[Principal, Depends(Staff(Action.CASE_READ))]) -> Response:
    """List all cases."""
    return _CASES.answer(request, case_rows(control), template="console/cases.html")


@ROUTER.get("/console/open-case")
def form(request: Request, _: Annotated[Principal, Depends(Staff(Action.CASE_WORK))]) -> Response:
    """Show the form that opens a case."""
    return page(request, "console/open_case.html", problem=None, given=kept(case="", title="", reference=""))


@ROUTER.post("/console/open-case")
def open_case(
    *,
    request: Request,
    control: Control,
    who: Annotated[Principal, Depends(Staff(Action.CASE_WORK))],
    case: Annotated[str, Form()] = "",
    title: Annotated[str, Form()] = "",
    reference: Annotated[str, Form()] = "",
) -> Response:
    """Open a case for a concern; nothing is suspended by it."""
    given = kept(case=case, title=title, reference=reference)
    return said(
        lambda: control.cases.open(case.strip(), title=title.strip(), reference=reference.strip(), by=who.handle),
        to=f"/console/cases/{case.strip()}",
        again=lambda problem: page(
            request, "console/open_case.html", status=REFUSED, problem={**problem, "field": "case"}, given=given
        ),
    )


@ROUTER.get("/console/cases/{case}")
def one(
    request: Request, control: Control, *, case: str, _: Annotated[Principal, Depends(Staff(Action.CASE_READ))]
) -> Response:
    """Show one case: how far it is, what stands in the way, its orders and conditions, and all that was said of it."""
    return show(request, control, name=case)


@ROUTER.get("/console/cases/{case}/timeline.json")
def timeline(control: Control, case: str, *, who: Annotated[Principal, Depends(Staff(Action.CASE_READ))]) -> Response:
    """Hand out everything that was said of a case, as far as they may read it."""
    body = canonical_json({"case": case, "events": said_to(who, control.cases.timeline(case))})
    return Response(body, media_type="application/json")


@ROUTER.get("/console/cases/{case}/timeline")
def timeline_list(
    request: Request, control: Control, *, case: str, who: Annotated[Principal, Depends(Staff(Action.CASE_READ))]
) -> Response:
    """List everything that was said of a case, as far as they may read it."""
    events = said_to(who, control.cases.timeline(case))
    named = {each.position: each.name for each in control.cases.papers(case, events) if may_read(who, each.kind)}
    rows = [
        {**each, "paper": named.get(each["position"]), "paper_link": each["position"]} for each in _in_words(events)
    ]
    return TIMELINE.answer(request, rows, template="console/timeline.html", case=case)


@ROUTER.get("/console/cases/{case}/papers/{position}")
def paper(
    request: Request,
    control: Control,
    *,
    case: str,
    position: Place,
    part: Part = 0,
    who: Annotated[Principal, Depends(Staff(Action.CASE_READ))],
) -> Response:
    """Show a paper of a case, or hand it out as it is kept.

    Raises:
        StateError: `access-denied`: it is a report or a statement, and they may not read reports.
    """
    found, content = control.cases.paper(case, position, part=part)
    if not may_read(who, found.kind):
        raise denied(Action.REPORT_READ, who)
    if request.query_params.get("format") == "file":
        return as_file(content, name=f"{case}-{position}")
    same = twin(request, lambda: as_document(case, found, content=content))
    return same or page(request, "console/paper.html", case=case, paper=found, **shown(found.kind, content))


@ROUTER.get("/console/cases/{case}/reports/{report}.json")
def report(
    control: Control, case: str, *, report: str, _: Annotated[Principal, Depends(Staff(Action.REPORT_READ))]
) -> Response:
    """Hand out a report as it was delivered; one that was not, as it would be delivered now."""
    return Response(control.reports.read(case, report), media_type="application/json")


def _steps(case: Case, obstacles: Sequence[Obstacle]) -> list[tuple[str, bool]]:
    """Return the steps of a case, each with whether it is reached. Conditions are not met where there are none."""
    reached = [each for each, _ in _STEPS].index(step_reached(case, obstacles))
    there = {each for each, _ in _STEPS} - (set() if case.conditions else {CaseStanding.CONDITIONS_MET})
    return [(text, at <= reached and step in there) for at, (step, text) in enumerate(_STEPS)]


def show(
    request: Request,
    control: ControlPlane,
    *,
    name: str,
    problem: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Response:
    """Return the page of a case; with a `problem`, what was `given` in the form that was refused stays in it."""
    now = control.desk.parts.clock()
    case, standing, obstacles, answers = control.cases.register_of(name)
    reader = principal_of(request)
    timeline = said_to(reader, control.cases.timeline(name))
    papers = [each for each in control.cases.papers(name, timeline) if may_read(reader, each.kind)]
    orders = [each for each in control.orders.every() if each.case == name]
    return page(
        request,
        "console/case.html",
        status=200 if problem is None else REFUSED,
        problem=problem,
        given=given or {},
        case=case,
        standing=str(standing),
        steps=_steps(case, obstacles) if case.over is None else [],
        obstacles=[{"kind": each.kind, "text": sentence_of(each.text)} for each in obstacles],
        orders=[order_row(control, each) for each in orders],
        conditions=condition_rows(case, answers, now=now),
        approvals=case.approved_by(Step.LIFT),
        corrected_by_two=takes_two(case),
        needed=APPROVALS,
        reports=report_rows(case, now=now),
        timeline=_in_words(timeline),
        papers=papers,
        evidence={each.document: each for each in papers if each.kind is PaperKind.EVIDENCE},
        checks=[(each, each) for each in sorted(CHECKS)],
        policies=[(each, each) for each in sorted({one.name for one in control.desk.present().state.policies})],
    )


def sentence_of(text: str) -> str:
    """Return an obstacle as a sentence, without the marks around names."""
    plain = text.replace("`", "")
    return f"{plain[:1].upper()}{plain[1:]}."


def order_row(control: ControlPlane, order: Order) -> dict[str, Any]:
    """Return an order with when it was issued, when every job that it hit had been told, and when it was drained."""
    # Noted as drained with nobody in it, an order made nobody stop: there may be thousands of such.
    nobody = order.drained is not None and not order.drained.leases
    stopped = [] if nobody else control.orders.made_to_stop(order)
    ended = [lease.ended for lease in stopped]
    return {
        "order": order.order,
        "case": order.case,
        "scope": in_words(order.scope),
        "origin": str(order.origin),
        "reference": order.reference,
        "by": order.by,
        "at": order.at,
        "position": order.position,
        "state": "in force" if order.ended is None else str(order.ended.how),
        "ended_at": None if order.ended is None else order.ended.at,
        "jobs": len(stopped),
        "acknowledged": sum(each is not None for each in ended),
        "acknowledged_at": max((each.at for each in ended if each is not None), default=None),
        "drained": None if order.drained is None else 0 if nobody else order.drained.took_ms,
        "is_drained": order.drained is not None,
    }


def _in_words(timeline: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what was said of a case, each with what kind of thing it is in words."""
    return [
        {**each, "kind": _KINDS.get(each["kind"], each["kind"]), "about": _about(each["body"])} for each in timeline
    ]


def _about(body: Mapping[str, Any]) -> str:
    """Return what distinguishes an event from others of its kind, and who said it."""
    words = [value.replace("-", " ") if key == "says" else value for key, value in _said(body)]
    words += body.get("orders", ())
    by = body.get("by")
    if by:
        words.append(f"by {by if isinstance(by, str) else ' and '.join(by)}")
    if "took_ms" in body:
        words.append(took_in_words(body))
    if "count" in body:
        words.append(f"{body['count']:,} people")
    return ", ".join(words)


def _said(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(key, value) for key in _ABOUT if isinstance(value := body.get(key), str) and value]
