"""Notices: what people are told, in which version, to how many it was served, and how long they have to object."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.ledger.state import Published
from consentry.policy.expressions import SECONDS_PER_DAY
from consentry.service.gate import Control
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import N_, Staff
from consentry.service.site import page

ROUTER = APIRouter()
Reading = Annotated[Principal, Depends(Staff(Action.NOTICE_READ))]
_NOTICES = Listing(
    name="notices",
    columns=(
        Column("notice", N_("Notice")),
        Column("versions", N_("Versions"), kind="number"),
        Column("languages", N_("Languages"), kind="list"),
        Column("people", N_("Times served"), kind="number"),
        Column("last", N_("Last served"), kind="time"),
    ),
    sort="notice",
)


@ROUTER.get("/console/notices")
def notices(request: Request, control: Control, *, _: Reading) -> Response:
    """List all notices."""
    rows = [
        {
            "notice": each.notice,
            "versions": len(each.versions),
            "languages": list(each.newest.body.languages) if each.newest is not None else [],
            "people": each.people,
            "last": each.servings[-1].at if each.servings else None,
        }
        for each in control.notices.every()
    ]
    return _NOTICES.answer(request, rows, template="console/notices.html")


@ROUTER.get("/console/notices/{notice}")
def one(request: Request, control: Control, *, notice: str, who: Reading) -> Response:
    """Show the texts of a notice, whom it was served to, and which rules and cases wait for it."""
    found = control.notices.get(notice)
    now = control.desk.parts.clock()
    waiting = [
        (each.case, each.notices[notice], True)
        for each in (control.cases.every() if who.may(Action.CASE_READ) else ())
        if notice in each.notices and each.over is None
    ]
    waiting += [
        (f"{published.name}: {rule.id}", rule.notice.days, False)
        for published in _in_force(control)
        for rule in control.desk.document(published.digest).rules
        if rule.notice is not None and rule.notice.notice == notice
    ]
    days = max((each for _, each, _ in waiting), default=0)
    return page(
        request,
        "console/notice.html",
        notice=found,
        texts=[(each, control.notices.text(each).decode("utf-8", "replace")) for each in reversed(found.versions)],
        servings=[{"serving": each, "until": each.at + days * SECONDS_PER_DAY} for each in reversed(found.servings)],
        waiting=waiting,
        at=now,
    )


def _in_force(control: ControlPlane) -> list[Published]:
    """Return the policy set in force under each name."""
    newest = {each.name: each for each in control.desk.present().state.policies}
    return list(newest.values())
