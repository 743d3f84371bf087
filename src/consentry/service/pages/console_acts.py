"""Who did what: every act of staff and authorities that the ledger has, for those who look after them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.acts import Act
from consentry.service.gate import Control
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing, Row
from consentry.service.pages.console_frame import Staff
from consentry.service.plain_words import EVENTS

ROUTER = APIRouter()
_ACTS = Listing(
    name="acts",
    columns=(
        Column("at", N_("When"), kind="time"),
        Column("by", N_("Who"), kind="list", chosen_from=True),
        Column("what", N_("What"), chosen_from=True),
        Column("case", N_("Case"), chosen_from=True),
        Column("about", N_("About"), kind="list"),
        Column("position", N_("Position"), kind="number"),
        Column("kind", N_("Event")),
    ),
    sort="-position",
)
_WORDS = {
    **EVENTS,
    "policy.published": "A policy set came into force",
    "policy.proposed": "A policy set was proposed",
    "policy.approved": "A proposed policy set was approved",
    "policy.proposal-ended": "A proposal ended",
    "corpus.registered": "A corpus was registered",
    "people.loaded": "The people table was loaded",
    "release.sealed": "A release was sealed",
    "release.withdrawn": "A release was withdrawn",
    "assessment.bound": "An assessment was bound to a policy set",
    "notice.written": "The text of a notice was written",
    "model.registered": "A model was registered",
    "model.remedy-chosen": "What is done about a model was chosen",
    "model.remedy-approved": "What is done about a model was approved",
    "model.remedied": "What was to be done about a model was done",
    "model.withdrawn": "A model was withdrawn",
    "destruction.begun": "Files were about to be deleted",
    "destruction.certified": "Destruction was certified",
    "model.said-gone": "Weights of a model were said to be gone",
    "objection.received": "An objection was typed in for somebody",
    "objection.taken": "An objection was taken",
    "objection.asked": "An objector was asked for more",
    "objection.extended": "The time to answer an objection was extended",
    "objection.matched": "An objection was matched",
    "objection.not-found": "Nothing was found for an objection",
    "objection.declined": "An objection was declined",
    "objection.noted": "A note was added to an objection",
    "objection.erased": "What was written about an objection was erased",
    "person.looked-up": "Somebody was looked up",
    "ledger.event-lost": "An event was lost with the newest ledger",
}
"""Kinds of events in words; a test asks for each kind there is."""


@ROUTER.get("/console/acts")
def acts(request: Request, control: Control, *, _: Annotated[Principal, Depends(Staff(Action.ACTS_READ))]) -> Response:
    """List who did what, the newest first."""
    return _ACTS.answer(request, map(_row, control.acts.every()), template="console/acts.html")


def _row(act: Act) -> Row:
    return {
        "at": act.at,
        "by": list(act.by) or ["not said"],
        "what": _WORDS.get(act.kind, act.kind),
        "about": [word for word in act.about if word != act.case],
        "case": act.case,
        "kind": act.kind,
        "position": act.position,
    }
