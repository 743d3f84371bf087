"""A new password for oneself: made up, as every password here, for the one that it takes the place of."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import SESSION_S, Principal, new_password
from consentry.errors import StateError
from consentry.service.gate import Admitting, Needs
from consentry.service.pages.console_frame import REFUSED, SEE_OTHER, told
from consentry.service.pages.sign_in import known_browser, with_session
from consentry.service.site import page

ROUTER = APIRouter()
Asking = Annotated[Principal, Depends(Needs(Action.ANYONE))]
PATH = "/console/password"


@ROUTER.get(PATH)
def show(request: Request, *, who: Asking) -> Response:
    """Show the form to whoever signs in with a password."""
    if not who.is_known:
        return RedirectResponse(f"/sign-in?next={PATH}", SEE_OTHER)
    _require_password(who)
    return page(request, "console/password.html", problem=None, made=None)


@ROUTER.post(PATH)
def renew(
    *,
    request: Request,
    admission: Admitting,
    who: Asking,
    password: Annotated[str, Form(max_length=1000)] = "",
) -> Response:
    """Make a new password for whoever types the one they have, show it once, and end their other sessions."""
    if not who.is_known:
        return RedirectResponse(f"/sign-in?next={PATH}", SEE_OTHER)
    _require_password(who)
    try:
        # As signing in: whoever sits at somebody else's browser guesses no faster.
        admission.sign_in(who.handle, password, browser=known_browser(request, who.handle))
    except StateError as problem:
        shown = told(problem, field="password")
        return page(request, "console/password.html", status=REFUSED, problem=shown, made=None)
    made = new_password()
    admission.set_password(who.handle, made)
    told_once = page(request, "console/password.html", problem=None, made=made)
    try:
        secret = admission.sign_in(who.handle, made)
    except StateError:
        # Too many sign in at the moment. The password has changed: it has to be seen, and they sign in with it.
        return told_once
    return with_session(told_once, secret, seconds=SESSION_S)


def _require_password(who: Principal) -> None:
    """Refuse whoever has no password here.

    Raises:
        StateError: a member, a program, or somebody who signs in with an organisation.
    """
    if not who.has_password:
        raise StateError("account-elsewhere", "you sign in without a password here", help="change it where you sign in")
