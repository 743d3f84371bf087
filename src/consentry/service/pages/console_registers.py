"""The registers of all cases at once: conditions for giving a use back, and reports that were promised."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.service import registers
from consentry.service.gate import Control
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
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
    rows = ({**row, "condition_link": row["case"]} for row in registers.conditions(control))
    return _CONDITIONS.answer(request, rows, template="console/conditions.html")


@ROUTER.get("/console/reports")
def reports(*, request: Request, control: Control, _: Reader) -> Response:
    """List the reports of every case, due and delivered."""
    return _REPORTS.answer(request, registers.reports(control), template="console/reports.html")
