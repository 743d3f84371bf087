"""Where the console begins: what is used and what is not, what was stopped, and what is late."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.oversight.order import in_words
from consentry.policy.choice import Seconds
from consentry.service.gate import Control, Needs
from consentry.service.pages.console_counts import Counts, counts_of, over_time
from consentry.service.pages.console_frame import SEE_OTHER, Staff
from consentry.service.site import page

ROUTER = APIRouter()
_BEGINS = (
    (Action.OVERVIEW_READ, "/console/overview"),
    (Action.ACCOUNT_MANAGE, "/console/accounts"),
    (Action.CONCERN_FILE, "/authority"),
    (Action.OWN_READ, "/me"),
)
_HELD = ("affected", "remedy chosen")
_OVER = ("withdrawn", "destroyed")


@ROUTER.get("/console")
def begin(who: Annotated[Principal, Depends(Needs(Action.ANYONE))]) -> Response:
    """Lead everybody to where their pages begin."""
    found = (address for action, address in _BEGINS if who.may(action))
    return RedirectResponse(next(found, "/sign-in" if not who.is_known else "/"), SEE_OTHER)


@ROUTER.get("/console/overview")
def overview(
    request: Request, control: Control, *, who: Annotated[Principal, Depends(Staff(Action.OVERVIEW_READ))]
) -> Response:
    """Show what there is to know now."""
    now = control.desk.parts.clock()
    # A release is opened and checked once, in however many places of the page it stands.
    counts = cache(partial(counts_of, control))
    return page(
        request,
        "console/overview.html",
        purposes=newest_counts(control, counts),
        over_time=over_time(control, counts),
        cases=[row for row in case_rows(control) if not row["over"]] if who.may(Action.CASE_READ) else None,
        orders=[
            {"order": each.order, "case": each.case, "scope": in_words(each.scope), "at": each.at}
            for each in control.orders.every()
            if each.ended is None
        ],
        jobs=[each for each in control.leases.jobs() if each["state"] == "granted"]
        if who.may(Action.LEASE_READ)
        else None,
        overdue=_overdue(control, now, models=who.may(Action.MODEL_READ)) if who.may(Action.CASE_READ) else None,
        models=_held(control) if who.may(Action.MODEL_READ) else None,
        objections=_objections(control) if who.may(Action.OBJECTION_READ) else None,
    )


def newest_counts(control: ControlPlane, counts: Counts) -> list[dict[str, Any]]:
    """Return the counts of the newest release of each purpose that is not withdrawn."""
    newest: dict[str, str] = {}
    for name, sealed in control.releases.sealed().items():
        if sealed.withdrawn is None:
            newest[str(sealed.purpose)] = name
    return [{"purpose": purpose, **counts(name)} for purpose, name in sorted(newest.items())]


def case_rows(control: ControlPlane) -> list[dict[str, Any]]:
    """Return every case as a row: how far it is, what it suspends, and how much stands in the way of lifting it."""
    orders = {each.order: each for each in control.orders.every()}
    found = []
    for known in control.cases.every():
        case, standing, obstacles, _ = control.cases.register_of(known.case)
        scopes = [in_words(orders[name].scope) for name in sorted(case.orders) if name in orders]
        found.append(
            {
                "case": case.case,
                "title": case.title,
                "standing": str(standing),
                "suspends": scopes,
                "open_points": 0 if case.over is not None else len(obstacles),
                "at": case.at,
                "over": case.over is not None,
            }
        )
    return found


def _overdue(control: ControlPlane, now: Seconds, *, models: bool) -> list[dict[str, Any]]:
    """Return the reports, conditions and models for which something is late by now; the oldest first."""
    found = _late_models(control) if models else []
    found += [
        {"case": case.case, "what": report.title, "name": report.report, "kind": "report", "due": report.due}
        for case, report in control.reports.overdue(at=now)
    ]
    for known in control.cases.every():
        case, _, _, answers = control.cases.register_of(known.case)
        if case.over is None:
            found += [
                {"case": case.case, "what": each.title, "name": each.condition, "kind": "condition", "due": each.due}
                for each in case.conditions.values()
                if each.due is not None and each.due < now and not each.answer(answers).met
            ]
    return sorted(found, key=lambda each: (each["due"], each["case"], each["name"]))


def _late_models(control: ControlPlane) -> list[dict[str, Any]]:
    return [
        {"case": "", "what": each["model"], "name": each["model"], "kind": "model", "due": each["deadline"]}
        for each in live_models(control.models.every())
        if each["late"]
    ]


def _objections(control: ControlPlane) -> dict[str, int]:
    """Return how many objections wait for an answer, and how many should have had one by now: the law sets a month."""
    queue = control.objection_queue
    return {"open": len(queue.select()), "overdue": len(queue.select(overdue=True))}


def _held(control: ControlPlane) -> list[dict[str, Any]]:
    """Return the models that may not be served, or that somebody has to decide about."""
    found: list[dict[str, Any]] = []
    for each in live_models(control.models.every()):
        serving = control.models.may_serve(each["model"])
        if not serving["may"] or each["stage"] in _HELD:
            found.append({**each, "held": not serving["may"], "why": serving["reasons"]})
    return found


def live_models(models: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the models that were neither withdrawn nor destroyed."""
    return [each for each in models if each["stage"] not in _OVER]
