"""What a case that concerns an authority is made of, as lists: its conditions, what was filed, and its timeline.

Each is what the page of the case has the first or newest rows of. Orders, notices and reports of a case are those lists
of the authority, narrowed to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.oversight.drained_words import after_in_words
from consentry.service.gate import Control, Needs
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing, Row
from consentry.service.pages.authority import taken_away
from consentry.service.papers import TIMELINE
from consentry.service.plain_words import EVENTS

ROUTER = APIRouter(prefix="/authority/cases/{name}")
Reader = Annotated[Principal, Depends(Needs(Action.AUTHORITY_READ))]
_HEAD = ("format", "areas", "position", "as_of", "case", "whole")
_SAYS = {"suspend": "suspension", "may-be-lifted": "may be lifted", "concern": "concern"}
_ABOUT = ("order", "condition", "notice", "report", "title", "reference", "how", "step", "says")
_CONDITIONS = Listing(
    name="conditions",
    columns=(
        Column("condition", N_("Condition")),
        Column("title", N_("About")),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("due", N_("Due"), kind="time"),
        Column("check", N_("Checked on the live system")),
        Column("evidence", N_("Evidence")),
        Column("kept_as", N_("Kept as")),
    ),
    sort="condition",
)
_STATEMENTS = Listing(
    name="statements",
    columns=(
        Column("position", N_("Position"), kind="number"),
        Column("at", N_("When"), kind="time"),
        Column("says", N_("What"), kind="state", chosen_from=True),
        Column("by", N_("Filed by"), chosen_from=True),
        Column("orders", N_("Orders"), kind="list"),
        Column("reference", N_("Reference")),
        Column("signed_with", N_("Signed with key")),
        Column("paper", N_("Paper")),
    ),
    sort="-position",
)


@ROUTER.get("/conditions")
def conditions(*, request: Request, control: Control, who: Reader, name: str) -> Response:
    """List the conditions for giving the use back."""
    return _listed(request, control, who, name=name, listing=_CONDITIONS, rows=_condition_rows)


@ROUTER.get("/statements")
def statements(*, request: Request, control: Control, who: Reader, name: str) -> Response:
    """List the statements and concerns that authorities filed."""
    return _listed(request, control, who, name=name, listing=_STATEMENTS, rows=_statement_rows)


@ROUTER.get("/timeline")
def timeline(*, request: Request, control: Control, who: Reader, name: str) -> Response:
    """List everything that was said of the case, as far as it concerns them."""
    return _listed(request, control, who, name=name, listing=TIMELINE, rows=_timeline_rows)


def _listed(
    request: Request,
    control: ControlPlane,
    who: Principal,
    *,
    name: str,
    listing: Listing,
    rows: Callable[[Mapping[str, Any]], Iterable[Row]],
) -> Response:
    """Return a list of a case; signed and whole if the address asks for `?format=signed`."""
    case = control.authority_view.case(name, who.areas)
    if request.query_params.get("format") == "signed":
        document = {key: case[key] for key in (*_HEAD, listing.name)}
        return taken_away(control, {**document, "what": listing.name}, name=f"{name}-{listing.name}-{case['position']}")
    return listing.answer(request, rows(case), template=f"authority/{listing.name}.html", doc=case)


def _condition_rows(case: Mapping[str, Any]) -> list[Row]:
    given = {each["document"]: each for each in case["papers"] if each["kind"] == "evidence"}
    return [
        {
            "condition": each["condition"],
            "title": each["title"],
            "state": "met" if each["met"] else "open",
            "due": each["due"],
            "check": each["check"] and (each["found"] or each["check"]),
            "evidence": given[each["evidence"]]["name"] if each["evidence"] in given else None,
            "evidence_link": given[each["evidence"]]["position"] if each["evidence"] in given else None,
            "kept_as": each["evidence"],
        }
        for each in case["conditions"]
    ]


def _statement_rows(case: Mapping[str, Any]) -> list[Row]:
    named = _papers(case)
    return [
        {
            **{key: each[key] for key in ("position", "at", "by", "orders", "reference", "signed_with")},
            "says": _SAYS[each["says"]],
            "paper": named.get(each["position"]),
            "paper_link": each["position"],
        }
        for each in case["statements"]
    ]


def _timeline_rows(case: Mapping[str, Any]) -> list[Row]:
    named = _papers(case)
    return [
        {
            "position": each["position"],
            "at": each["at"],
            "kind": EVENTS.get(each["kind"], each["kind"]),
            "about": ", ".join(_about(each["said"])),
            "paper": named.get(each["position"]),
            "paper_link": each["position"],
        }
        for each in case["timeline"]
    ]


def _papers(case: Mapping[str, Any]) -> dict[int, str]:
    return {each["position"]: each["name"] for each in case["papers"] if not each["part"]}


def _about(said: Mapping[str, Any]) -> list[str]:
    """Return what distinguishes an event from others of its kind."""
    words = [str(said[name]) for name in _ABOUT if said.get(name)]
    if "took_ms" in said:
        words.append(after_in_words(said["took_ms"]))
    if "count" in said:
        words.append(f"{said['count']:,} {'person' if said['count'] == 1 else 'people'}")
    return words
