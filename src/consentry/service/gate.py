"""Who is asking, and may they? Every address names the action it needs; one that names none is not served.

A browser shows a cookie, a program a key (`Authorization: Bearer`). A cookie alone changes nothing unless the browser
says that the request comes from one of our own pages (`shield.py`).
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from consentry.accounts.access import Action, Role, Scope
from consentry.accounts.account import NOBODY, Principal, digest_of
from consentry.accounts.admission import Admission
from consentry.bootstrap import Deployment
from consentry.control_plane.plane import ControlPlane
from consentry.errors import StateError
from consentry.service.verbs import Verbs

COOKIE = "__Host-consentry"
_SCHEME = "bearer "
_KNOWN_S, _MOST_KNOWN = 1.0, 10_000
WORKLOAD = Principal(roles=frozenset({Role.WORKLOAD}), handle="workload-token")
"""Whoever shows the token in `keys/workload.token`."""


def shown_by(request: Request) -> str:
    """Return the token a program shows; empty if it shows none."""
    given = request.headers.get("authorization", "")
    return given[len(_SCHEME) :].strip() if given.lower().startswith(_SCHEME) else ""


def principal_of(request: Request) -> Principal:
    """Return who is asking, as `Needs` found out; nobody where no address was found."""
    return cast("Principal", getattr(request.state, "principal", NOBODY))


class KnownKeys:
    """Whose keys were looked up within the last second: a program that asks a thousand times is looked up once.

    So a key that is revoked opens nothing any more: at once if it was revoked here, after a second if elsewhere.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._found: dict[str, tuple[int, float, Principal]] = {}

    def get(self, token: str) -> Principal | None:
        """Return who showed this key within the last second."""
        found = self._found.get(digest_of(token))
        holds = found is not None and found[0] == self._admission.revoked and found[1] > time.monotonic()
        return found[2] if found is not None and holds else None

    def put(self, token: str, who: Principal, *, revoked: int) -> None:
        """Remember somebody for a second. Who opens nothing is not remembered: that would be memory for the asking."""
        if not who.is_known:
            return
        if len(self._found) >= _MOST_KNOWN:
            self._found.clear()
        self._found[digest_of(token)] = revoked, time.monotonic() + _KNOWN_S, who


async def recognise(request: Request) -> Principal:
    """Find out who is asking."""
    admission: Admission = request.app.state.admission
    calling: Verbs = request.app.state.verbs
    token = shown_by(request)
    if token:
        if hmac.compare_digest(token.encode(), request.app.state.token.encode()):
            return WORKLOAD
        known: KnownKeys = request.app.state.known
        who = known.get(token)
        if who is None:
            revoked = admission.revoked
            who = await calling(admission.by_key, token)
            known.put(token, who, revoked=revoked)
        return who
    cookie = request.cookies.get(COOKIE, "")
    return await calling(admission.by_session, cookie) if cookie else NOBODY


def denied(action: Action, who: Principal) -> StateError:
    """Return the error for somebody who is known, and may not do this."""
    return StateError(
        "access-denied",
        f"`{action}` is not for {', '.join(sorted(who.roles))}",
        help="docs/access.md says who may do what",
    )


def unknown(request: Request) -> StateError:
    """Return the error for somebody who is not known. Whether a key was ever one, it does not tell."""
    if request.headers.get("authorization"):
        return StateError(
            "access-unknown",
            "this key is unknown or revoked",
            help="send `Authorization: Bearer KEY` with a key that is good: consentry account add-key",
        )
    return StateError(
        "access-unknown",
        "this needs somebody who is signed in",
        help="sign in at /sign-in, or send `Authorization: Bearer KEY`",
    )


class Needs:
    """A dependency that lets a request through if whoever asks may do something, and says who that is.

    Raises:
        StateError: `access-unknown`: nobody is signed in; `access-denied`: they may not do this.
    """

    scopes: frozenset[Scope] = frozenset(Scope)
    """In which scopes it is enough to be allowed to."""

    def __init__(self, action: Action) -> None:
        self.action = action

    async def __call__(self, request: Request) -> Principal:  # noqa: D102
        if self.action is Action.HOLDER:
            return NOBODY
        found = request.state.principal = await recognise(request)
        if found.may(self.action):
            return found
        if not found.is_known:
            raise unknown(request)
        raise denied(self.action, found)


class NeedsAll(Needs):
    """Lets those through who may do something with everything in this deployment.

    Raises:
        StateError: `access-unknown`, `access-denied`: as `Needs`, or they may do it in a part of it only.
    """

    scopes = frozenset({Scope.ALL})

    async def __call__(self, request: Request) -> Principal:  # noqa: D102
        found = await super().__call__(request)
        if found.scope(self.action) not in self.scopes:
            raise StateError(
                "access-denied",
                f"`{self.action}` of everything is not for {', '.join(sorted(found.roles))}",
                help="an authority sees what concerns it under /authority",
            )
        return found


def actions_of(route: BaseRoute) -> set[Action]:
    """Return the actions an address names."""
    return {call.action for call in _calls(route.dependant)} if isinstance(route, APIRoute) else set()


def _calls(dependant: Dependant) -> Iterator[Needs]:
    if isinstance(dependant.call, Needs):
        yield dependant.call
    for each in dependant.dependencies:
        yield from _calls(each)


def addresses(routers: Iterable[APIRouter]) -> list[APIRoute]:
    """Return every address of these routers, each with at least one action.

    Raises:
        TypeError: one names none. That is a mistake in the program, and nothing is served.
    """
    found = [route for router in routers for route in router.routes]
    bare = [str(route) for route in found if not actions_of(route)]
    if bare:
        raise TypeError(f"addresses without an action: {', '.join(bare)}")
    return [route for route in found if isinstance(route, APIRoute)]


async def deployment_of(request: Request) -> Deployment:
    """Return the deployment that is served."""
    return cast("Deployment", request.app.state.deployment)


async def control_of(request: Request) -> ControlPlane:
    """Return the verbs of the deployment that is served."""
    return cast("Deployment", request.app.state.deployment).control


async def admission_of(request: Request) -> Admission:
    """Return its accounts."""
    return cast("Admission", request.app.state.admission)


Deployed = Annotated[Deployment, Depends(deployment_of)]
Control = Annotated[ControlPlane, Depends(control_of)]
Admitting = Annotated[Admission, Depends(admission_of)]
