"""Releases: all of them, what one holds, how two differ, why an item is in or out, and withdrawing one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError
from consentry.ledger.state import Sealed
from consentry.oversight.order import in_words
from consentry.service.gate import Control
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_counts import counts_of, split_rows
from consentry.service.pages.console_frame import REFUSED, Staff, said, told, twin
from consentry.service.site import page

ROUTER = APIRouter()
Reading = Annotated[Principal, Depends(Staff(Action.RELEASE_READ))]
_RELEASES = Listing(
    name="releases",
    columns=(
        Column("release", N_("Release")),
        Column("purpose", N_("Purpose"), chosen_from=True),
        Column("policy", N_("Policy set"), chosen_from=True),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("barred_by", N_("Barred by")),
        Column("items", N_("Items"), kind="number"),
        Column("eligible", N_("Eligible"), kind="number"),
        Column("amendments", N_("Amendments"), kind="number"),
        Column("decided_at", N_("As of"), kind="time"),
        Column("position", N_("Position"), kind="number"),
    ),
    sort="-position",
)

_FILES = Listing(
    name="files",
    columns=(
        Column("file", N_("File")),
        Column("items", N_("Items"), kind="number"),
        Column("left_out", N_("Left out"), kind="number"),
    ),
    sort="file",
)

_AMENDMENTS = Listing(
    name="amendments",
    columns=(
        Column("amendment", N_("Amendment"), kind="number"),
        Column("removed", N_("Items removed"), kind="number"),
        Column("at", N_("When"), kind="time"),
    ),
    sort="-amendment",
)

_MOVES = Listing(
    name="moves",
    columns=(
        Column("from", N_("Was before"), chosen_from=True),
        Column("to", N_("Is now"), chosen_from=True),
        Column("items", N_("Items"), kind="number"),
    ),
    sort="-items",
    keep=("before", "after"),
)


@ROUTER.get("/console/releases")
def releases(request: Request, control: Control, *, _: Reading) -> Response:
    """List all releases."""
    rows = [_row(control, name, sealed) for name, sealed in control.releases.sealed().items()]
    return _RELEASES.answer(request, rows, template="console/releases.html", names=[each["release"] for each in rows])


def _row(control: ControlPlane, name: str, sealed: Sealed) -> dict[str, Any]:
    row = {
        "release": name,
        "purpose": str(sealed.purpose),
        "position": sealed.position,
        "amendments": len(control.amendments.of(name)),
        "state": "sealed" if sealed.withdrawn is None else "withdrawn",
    }
    if sealed.withdrawn is None and (barred := control.orders.barring(name)) is not None:
        row |= {"state": "barred", "barred_by": barred.order}
    try:
        manifest = control.releases.open(name).manifest
    except ConsentryError:
        return {**row, "state": "damaged"}
    policy = f"{manifest.policy.name} {manifest.policy.version}"
    counts = {"items": manifest.items, "eligible": manifest.eligible, "decided_at": manifest.decided_at}
    return {**row, "policy": policy, **counts}


@ROUTER.get("/console/releases/{release}")
def one(request: Request, control: Control, *, release: str, _: Reading) -> Response:
    """Show what a release holds."""
    return _show(request, control, release)


@ROUTER.get("/console/releases/{release}/files")
def files(request: Request, control: Control, *, release: str, _: Reading) -> Response:
    """List the files of a release, with how many rows of each were left out when it was sealed."""
    found = control.releases.open(release).manifest.files
    rows = [{"file": each.pin.path, "items": each.pin.rows, "left_out": each.bitmap.cardinality} for each in found]
    return _FILES.answer(request, rows, template="console/release_files.html", release=release)


@ROUTER.get("/console/releases/{release}/amendments")
def amendments(request: Request, control: Control, *, release: str, _: Reading) -> Response:
    """List every amendment of a release: how many items left it, and when."""
    found = control.amendments.of(release)
    rows = [{"amendment": each["number"], "removed": each["removed"], "at": each["at"]} for each in found]
    return _AMENDMENTS.answer(request, rows, template="console/amendments.html", release=release)


@ROUTER.get("/console/releases/{release}/explain")
def explain(
    request: Request, control: Control, *, release: str, _: Reading, item: Annotated[str, Query(max_length=500)] = ""
) -> Response:
    """Say why one item is in a release, or is not."""
    try:
        found = control.releases.explain(release, item.strip()).body
    except ConsentryError as error:
        return _show(request, control, release, problem=told(error, field="item"), item=item)
    return twin(request, lambda: found) or page(
        request, "console/explanation.html", release=release, item=item.strip(), found=found
    )


@ROUTER.post("/console/releases/{release}/withdraw")
def withdraw(
    *,
    request: Request,
    control: Control,
    release: str,
    who: Annotated[Principal, Depends(Staff(Action.RELEASE_WITHDRAW))],
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Say that nobody may read a release any more."""
    return said(
        lambda: control.releases.withdraw(release, reason.strip(), by=who.handle),
        to=f"/console/releases/{quote(release)}",
        again=lambda problem: _show(request, control, release, problem={**problem, "field": "reason"}, reason=reason),
    )


@ROUTER.get("/console/compare-releases")
def compare(
    request: Request,
    control: Control,
    *,
    _: Reading,
    before: Annotated[str, Query(max_length=300)] = "",
    after: Annotated[str, Query(max_length=300)] = "",
) -> Response:
    """Say what changed between two releases, and why."""
    found, problem = None, None
    if before and after:
        try:
            found = control.releases.compare(before, after)
        except ConsentryError as error:
            problem = told(error)
    same = None if found is None else twin(request, lambda: found)
    return same or page(
        request,
        "console/compare.html",
        status=200 if problem is None else REFUSED,
        problem=problem,
        found=found,
        before=before,
        after=after,
        names=[(each, each) for each in reversed(control.releases.sealed())],
    )


@ROUTER.get("/console/compare-releases/moves")
def moves(
    request: Request,
    control: Control,
    *,
    _: Reading,
    before: Annotated[str, Query(max_length=300)],
    after: Annotated[str, Query(max_length=300)],
) -> Response:
    """List from what to what items moved between two releases, all of it."""
    found = control.releases.compare(before, after)
    return _MOVES.answer(request, found["moves"], template="console/moves.html", before=before, after=after)


def _show(
    request: Request,
    control: ControlPlane,
    release: str,
    *,
    problem: Mapping[str, Any] | None = None,
    item: str = "",
    reason: str = "",
) -> Response:
    sealed = control.releases.sealed_as(release)
    counts = counts_of(control, release)
    manifest = None if counts["damaged"] else control.releases.open(release).manifest
    barring = control.orders.barring(release)
    return page(
        request,
        "console/release.html",
        status=200 if problem is None else REFUSED,
        problem=problem,
        item=item,
        reason=reason,
        release=release,
        sealed=sealed,
        counts=counts,
        manifest=manifest,
        gaps=[] if manifest is None else sorted(manifest.counts["by_gap"].items(), key=lambda each: -each[1]),
        licences=[] if manifest is None else split_rows(manifest.counts["by_licence"]),
        amendments=control.amendments.of(release),
        withdrawn=control.releases.withdrawal(release),
        barring=barring,
        barring_scope=None if barring is None else in_words(barring.scope),
    )
