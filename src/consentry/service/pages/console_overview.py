"""Where the console begins: what is used and what is not, what was stopped, and what is late."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache, partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.oversight.case import Answers, Case, CaseStanding, Obstacle
from consentry.oversight.case_register import ConditionState, register
from consentry.oversight.order import in_words
from consentry.service.gate import Control, Needs
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_counts import Counts, counts_of, over_time
from consentry.service.pages.console_frame import SEE_OTHER, Staff, twin
from consentry.service.site import page

ROUTER = APIRouter()
_BEGINS = (
    (Action.OVERVIEW_READ, "/console/overview"),
    (Action.ACCOUNT_MANAGE, "/console/accounts"),
    (Action.CONCERN_FILE, "/authority"),
    (Action.OWN_READ, "/me"),
)
Register = tuple[Case, CaseStanding, tuple[Obstacle, ...], Answers]
"""A case, how far it is, what stands in the way of lifting it, and what its checks found."""
_WHAT = {"report": N_("report"), "condition": N_("condition"), "model": N_("model")}
_OVERDUE = Listing(
    name="overdue",
    columns=(
        Column("due", N_("Was due"), kind="time"),
        Column("what", N_("What")),
        Column("kind", N_("Kind"), chosen_from=True),
        Column("case", N_("Case"), chosen_from=True),
        Column("name", N_("Name")),
    ),
    sort="due",
)
_AFFECTED = ("affected", "remedy chosen")
_DUE = {
    "affected": N_("decide what is done about it"),
    "remedy chosen": N_("finish what was chosen"),
    "withdrawn": N_("destroy it"),
}
"""What is late of a model at a stage; at any other nothing ever is."""
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
    found = _overview(control, who)
    return twin(request, lambda: found) or page(request, "console/overview.html", **found)


@ROUTER.get("/console/overdue")
def late(
    request: Request, control: Control, *, who: Annotated[Principal, Depends(Staff(Action.CASE_READ))]
) -> Response:
    """List everything that is late."""
    found = _overdue(
        control, open_registers(control), models=control.models.every() if who.may(Action.MODEL_READ) else ()
    )
    rows = [{**each, "kind": _WHAT[each["kind"]]} for each in found]
    return _OVERDUE.answer(request, rows, template="console/overdue.html")


def _overview(control: ControlPlane, who: Principal) -> dict[str, Any]:
    """Return what there is to know now; None for what somebody may not read."""
    # A release is opened and checked once, in however many places of the page it stands, and so is a case.
    counts = cache(partial(counts_of, control))
    registers = open_registers(control) if who.may(Action.CASE_READ) else None
    jobs = control.leases.jobs() if who.may(Action.LEASE_READ) else None
    models = control.models.every() if who.may(Action.MODEL_READ) else None
    return {
        "lost": [{**asdict(each), "events": each.events} for each in control.desk.present().overseen.lost],
        "purposes": newest_counts(control, counts),
        "over_time": over_time(control, counts),
        "cases": None if registers is None else _rows(_scopes(control), registers),
        "orders": [
            {"order": each.order, "case": each.case, "scope": in_words(each.scope), "at": each.at}
            for each in control.orders.every()
            if each.ended is None
        ],
        "jobs": None if jobs is None else [each for each in jobs if each["state"] == "granted"],
        "overdue": None if registers is None else _overdue(control, registers, models=models or ()),
        "models": None if models is None else _held(models),
        "objections": _objections(control) if who.may(Action.OBJECTION_READ) else None,
    }


def newest_counts(control: ControlPlane, counts: Counts) -> list[dict[str, Any]]:
    """Return the counts of the newest release of each purpose and corpus that is not withdrawn, and what bars it."""
    newest: dict[tuple[str, str], str] = {}
    for name, sealed in control.releases.sealed().items():
        if sealed.withdrawn is None:
            newest[str(sealed.purpose), sealed.corpus] = name
    return [
        {"purpose": purpose, "corpus": corpus, "barred": _barred(control, name), **counts(name)}
        for (purpose, corpus), name in sorted(newest.items())
    ]


def _barred(control: ControlPlane, release: str) -> dict[str, Any] | None:
    order = control.orders.barring(release)
    return None if order is None else {"order": order.order, "case": order.case, "at": order.at}


def open_registers(control: ControlPlane) -> dict[str, Register]:
    """Return the registers of the cases that are not over, each asked for once.

    Asking runs every check of a case and counts people, which takes a moment; renewals of leases do not wait for it.
    """
    found = [control.cases.register_of(each.case) for each in control.cases.every() if each.over is None]
    # Somebody may have ended one meanwhile.
    return {each[0].case: each for each in found if each[0].over is None}


def case_rows(control: ControlPlane) -> list[dict[str, Any]]:
    """Return every case as a row: how far it is, what it suspends, and how much stands in the way of lifting it.

    Of a case that is over nothing is asked: it stands where it ended.
    """
    registers = open_registers(control)
    orders = _scopes(control)
    over = [_row(each, each.over.how, orders) for each in control.cases.every() if each.over is not None]
    # One that was ended since it was asked stands in both: it is over.
    ended = {row["case"] for row in over}
    return over + [row for row in _rows(orders, registers) if row["case"] not in ended]


def _rows(orders: Mapping[str, str], registers: Mapping[str, Register]) -> list[dict[str, Any]]:
    return [
        _row(case, standing, orders, open_points=len(obstacles)) for case, standing, obstacles, _ in registers.values()
    ]


def _scopes(control: ControlPlane) -> dict[str, str]:
    return {each.order: in_words(each.scope) for each in control.orders.every()}


def _row(case: Case, standing: str, orders: Mapping[str, str], *, open_points: int = 0) -> dict[str, Any]:
    return {
        "case": case.case,
        "title": case.title,
        "standing": str(standing),
        "suspends": [orders[name] for name in sorted(case.orders) if name in orders],
        "open_points": open_points,
        "at": case.at,
    }


def _overdue(
    control: ControlPlane, registers: Mapping[str, Register], *, models: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the reports, conditions and models for which something is late by now; the oldest first."""
    now = control.desk.parts.clock()
    found = [
        {"case": "", "what": _DUE[each["stage"]], "name": each["model"], "kind": "model", "due": each["deadline"]}
        for each in models
        if each["late"]
    ]
    found += [
        {"case": case.case, "what": report.title, "name": report.report, "kind": "report", "due": report.due}
        for case, report in control.reports.overdue(at=now)
    ]
    found += [
        {"case": case.case, "what": each.title, "name": each.condition, "kind": "condition", "due": each.due}
        for case, _, _, answers in registers.values()
        for each in (row.condition for row in register(case, answers) if row.state(now) is ConditionState.OVERDUE)
    ]
    return sorted(found, key=lambda each: (each["due"], each["case"], each["name"]))


def _objections(control: ControlPlane) -> dict[str, int]:
    """Return how many objections wait for an answer, and how many should have had one by now: the law sets a month."""
    queue = control.objection_queue
    return {"open": len(queue.select()), "overdue": len(queue.select(overdue=True))}


def _held(models: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the models that are there and may not be served, or that somebody has to decide about."""
    return [each for each in models if each["stage"] not in _OVER and (each["held"] or each["stage"] in _AFFECTED)]
