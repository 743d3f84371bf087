"""Looking one person up: a reason first, which the ledger keeps and the person can see."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.errors import InputError, NotFoundError
from consentry.service.gate import Control
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import REFUSED, Staff, told, twin
from consentry.service.site import page

ROUTER = APIRouter()
Looking = Annotated[Principal, Depends(Staff(Action.PERSON_LOOK_UP))]
_CHOICES = Listing(
    name="choices",
    columns=(
        Column("at", N_("When"), kind="time"),
        Column("state", N_("Choice"), kind="state"),
        Column("purpose", N_("For")),
        Column("category", N_("About")),
        Column("reach", N_("Reach")),
        Column("position", N_("Position"), kind="number"),
    ),
    sort="-position",
)
"""Paged by the form that is sent, and so by nothing that an address keeps."""
_GAPS = {
    "person": N_("the people table does not have this person"),
    "residence": N_("where they live is not established"),
    "age": N_("their age is not known"),
    "account": N_("the state of their account is not understood"),
}


@ROUTER.get("/console/people")
def form(request: Request, _: Looking) -> Response:
    """Show the form. What is looked up is never in an address: those are kept in histories and logs."""
    return page(request, "console/people.html", problem=None, person="", reason="", found=None, gaps=_GAPS)


@ROUTER.post("/console/people")
def look_up(
    *,
    request: Request,
    control: Control,
    who: Looking,
    person: Annotated[str, Form(max_length=500)] = "",
    reason: Annotated[str, Form(max_length=500)] = "",
    number: Annotated[str, Form(max_length=20, alias="page")] = "",
) -> Response:
    """Record who looks for what reason, and then show what is known of the person.

    Every page of what they chose is a look of its own, and is recorded like the first.
    """
    found, problem = None, None
    try:
        found = control.look_ups.look_up(person.strip(), reason=reason.strip(), by=who.handle)
    except (InputError, NotFoundError) as error:
        problem = told(error, field="reason" if error.code == "case-text" else "person")
    same = None if found is None else twin(request, lambda: found)
    _, choices = _CHOICES.select([] if found is None else found["choices"], {"page": number})
    return same or page(
        request,
        "console/people.html",
        choices=choices,
        status=200 if problem is None else REFUSED,
        problem=problem,
        person=person,
        reason=reason,
        found=found,
        gaps=_GAPS,
    )
