"""The registers of all cases at once: conditions for giving a use back, and reports that were promised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.oversight.case import Answers, Report
from consentry.policy.choice import Seconds
from consentry.service.gate import Control
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_cases import condition_rows
from consentry.service.pages.console_frame import Staff

ROUTER = APIRouter()
Reader = Annotated[Principal, Depends(Staff(Action.CASE_READ))]
_CONDITIONS = Listing(
    name="conditions",
    columns=(
        Column("condition", N_("Condition")),
        Column("case", N_("Case"), chosen_from=True),
        Column("title", N_("About")),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("owner", N_("Owner"), chosen_from=True),
        Column("due", N_("Due"), kind="time"),
        Column("check", N_("Check")),
        Column("found", N_("Shown by")),
    ),
    sort="due",
)
_REPORTS = Listing(
    name="reports",
    columns=(
        Column("report", N_("Report")),
        Column("case", N_("Case"), chosen_from=True),
        Column("title", N_("About")),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("due", N_("Due"), kind="time"),
        Column("delivered", N_("Delivered"), kind="time"),
        Column("document", N_("Kept as")),
    ),
    sort="due",
)


@ROUTER.get("/console/conditions")
def conditions(*, request: Request, control: Control, _: Reader) -> Response:
    """List the conditions of every case; of one that is over, as they were found when it ended."""
    return _CONDITIONS.answer(request, _condition_rows(control), template="console/conditions.html")


@ROUTER.get("/console/reports")
def reports(*, request: Request, control: Control, _: Reader) -> Response:
    """List the reports of every case, due and delivered."""
    now = control.desk.parts.clock()
    rows = [
        {
            "report": each.report,
            "case": case.case,
            "title": each.title,
            "state": report_state(each, now),
            "due": each.due,
            "delivered": each.delivered_at,
            "document": None if each.delivered is None else each.delivered.document,
        }
        for case in control.cases.every()
        for each in case.reports.values()
    ]
    return _REPORTS.answer(request, rows, template="console/reports.html")


def report_state(report: Report, now: Seconds) -> str:
    """Return how far a report is, in a word."""
    return "delivered" if report.delivered is not None else "overdue" if report.overdue(now) else "due"


def _condition_rows(control: ControlPlane) -> Iterator[dict[str, Any]]:
    """Yield the conditions of every case. Only of cases that have checks are these run, one case after the other."""
    now = control.desk.parts.clock()
    for case in control.cases.every():
        answers: Answers = {}
        if any(each.check is not None for each in case.conditions.values()):
            case, _, _, answers = control.cases.register_of(case.case)  # noqa: PLW2901 - as it is by now
        for row in condition_rows(case, answers, now=now):
            state = "met" if row["met"] else "overdue" if row["overdue"] else "open"
            yield {**row, "case": case.case, "condition_link": case.case, "state": state}
