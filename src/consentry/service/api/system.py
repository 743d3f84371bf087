"""How it is with the server: for those who watch over it."""

from __future__ import annotations

import platform
from typing import Literal, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry import __version__
from consentry.accounts.access import Action
from consentry.service.api.leases import Calling, Watching
from consentry.service.api.shape import Answer, Position, problems
from consentry.service.figures import KIND, Figures
from consentry.service.gate import Admitting, Deployed, Needs

ROUTER = APIRouter(tags=["system"])
ANYONE = [Depends(Needs(Action.ANYONE))]


class Healthy(Answer):
    """All is well."""

    status: Literal["ok"]


class Ready(Answer):
    """The ledger can be read, and written to as far as can be told without writing; the accounts can be read."""

    status: Literal["ready"]
    position: Position


class Version(Answer):
    """Which program answers."""

    name: Literal["consentry"]
    version: str
    python: str


class Exposition(Response):
    """Figures as Prometheus reads them."""

    media_type = KIND


@ROUTER.get("/healthz", dependencies=ANYONE, responses=problems({503: "ledger-unavailable"}))
async def health(watching: Watching) -> Healthy:
    """Say that all is well, or why the ledger cannot be looked at."""
    if watching.trouble is not None:
        raise watching.trouble
    return Healthy(status="ok")


@ROUTER.get("/readyz", dependencies=ANYONE, responses=problems({503: "ledger-unavailable accounts-unavailable"}))
def ready(*, watching: Watching, deployment: Deployed, admission: Admitting) -> Ready:
    """Say whether requests can be answered: whoever spreads load asks here."""
    if watching.trouble is not None:
        raise watching.trouble
    admission.all_keys()
    # Taking the turn of whoever writes shows that the ledger can be written to, and leaves no trace.
    with deployment.ledger.sealing() as session:
        return Ready(status="ready", position=session.position)


@ROUTER.get("/version", dependencies=ANYONE)
async def version() -> Version:
    """Say which program answers."""
    return Version(name="consentry", version=__version__, python=platform.python_version())


@ROUTER.get("/metrics", dependencies=[Depends(Needs(Action.METRICS_READ))], response_class=Exposition)
async def metrics(request: Request, verbs: Calling) -> Response:
    """Return the figures of this server."""
    figures = cast("Figures", request.app.state.figures)
    return Exposition(await verbs(figures.text, verbs))
