"""Signing in and out, for staff and authorities."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action, Role
from consentry.accounts.account import FOR_EVALUATION, IDLE_S, SESSION_S, new_secret
from consentry.accounts.admission import Admission
from consentry.accounts.tries import browser_of, mark_of
from consentry.errors import StateError
from consentry.service.gate import COOKIE, Admitting, Needs
from consentry.service.pages.console_frame import told
from consentry.service.site import page

LOG = logging.getLogger("consentry.service")
ROUTER = APIRouter(dependencies=[Depends(Needs(Action.ANYONE))])
HOME = "/console"
HOME_OF_AUTHORITY = "/authority"
BROWSER_COOKIE, BROWSER_S = "__Host-browser", 180 * 86_400
"""Opens nothing: whoever shows it is not kept out when others try passwords for the same name."""


@ROUTER.get("/sign-in")
def show(request: Request, next: str = HOME) -> Response:  # noqa: A002 - the name of the parameter
    """Show the form."""
    return page(request, "sign_in.html", next=inside(next), handle="", problem=None, oidc=_oidc(request))


@ROUTER.post("/sign-in")
def sign_in(
    *,
    request: Request,
    admission: Admitting,
    handle: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=1000)] = "",
    next: Annotated[str, Form()] = HOME,  # noqa: A002
) -> Response:
    """Begin a session; a wrong password shows the form again."""
    old, handle = request.cookies.get(COOKIE), handle.strip()
    try:
        secret = admission.sign_in(handle, password, browser=known_browser(request, handle))
    except StateError as problem:
        shown = told(problem, field="handle")
        return page(
            request, "sign_in.html", status=422, next=inside(next), handle=handle, problem=shown, oidc=_oidc(request)
        )
    if not getattr(request.app.state, "said_for_evaluation", False):
        # Accounts can be made while it runs: whoever reads the log is told once, whenever that was.
        request.app.state.said_for_evaluation = True
        LOG.warning(FOR_EVALUATION)
    if old:
        admission.sign_out(old)
    answer = RedirectResponse(home_of(admission, secret, asked=inside(next)), 303)
    return with_session(remembered(answer, request, handle=handle), secret, seconds=SESSION_S)


@ROUTER.post("/sign-out")
def sign_out(request: Request, admission: Admitting) -> Response:
    """End the session, and have the browser forget what it showed."""
    secret = request.cookies.get(COOKIE)
    if secret:
        admission.sign_out(secret)
    answer = RedirectResponse("/", 303, headers={"clear-site-data": '"cache", "storage"'})
    answer.delete_cookie(COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


def with_session(answer: Response, secret: str, *, seconds: int = IDLE_S) -> Response:
    """Return an answer that hands the cookie of a session to the browser."""
    answer.set_cookie(COOKIE, secret, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def known_browser(request: Request, handle: str) -> str:
    """Return which browser asks, if it signed in under this name before; empty if not."""
    return browser_of(request.cookies.get(BROWSER_COOKIE, ""), handle, key=_browser_key(request))


def remembered(answer: Response, request: Request, *, handle: str) -> Response:
    """Return an answer that has the browser show from now on that it signed in under this name."""
    browser = known_browser(request, handle) or new_secret()
    mark = mark_of(browser, handle, key=_browser_key(request))
    answer.set_cookie(BROWSER_COOKIE, mark, max_age=BROWSER_S, path="/", secure=True, httponly=True, samesite="strict")
    return answer


def _browser_key(request: Request) -> bytes:
    key: bytes = request.app.state.deployment.pseudonyms.key.for_browsers()
    return key


def home_of(admission: Admission, secret: str, *, asked: str) -> str:
    """Return where somebody who just signed in goes on: where they wanted to, else to the pages made for them."""
    of_authority = asked == HOME and Role.AUTHORITY in admission.by_session(secret).roles
    return HOME_OF_AUTHORITY if of_authority else asked


def inside(address: str) -> str:
    """Return an address of ours to go on to; the console for any other."""
    plain = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if plain and "\\" not in address else HOME


def _oidc(request: Request) -> bool:
    return bool(request.app.state.deployment.settings.oidc_issuer)
