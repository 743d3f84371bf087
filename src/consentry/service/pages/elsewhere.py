"""Signing in with an organisation: staff and authorities with their own, members with their platform."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import MEMBER_SESSION_S, SESSION_S
from consentry.errors import NotFoundError, StateError
from consentry.service import oidc
from consentry.service.gate import Admitting, Deployed, Needs
from consentry.service.pages.sign_in import HOME, inside, with_session
from consentry.settings import Settings

ROUTER = APIRouter(dependencies=[Depends(Needs(Action.ANYONE))])
STAFF, MEMBER = "/sign-in/organisation", "/me/sign-in"
_SHOWN = ("name", "locale")


def providers(settings: Settings) -> dict[str, oidc.Provider]:
    """Return who signs people in, by the address at which that begins."""
    found = {
        STAFF: (settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret),
        MEMBER: (settings.member_issuer, settings.member_client_id, settings.member_client_secret),
    }
    return {
        at: oidc.Provider(issuer=issuer, client_id=client, client_secret=secret.get_secret_value())
        for at, (issuer, client, secret) in found.items()
        if issuer
    }


@ROUTER.get(STAFF)
def to_organisation(*, request: Request, admission: Admitting, next: str = HOME) -> Response:  # noqa: A002
    """Send staff to their organisation."""
    return _begin(request, admission, at=STAFF, next=inside(next))


@ROUTER.get(MEMBER)
def to_platform(request: Request, admission: Admitting) -> Response:
    """Send a member to their platform."""
    return _begin(request, admission, at=MEMBER, next="/me")


@ROUTER.get(STAFF + "/back")
def from_organisation(*, request: Request, admission: Admitting, deployment: Deployed) -> Response:
    """Let in whoever the organisation sends back, if they have an account here."""
    claims, address = _finish(request, admission, at=STAFF)
    name = claims.get(deployment.settings.oidc_name_claim)
    secret = admission.admit(name if isinstance(name, str) else "", subject=f"{claims['iss']}#{claims['sub']}")
    return _let_in(address, secret, seconds=SESSION_S)


@ROUTER.get(MEMBER + "/back")
def from_platform(*, request: Request, admission: Admitting, deployment: Deployed) -> Response:
    """Let in a member whom the platform sends back."""
    claims, address = _finish(request, admission, at=MEMBER)
    facts = {name: str(claims[name])[:200] for name in _SHOWN if isinstance(claims.get(name), str)}
    secret = admission.admit_member(deployment.person(str(claims["sub"])), facts)
    return _let_in(address, secret, seconds=MEMBER_SESSION_S)


def _begin(request: Request, admission: Admitting, *, at: str, next: str) -> Response:  # noqa: A002
    begun = _provider(request, at).begin(admission, callback=_callback(request, at), next=next)
    answer = RedirectResponse(begun.address, 303)
    # Not `strict`: it has to come along when the provider sends the browser back.
    answer.set_cookie(oidc.COOKIE, begun.secret, max_age=oidc.PENDING_S, secure=True, httponly=True, samesite="lax")
    return answer


def _finish(request: Request, admission: Admitting, *, at: str) -> tuple[dict[str, object], str]:
    return _provider(request, at).finish(
        admission,
        callback=_callback(request, at),
        secret=request.cookies.get(oidc.COOKIE, ""),
        answer=dict(request.query_params),
    )


def _let_in(address: str, secret: str, *, seconds: int) -> Response:
    answer = with_session(RedirectResponse(address, 303), secret, seconds=seconds)
    answer.delete_cookie(oidc.COOKIE, secure=True, httponly=True, samesite="lax")
    return answer


def _provider(request: Request, at: str) -> oidc.Provider:
    found = cast("dict[str, oidc.Provider]", request.app.state.providers).get(at)
    if found is None:
        raise NotFoundError(
            "sign-in-not-set-up",
            "this server signs nobody in with an organisation here",
            help="set `oidc_issuer` for staff, `member_issuer` for members: docs/access.md",
        )
    return found


def _callback(request: Request, at: str) -> str:
    """Return the address to come back to. It is configured: the `Host` of a request is what anybody likes."""
    base: str = request.app.state.deployment.settings.site_url
    if not base:
        raise StateError(
            "sign-in-not-set-up",
            "this server does not know its own address",
            help="set `site_url` to the address by which people reach it",
        )
    return base.rstrip("/") + at + "/back"
