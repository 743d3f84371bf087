"""How it is with the server: for those who watch over it."""

from __future__ import annotations

import platform
import time
from typing import Literal, cast

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry import __version__
from consentry.accounts.access import Action
from consentry.bootstrap import Deployment
from consentry.errors import ConsentryError, IntegrityError, UnavailableError
from consentry.service.api.leases import Calling, Watching
from consentry.service.api.shape import Answer, Position, problems
from consentry.service.figures import KIND, Figures
from consentry.service.gate import Admitting, Deployed, Needs

ROUTER = APIRouter(tags=["system"])
_LOOK_EVERY_S = 1.0
_DAMAGED = (
    "ledger-older ledger-gap ledger-head-missing ledger-database-damaged ledger-event-changed ledger-event-malformed "
    "ledger-event-unknown internal-error"
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
    """The ledger can be read, and written to as far as can be told without writing; the accounts can be read.

    `warnings` say what is wrong all the same: above all that the ledger has lost events.
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
    responses=problems({503: f"ledger-unavailable accounts-unavailable {_DAMAGED}"}),
)
def ready(*, request: Request, watching: Watching, deployment: Deployed, admission: Admitting) -> Ready:
    """Say whether requests can be answered: whoever spreads load asks here. Looked at once a second, whoever asks."""
    if watching.trouble is not None:
        raise _not_ready(watching.trouble)
    looked_at, found = getattr(request.app.state, "ready", (0.0, None))
    if found is None or time.monotonic() - looked_at >= _LOOK_EVERY_S:
        admission.all_keys()
        try:
            found = _look(deployment)
        except IntegrityError as error:
            raise _not_ready(error) from error
        request.app.state.ready = time.monotonic(), found
    return cast("Ready", found)


def _look(deployment: Deployment) -> Ready:
    lost = [each.told() for each in deployment.control.desk.present().record.lost]
    warnings = [Warned(code=each.code, title=each.message, detail=each.help) for each in lost]
    # Taking the turn of whoever writes shows that the ledger can be written to, and leaves no trace.
    with deployment.ledger.sealing() as session:
        return Ready(status="ready", position=session.position, warnings=warnings)


def _not_ready(trouble: ConsentryError) -> UnavailableError:
    """Return why nothing can be decided, for whoever spreads load: whatever it is, it is not the request."""
    return UnavailableError(trouble.code, trouble.message, help=trouble.help)


@ROUTER.get("/version", dependencies=ANYONE)
async def version() -> Version:
    """Say which program answers."""
    return Version(name="consentry", version=__version__, python=platform.python_version())


@ROUTER.get("/metrics", dependencies=[Depends(Needs(Action.METRICS_READ))], response_class=Exposition)
async def metrics(request: Request, verbs: Calling, *, admission: Admitting) -> Response:
    """Return the figures of this server."""
    figures = cast("Figures", request.app.state.figures)
    return Exposition(await verbs(figures.text, verbs, admission.web))
