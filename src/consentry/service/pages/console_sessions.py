"""One's own sessions: where else somebody is signed in, and ending it there. For whoever has an account here.

A session has a name that opens nothing: the beginning of the digest of its secret. What browser it is in is not kept.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.accounts.admission import Admission
from consentry.errors import StateError
from consentry.service.gate import COOKIE, Admitting, Needs
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import SEE_OTHER
from consentry.service.site import form_of, page

ROUTER = APIRouter()
Asking = Annotated[Principal, Depends(Needs(Action.ANYONE))]
PATH = "/console/sessions"
_SESSIONS = Listing(
    name="sessions",
    columns=(
        Column("ident", N_("Session")),
        Column("begun_at", N_("Signed in"), kind="time"),
        Column("used_at", N_("Last used"), kind="time"),
        Column("ends_at", N_("Ends at the latest"), kind="time"),
        Column("asks", N_("This one")),
    ),
)
"""One's own are few: all of them are on the page, and exported."""


@ROUTER.get(PATH)
def show(request: Request, admission: Admitting, *, who: Asking) -> Response:
    """List the sessions of whoever is signed in, with the one that asks."""
    if not who.is_known:
        return _to_sign_in()
    _require_account(admission, who)
    found = admission.sessions_of(who.handle, asked_with=request.cookies.get(COOKIE, ""))
    exported = _SESSIONS.export(map(asdict, found), form_of(request, request.query_params.get("format", "")))
    return exported or page(
        request, "console/sessions.html", sessions=found, done=bool(request.query_params.get("done"))
    )


@ROUTER.post(PATH + "/{ident}/end")
def end(admission: Admitting, *, ident: Annotated[str, Path(max_length=64)], who: Asking) -> Response:
    """End one session of whoever is signed in; there need not be one of this name. Another's stays."""
    if not who.is_known:
        return _to_sign_in()
    _require_account(admission, who)
    admission.end_session_of(who.handle, ident)
    return RedirectResponse(f"{PATH}?done=1", SEE_OTHER)


def _to_sign_in() -> Response:
    return RedirectResponse(f"/sign-in?next={PATH}", SEE_OTHER)


def _require_account(admission: Admission, who: Principal) -> None:
    """Refuse whoever has no account here.

    Raises:
        StateError: a member, or a program.
    """
    if not any(each.handle == who.handle for each in admission.all()):
        raise StateError("account-elsewhere", "you have no account here", help="sign out where you signed in")
