"""Orders: all of them, what a new one would hit, and suspending: one step after that was shown. Narrowing as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.agreement import Agreed
from consentry.control_plane.plane import ControlPlane
from consentry.digests import digest_json
from consentry.errors import ConsentryError, InputError, StateError
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope, in_words
from consentry.policy.choice import as_date
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.service.gate import Control
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_cases import order_row
from consentry.service.pages.console_frame import REFUSED, SEE_OTHER, Staff, areas_of, day_of, said, told, words_of
from consentry.service.plain_words import CATEGORIES, PURPOSES, VISIBILITIES
from consentry.service.site import page

ROUTER = APIRouter()
Issuing = Annotated[Principal, Depends(Staff(Action.ORDER_ISSUE))]
Approving = Annotated[Principal, Depends(Staff(Action.CASE_APPROVE))]
_ORDERS = Listing(
    name="orders",
    columns=(
        Column("order", N_("Order")),
        Column("case", N_("Case"), chosen_from=True),
        Column("scope", N_("Suspends")),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("origin", N_("Wanted by"), chosen_from=True),
        Column("by", N_("Issued by")),
        Column("at", N_("Issued"), kind="time"),
        Column("jobs", N_("Leases stopped"), kind="number"),
        Column("drained", N_("Drained after (ms)"), kind="number"),
        Column("ended_at", N_("Ended"), kind="time"),
    ),
    sort="-at",
)
_ORIGINS = {
    Origin.OWN_DECISION: N_("Our own decision"),
    Origin.AUTHORITY_REQUEST: N_("An authority asked for it"),
    Origin.COURT_UNDERTAKING: N_("We undertook it in court"),
    Origin.BINDING_ORDER: N_("A binding order"),
}


class ScopeForm(BaseModel):
    """What was typed about a scope, as it was typed: nothing of it need be right."""

    areas: str = ""
    purposes: list[str] = []
    categories: list[str] = []
    visibilities: list[str] = []
    created_from: str = ""
    created_before: str = ""
    models: str = ""
    case: str = ""
    origin: str = str(Origin.OWN_DECISION)
    reference: str = ""
    step: str = "look"
    seen: str = ""
    """The scope whose hits were shown, by digest: another one is shown first."""

    def scope(self) -> Scope:
        """Return the scope it says.

        Raises:
            InputError: a day that is none, or a word that nothing is called by.
        """
        try:
            return Scope(
                areas=areas_of(self.areas),
                purposes=frozenset(map(Purpose, self.purposes)),
                categories=frozenset(map(Category, self.categories)),
                visibilities=frozenset(map(Visibility, self.visibilities)),
                created_from=day_of(self.created_from, what="first day"),
                created_before=day_of(self.created_before, what="day after the last"),
                models=words_of(self.models),
            )
        except ValueError:
            raise InputError(
                "form-word", "the form has a word that nothing is called by", help="choose from what it offers"
            ) from None


@ROUTER.get("/console/orders")
def orders(
    request: Request, control: Control, *, _: Annotated[Principal, Depends(Staff(Action.ORDER_READ))]
) -> Response:
    """List all orders."""
    rows = [order_row(control, each) for each in control.orders.every()]
    return _ORDERS.answer(request, rows, template="console/orders.html")


@ROUTER.get("/console/suspend")
def form(
    request: Request, control: Control, *, _: Issuing, case: Annotated[str, Query(max_length=100)] = ""
) -> Response:
    """Show the form for a suspension."""
    return _shown(request, control, ScopeForm(case=case), action="/console/suspend")


@ROUTER.post("/console/suspend")
def suspend(request: Request, control: Control, *, who: Issuing, given: Annotated[ScopeForm, Form()]) -> Response:
    """Show what a suspension would hit; in the step after that, put it in force."""
    try:
        scope = given.scope()
        if given.step != "suspend" or given.seen != digest_json(scope.to_json()):
            hit, problem = control.orders.what_if(scope), _foretold(control, given, scope)
            return _shown(request, control, given, action="/console/suspend", hit=hit, problem=problem)
        order = control.orders.suspend(
            scope,
            case=given.case.strip(),
            origin=_origin(given.origin),
            reference=given.reference.strip(),
            by=who.handle,
        )
    except ConsentryError as error:
        return _shown(request, control, given, action="/console/suspend", problem=told(error))
    return RedirectResponse(f"/console/cases/{quote(order.case)}", SEE_OTHER)


@ROUTER.get("/console/cases/{case}/narrow")
def narrow_form(request: Request, control: Control, *, case: str, _: Approving) -> Response:
    """Show the form for a smaller suspension, filled with the newest one in force."""
    known = control.cases.get(case)
    held = [each for each in control.orders.every() if each.order in known.orders]
    scope = held[-1].scope if held else Scope()
    given = ScopeForm(
        case=case,
        areas=" ".join(sorted(scope.areas)),
        purposes=sorted(scope.purposes),
        categories=sorted(scope.categories),
        visibilities=sorted(scope.visibilities),
        created_from="" if scope.created_from is None else as_date(scope.created_from),
        created_before="" if scope.created_before is None else as_date(scope.created_before),
        models=" ".join(sorted(scope.models)),
    )
    return _shown(request, control, given, action=f"/console/cases/{quote(case)}/narrow", narrows=case)


@ROUTER.post("/console/cases/{case}/narrow")
def narrow(
    request: Request, control: Control, *, case: str, who: Approving, given: Annotated[ScopeForm, Form()]
) -> Response:
    """Show what a smaller suspension would stop; in the step after that agree to it.

    The second person to say the very same puts it in place.
    """
    action = f"/console/cases/{quote(case)}/narrow"
    try:
        scope = given.scope()
        if given.step != "narrow" or given.seen != digest_json(scope.to_json()):
            instead = [
                (in_words(each.scope), control.orders.what_if(each.scope)["corpora"])
                for each in control.cases.require_smaller(case, scope)
            ]
            hit = control.orders.what_if(scope)
            return _shown(request, control, given, action=action, hit=hit, narrows=case, instead=instead)
    except ConsentryError as error:
        return _shown(request, control, given, action=action, problem=told(error), narrows=case)
    return said(
        lambda: _unless_waiting(control.cases.narrow(case, scope, by=who.handle, reference=given.reference.strip())),
        to=f"/console/cases/{quote(case)}",
        again=lambda problem: _shown(request, control, given, action=action, problem=problem, narrows=case),
    )


def _unless_waiting(agreed: Agreed) -> None:
    """Say what has to be done yet, where two people agreed to a smaller suspension."""
    if agreed.in_the_way:
        rest = "; ".join(each.text.replace("`", "") for each in agreed.in_the_way)
        raise StateError(
            "case-not-ready",
            f"the case cannot be narrowed yet, though {' and '.join(agreed.by)} agreed: {rest}",
            help="do what is missing, and agree to the very same again",
        )


def _foretold(control: ControlPlane, given: ScopeForm, scope: Scope) -> dict[str, str | None] | None:
    """Say what a suspension would be refused for; what it would hit is shown all the same."""
    try:
        control.orders.issuing.foretell(scope, case=given.case.strip(), reference=given.reference.strip())
    except ConsentryError as error:
        return told(error)
    return None


def _origin(word: str) -> Origin:
    try:
        return Origin(word)
    except ValueError:
        raise InputError("form-word", "nobody is known to want it", help="choose who wants the suspension") from None


def _shown(
    request: Request,
    control: ControlPlane,
    given: ScopeForm,
    *,
    action: str,
    problem: Mapping[str, Any] | None = None,
    hit: Mapping[str, Any] | None = None,
    narrows: str = "",
    instead: Sequence[tuple[str, Mapping[str, Any]]] = (),
) -> Response:
    return page(
        request,
        "console/suspend.html",
        status=200 if problem is None else REFUSED,
        problem=problem,
        given=given,
        hit=hit,
        action=action,
        narrows=narrows,
        instead=instead,
        words=in_words(given.scope()) if hit is not None else "",
        seen=digest_json(given.scope().to_json()) if hit is not None else "",
        purposes=[(str(each), PURPOSES[each]) for each in Purpose],
        categories=[(str(each), CATEGORIES[each]) for each in Category if each is not Category.UNKNOWN],
        visibilities=[(str(each), VISIBILITIES[each]) for each in Visibility if each is not Visibility.UNKNOWN],
        origins=[(str(each), text, "") for each, text in _ORIGINS.items()],
        cases=[each.case for each in control.cases.every() if each.over is None],
    )
