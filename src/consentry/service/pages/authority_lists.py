"""Lists for an authority: cases, orders, releases, models, notices and reports, all inside of its jurisdictions.

Each is filtered, sorted, paged and exported like the lists of the console, and taken away signed as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.policy.choice import Seconds
from consentry.service.gate import Control, Needs
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing, Row
from consentry.service.pages.authority import taken_away
from consentry.service.plain_words import CATEGORIES, PURPOSES, STANDINGS

ROUTER = APIRouter(prefix="/authority")
Reader = Annotated[Principal, Depends(Needs(Action.AUTHORITY_READ))]
_CASES = Listing(
    name="cases",
    columns=(
        Column("case", N_("Case")),
        Column("title", N_("About")),
        Column("reference", N_("Reference")),
        Column("standing", N_("How far it is"), kind="state", chosen_from=True),
        Column("in_force", N_("In force"), kind="list"),
        Column("waits_for", N_("Waits for the signature of"), kind="list", chosen_from=True),
        Column("opened", N_("Opened"), kind="time"),
    ),
    sort="-opened",
)
_ORDERS = Listing(
    name="orders",
    columns=(
        Column("order", N_("Order")),
        Column("case", N_("Case"), chosen_from=True),
        Column("scope", N_("Suspends")),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("reference", N_("Reference")),
        Column("issued", N_("Given"), kind="time"),
        Column("acknowledged", N_("Acknowledged"), kind="time"),
        Column("drained", N_("Drained"), kind="time"),
        Column("jobs", N_("Leases over"), kind="number"),
        Column("ended", N_("Ended"), kind="time"),
    ),
    sort="-issued",
)
_RELEASES = Listing(
    name="releases",
    columns=(
        Column("release", N_("Release")),
        Column("corpus", N_("Corpus"), chosen_from=True),
        Column("purpose", N_("For"), chosen_from=True),
        Column("policy", N_("Policy set"), chosen_from=True),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("barred_by", N_("Barred by")),
        Column("items", N_("By or about people there"), kind="number"),
        Column("left", N_("Of these, left since"), kind="number"),
        Column("used", N_("Used"), kind="number"),
        Column("perhaps_used", N_("Perhaps"), kind="number"),
        Column("refused", N_("Refused"), kind="number"),
        Column("suspended", N_("Suspended"), kind="number"),
        Column("other", N_("The rules"), kind="number"),
        Column("amendments", N_("Amendments"), kind="number"),
        Column("decided_at", N_("Decided"), kind="time"),
    ),
    sort="-decided_at",
)
_MODELS = Listing(
    name="models",
    columns=(
        Column("model", N_("Model")),
        Column("stage", N_("Where it stands"), kind="state", chosen_from=True),
        Column("releases", N_("Trained on"), kind="list", chosen_from=True),
        Column("in_releases", N_("Such items there"), kind="number"),
        Column("items", N_("Of such items it read"), kind="number"),
        Column("known", N_("Known from"), kind="state", chosen_from=True),
        Column("through", N_("Built on"), kind="list"),
    ),
    sort="model",
)
_NOTICES = Listing(
    name="notices",
    columns=(
        Column("notice", N_("Notice")),
        Column("case", N_("Case"), chosen_from=True),
        Column("version", N_("Version"), kind="number"),
        Column("languages", N_("Languages"), kind="list"),
        Column("people", N_("People told"), kind="number"),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("served", N_("Served"), kind="time"),
        Column("waiting_ends", N_("Time to object ends"), kind="time"),
    ),
    sort="-served",
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
        Column("document", N_("Document, signed")),
    ),
    sort="-due",
)


@ROUTER.get("/cases")
def cases(*, request: Request, control: Control, who: Reader) -> Response:
    """List the cases."""
    return _listed(request, control, control.authority_view.cases(who.areas), listing=_CASES, rows=_case_rows)


@ROUTER.get("/orders")
def orders(*, request: Request, control: Control, who: Reader) -> Response:
    """List the orders, in force or not."""
    return _listed(request, control, control.authority_view.orders(who.areas), listing=_ORDERS, rows=_order_rows)


@ROUTER.get("/releases")
def releases(*, request: Request, control: Control, who: Reader) -> Response:
    """List the releases, and how much of them is content of these jurisdictions."""
    return _listed(request, control, control.authority_view.releases(who.areas), listing=_RELEASES, rows=_release_rows)


@ROUTER.get("/models")
def models(*, request: Request, control: Control, who: Reader) -> Response:
    """List the models that were trained on such content."""
    return _listed(request, control, control.authority_view.models(who.areas), listing=_MODELS, rows=_model_rows)


@ROUTER.get("/notices")
def notices(*, request: Request, control: Control, who: Reader) -> Response:
    """List the notices, and until when people can object."""
    return _listed(request, control, control.authority_view.notices(who.areas), listing=_NOTICES, rows=_notice_rows)


@ROUTER.get("/reports")
def reports(*, request: Request, control: Control, who: Reader) -> Response:
    """List the reports, due and delivered."""
    return _listed(request, control, control.authority_view.reports(who.areas), listing=_REPORTS, rows=_report_rows)


def _listed(
    request: Request,
    control: ControlPlane,
    document: Mapping[str, Any],
    *,
    listing: Listing,
    rows: Callable[[Mapping[str, Any], Seconds], Iterable[Row]],
) -> Response:
    """Return a list; signed and whole if the address asks for `?format=signed`."""
    if request.query_params.get("format") == "signed":
        return taken_away(control, document, name=f"{document['what']}-{document['position']}")
    found = rows(document, control.desk.parts.clock())
    return listing.answer(request, found, template=f"authority/{listing.name}.html", doc=document)


def _case_rows(document: Mapping[str, Any], _: Seconds) -> list[Row]:
    return [
        {
            **each,
            "standing": STANDINGS[each["standing"]],
            "waits_for": sorted({handle for missing in each["waits_for"].values() for handle in missing}),
            "opened": each["opened"]["at"],
        }
        for each in document["cases"]
    ]


def _order_rows(document: Mapping[str, Any], _: Seconds) -> list[Row]:
    return [
        {
            "order": each["order"],
            "case": each["case"],
            "scope": each["in_words"],
            "state": "in force" if each["ended"] is None else each["ended"]["how"],
            "reference": each["reference"],
            "issued": each["issued"]["at_ms"] // 1000,
            "acknowledged": each["acknowledged"]["at"],
            "drained": None if each["drained"] is None else each["drained"]["at_ms"] // 1000,
            "jobs": None if each["drained"] is None else each["drained"]["jobs"],
            "ended": None if each["ended"] is None else each["ended"]["at"],
        }
        for each in document["orders"]
    ]


def _release_rows(document: Mapping[str, Any], _: Seconds) -> list[Row]:
    return [
        {
            **{name: each[name] for name in ("release", "corpus", "items", "left", "amendments", "decided_at")},
            "purpose": PURPOSES[each["purpose"]],
            "policy": f"{each['policy']['name']} {each['policy']['version']}",
            "state": "withdrawn" if each["withdrawn"] else "barred" if each["barred"] else "sealed",
            "barred_by": each["barred"] and each["barred"]["order"],
            "used": each["there"]["used"],
            "perhaps_used": each["perhaps"]["used"],
            **{kind: each["there"][kind] + each["perhaps"][kind] for kind in ("refused", "suspended", "other")},
            "categories": [(CATEGORIES[kind], items) for kind, items in each["used_by_category"].items()],
        }
        for each in document["releases"]
    ]


def _model_rows(document: Mapping[str, Any], _: Seconds) -> list[Row]:
    return [
        {
            **{name: each[name] for name in ("model", "stage", "in_releases", "items", "through")},
            "releases": sorted(each["releases"]),
            "known": ("not known" if each["items"] is None else "what was said") if each["releases"] else None,
        }
        for each in document["models"]
    ]


def _notice_rows(document: Mapping[str, Any], now: Seconds) -> list[Row]:
    found: list[Row] = []
    for each in document["notices"]:
        languages = {version["version"]: version["languages"] for version in each["versions"]}
        named = {"notice": each["notice"], "case": each["case"]}
        if not any(serving["waiting_ends"] for serving in each["servings"]):
            found.append({**named, "people": 0, "state": "not served for this case yet"})
        found += [
            {
                **named,
                **{name: serving[name] for name in ("version", "people", "served", "waiting_ends")},
                "languages": languages.get(serving["version"], []),
                "state": _waiting(serving["waiting_ends"], now),
            }
            for serving in each["servings"]
        ]
    return found


def _waiting(ends: Seconds | None, now: Seconds) -> str:
    if ends is None:
        return "does not count for this case"
    return "time to object" if ends > now else "time is over"


def _report_rows(document: Mapping[str, Any], now: Seconds) -> list[Row]:
    return [
        {
            "report": each["report"],
            "case": each["case"],
            "title": each["title"],
            "state": _report_state(each, now),
            "due": each["due"],
            "delivered": each["delivered"] and each["delivered"]["at"],
            "document": each["delivered"] and f"{each['case']}-{each['report']}.signed.json",
            "document_link": f"{each['case']}/{each['report']}",
        }
        for each in document["reports"]
    ]


def _report_state(report: Mapping[str, Any], now: Seconds) -> str:
    if report["not_shown"]:
        return "delivered, not shown here"
    return "delivered" if report["delivered"] else "overdue" if now > report["due"] else "due"
