"""Cases: an authority's matter, how far it is, what stands in the way of lifting it, and everything that was said."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import JsonValue

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.once_recorded import once_recorded
from consentry.control_plane.plane import ControlPlane
from consentry.oversight import case as cases
from consentry.oversight.case_register import register
from consentry.service.api.once import KEY, Once
from consentry.service.api.shape import After, Answer, Body, Limit, Line, Named, Position, Word, part, problems
from consentry.service.gate import Control, Needs, NeedsAll
from consentry.service.papers import said_to

ROUTER = APIRouter(prefix="/v1", tags=["cases"], route_class=Once)
Reader = Annotated[Principal, Depends(NeedsAll(Action.CASE_READ))]


class Case(Answer):
    """A case, and how far it is."""

    case: str
    title: str
    reference: str
    by: str | None
    position: Position
    at: int
    standing: cases.CaseStanding
    orders: list[str]


class Cases(Answer):
    """Cases, oldest first."""

    cases: list[Case]
    next: str | None


class Condition(Answer):
    """What has to be so before the case is lifted, and whether it is."""

    condition: str
    title: str
    owner: str
    due: int | None
    check: str | None
    met: bool
    found: str


class Obstacle(Answer):
    """One thing that stands in the way of lifting."""

    kind: str
    about: str
    text: str


class WholeCase(Case):
    """A case with its register."""

    conditions: list[Condition]
    obstacles: list[Obstacle]
    notices: dict[str, int]


class CaseEvent(Answer):
    """Something that was said of a case. What `body` holds depends on `kind`."""

    position: Position
    at: int
    kind: str
    body: dict[str, JsonValue]


class Timeline(Answer):
    """What was said of a case, oldest first."""

    events: list[CaseEvent]
    next: str | None


class Opened(Body):
    """A concern. Nothing is suspended by it."""

    case: Word
    title: Line
    reference: Line


@ROUTER.get("/cases", responses=problems({422: "list-cursor"}))
def every(*, _: Reader, control: Control, limit: Limit = 100, after: After = None) -> Cases:
    """Return the cases, oldest first. Authorities see theirs on their pages."""
    found = part(control.cases.every(), lambda each: each.case, limit=limit, after=after)
    return Cases(cases=[_as_it_stands(control, each) for each in found.rows], next=found.next)


@ROUTER.get("/cases/{case}", responses=problems({404: "case-unknown"}))
def one(*, case: Named, _: Reader, control: Control) -> WholeCase:
    """Return a case with its conditions and what stands in the way."""
    return whole(control, case)


def whole(control: ControlPlane, case: str) -> WholeCase:
    """Return a case as it is now; its checks are run. What is over stands as it was found when it ended."""
    found, standing, obstacles, answers = control.cases.register_of(case)
    conditions = [
        Condition(
            condition=each.condition.condition,
            title=each.condition.title,
            owner=each.condition.owner,
            due=each.condition.due,
            check=each.condition.check,
            met=each.met,
            found=each.found,
        )
        for each in register(found, answers)
    ]
    return WholeCase(
        **dict(_described(found, standing)),
        conditions=conditions,
        obstacles=[Obstacle.model_validate(each) for each in obstacles],
        notices=dict(found.notices),
    )


@ROUTER.get("/cases/{case}/timeline", responses=problems({404: "case-unknown", 422: "list-cursor"}))
def timeline(*, case: Named, who: Reader, control: Control, limit: Limit = 100, after: After = None) -> Timeline:
    """Return everything that was said of a case, oldest first; what authorities filed to those who may read reports."""
    said = said_to(who, control.cases.timeline(case))
    found = part(said, lambda each: str(each["position"]), limit=limit, after=after)
    return Timeline(events=[CaseEvent.model_validate(each) for each in found.rows], next=found.next)


@ROUTER.post("/cases", status_code=201, dependencies=[KEY], responses=problems({409: "case-known idempotency-running"}))
def open_(*, body: Opened, who: Annotated[Principal, Depends(Needs(Action.CASE_WORK))], control: Control) -> Case:
    """Open a case for a concern."""
    opened = control.cases.open(body.case, title=body.title, reference=body.reference, by=who.handle)
    with once_recorded():
        return _as_it_stands(control, opened)


def _as_it_stands(control: ControlPlane, case: cases.Case) -> Case:
    """Return a case with how far it is. Of one that is over nothing is asked: it stands where it ended."""
    if case.over is not None:
        return _described(case, cases.CaseStanding(case.over.how))
    found, standing, _, _ = control.cases.register_of(case.case)
    return _described(found, standing)


def _described(found: cases.Case, standing: cases.CaseStanding) -> Case:
    return Case(
        case=found.case,
        title=found.title,
        reference=found.reference,
        by=found.by,
        position=found.position,
        at=found.at,
        standing=standing,
        orders=sorted(found.orders),
    )
