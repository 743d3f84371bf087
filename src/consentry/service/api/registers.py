"""The registers of all cases: conditions for giving a use back, reports that are owed to authorities, and each report.

They say what the lists of the console say. What an authority sees of them stands on its pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import JsonValue

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.digests import digest_json
from consentry.oversight.case_register import ConditionState, ReportState
from consentry.service import registers
from consentry.service.api.shape import After, Answer, Limit, Named, Position, Word, part, problems
from consentry.service.gate import Control, NeedsAll

ROUTER = APIRouter(prefix="/v1", tags=["cases"])
Reader = Annotated[Principal, Depends(NeedsAll(Action.CASE_READ))]
Of = Annotated[Word | None, Query(description="Of this case only.")]
Row = Mapping[str, Any]
_LISTED = problems({404: "case-unknown", 422: "list-cursor"})


class RegisteredCondition(Answer):
    """A condition of a case. `check`: with its parameters; null: a document shows it. `evidence`: of that document."""

    case: str
    condition: str
    title: str
    state: ConditionState
    owner: str
    due: int | None
    check: str | None
    policy: str | None
    evidence: str | None
    found: str


class ConditionRegister(Answer):
    """Conditions of cases, those of the oldest case first."""

    conditions: list[RegisteredCondition]
    next: str | None


class OwedReport(Answer):
    """A report that is owed on a case. What was delivered last: when, of what position, and the digest it has."""

    case: str
    report: str
    title: str
    state: ReportState
    due: int
    delivered: int | None
    position: Position | None
    document: str | None


class ReportRegister(Answer):
    """Reports on cases, those on the oldest case first."""

    reports: list[OwedReport]
    next: str | None


@ROUTER.get("/conditions", responses=_LISTED)
def conditions(
    *,
    _: Reader,
    control: Control,
    case: Of = None,
    state: ConditionState | None = None,
    limit: Limit = 100,
    after: After = None,
) -> ConditionRegister:
    """Return the conditions of every case; of one that is over, as they were found when it ended. Checks are run."""
    rows = registers.conditions(control, of=case)
    found = part(rows, _key("condition"), limit=limit, after=after, keep=_in(state))
    return ConditionRegister(conditions=[RegisteredCondition(**each) for each in found.rows], next=found.next)


@ROUTER.get("/reports", responses=_LISTED)
def reports(
    *,
    _: Reader,
    control: Control,
    case: Of = None,
    state: ReportState | None = None,
    limit: Limit = 100,
    after: After = None,
) -> ReportRegister:
    """Return the reports that were promised to authorities, due and delivered."""
    rows = registers.reports(control, of=case)
    found = part(rows, _key("report"), limit=limit, after=after, keep=_in(state))
    return ReportRegister(reports=[OwedReport(**each) for each in found.rows], next=found.next)


@ROUTER.get(
    "/cases/{case}/reports/{report}",
    response_model=dict[str, JsonValue],
    responses=problems({404: "case-unknown case-report-unknown"}),
)
def report(
    *, case: Named, report: Named, _: Annotated[Principal, Depends(NeedsAll(Action.REPORT_READ))], control: Control
) -> Response:
    """Return a report byte for byte as it was last delivered; one that was not, as it would be delivered now."""
    return Response(control.reports.read(case, report), media_type="application/json")


def _in(state: str | None) -> Callable[[Row], bool]:
    return lambda row: state in (None, row["state"])


def _key(name: str) -> Callable[[Row], str]:
    """Return what says where a list goes on. It is a digest: two names together can be too long for an address."""
    return lambda row: digest_json([row["case"], row[name]]).removeprefix("sha256:")
