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
from consentry.service.gate import Admitting, Needs
from consentry.service.readiness import Readiness
from consentry.service.warming import Preparing

ROUTER = APIRouter(tags=["system"])
_DAMAGED = (
    "ledger-older ledger-gap ledger-head-missing ledger-database-damaged ledger-event-changed ledger-event-malformed "
    "ledger-documents-deleted ledger-event-unknown internal-error"
)
"""Of a ledger that cannot be relied on: nothing is decided by it."""
ANYONE = [Depends(Needs(Action.ANYONE))]


class Healthy(Answer):
    """The server answers."""

    status: Literal["ok"]


class Warned(Answer):
    """Something that holds up no request, and that somebody has to see to. `code` is stable."""

    code: str
    title: str
    detail: str


class Ready(Answer):
    """The ledger can be read, and written to as far as can be told without writing.

    The accounts can be read, the folder of the deployment is there and can be written to, and what the first pages need
    is worked out. `warnings` say what is wrong all the same: that the ledger has lost events, or that a key is gone
    from the disk.
    """

    status: Literal["ready"]
    position: Position
    warnings: list[Warned]


class Version(Answer):
    """Which program answers."""

    name: Literal["consentry"]
    version: str
    python: str


class Exposition(Response):
    """Figures as Prometheus reads them."""

    media_type = KIND


@ROUTER.get("/healthz", dependencies=ANYONE)
async def health() -> Healthy:
    """Say that this server answers. How it is with the ledger is not asked: see `/readyz`.

    Whoever starts anew what does not answer asks here. Only this process knows until when leases hold, so an outage of
    the database must not end it.
    """
    return Healthy(status="ok")


@ROUTER.get(
    "/readyz",
    dependencies=ANYONE,
    responses=problems(
        {
            503: f"ledger-unavailable accounts-unavailable home-unusable serve-preparing identity-damaged {_DAMAGED}",
        }
    ),
)
def ready(*, request: Request, watching: Watching) -> Ready:
    """Say whether requests can be answered: whoever spreads load asks here. Looked at once a second, whoever asks."""
    readiness: Readiness = request.app.state.readiness
    seen = readiness.look(trouble=watching.trouble)
    preparing: Preparing = request.app.state.preparing
    preparing.require_over()
    warnings = [Warned(code=each.code, title=each.message, detail=each.help) for each in seen.warnings]
    return Ready(status="ready", position=seen.position, warnings=warnings)


@ROUTER.get("/version", dependencies=ANYONE)
async def version() -> Version:
    """Say which program answers."""
    return Version(name="consentry", version=__version__, python=platform.python_version())


@ROUTER.get("/metrics", dependencies=[Depends(Needs(Action.METRICS_READ))], response_class=Exposition)
async def metrics(request: Request, verbs: Calling, *, admission: Admitting) -> Response:
    """Return the figures of this server."""
    figures = cast("Figures", request.app.state.figures)
    return Exposition(await verbs(figures.text, verbs, admission.web))
