"""The web application of a deployment: its routes, its errors, and what runs beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from consentry import __version__
from consentry.accounts.admission import Admission
from consentry.bootstrap import Deployment
from consentry.service import problems
from consentry.service.api import (
    builds,
    case_steps,
    cases,
    choices,
    decisions,
    document,
    leases,
    models,
    notices,
    objections,
    orders,
    policies,
    proposals,
    receipts,
    releases,
    system,
    webhooks,
)
from consentry.service.auth import view_token
from consentry.service.bodies import Bounded
from consentry.service.deliveries import Deliveries
from consentry.service.figures import Figures, Observed
from consentry.service.gate import Known, addresses
from consentry.service.logs import AccessLog
from consentry.service.pages import authority, console, elsewhere, member, member_lists, objection, public, sign_in
from consentry.service.shield import Shield
from consentry.service.site import FOLDER
from consentry.service.snapshots import Snapshots
from consentry.service.verbs import Verbs
from consentry.service.watch import Watch

THREADS = 100
ROUTERS = (
    decisions.ROUTER,
    decisions.META,
    leases.ROUTER,
    choices.ROUTER,
    orders.ROUTER,
    cases.ROUTER,
    case_steps.ROUTER,
    releases.ROUTER,
    builds.ROUTER,
    models.ROUTER,
    notices.ROUTER,
    policies.ROUTER,
    proposals.ROUTER,
    objections.ROUTER,
    receipts.ROUTER,
    webhooks.ROUTER,
    system.ROUTER,
    document.ROUTER,
    public.ROUTER,
    sign_in.ROUTER,
    elsewhere.ROUTER,
    member.ROUTER,
    member_lists.ROUTER,
    objection.ROUTER,
    authority.ROUTER,
    *console.ROUTERS,
)


def create_app(deployment: Deployment, admission: Admission, *, token: str, log: AccessLog | None = None) -> FastAPI:
    """Return the application; `token` is what workloads show, `log` is written a line for each answer.

    Only one process may run it for a home: it alone knows until when leases hold. `server.serve` sees to that.
    """
    verbs = Verbs(deployment.control)
    watch = Watch(verbs)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sending = Deliveries(verbs, admission.web, private=deployment.settings.webhook_private)
        # Pages and the interface wait for disks on these; renewals have threads of their own.
        to_thread.current_default_thread_limiter().total_tokens = THREADS
        running = [asyncio.create_task(watch.run()), asyncio.create_task(sending.run())]
        try:
            yield
        finally:
            watch.stop()
            sending.stop()
            await asyncio.gather(*running)
            watch.close()
            verbs.close()

    app = FastAPI(
        title="Consentry",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # Its logs would hold messages of exceptions and values that did not fit: they can be somebody's data.
        telemetry={"logs": False, "operation_spans": False},
    )
    app.state.deployment, app.state.admission = deployment, admission
    app.state.providers = elsewhere.providers(deployment.settings)
    app.state.verbs, app.state.watch = verbs, watch
    app.state.token, app.state.view = token, view_token()
    app.state.known, app.state.snapshots, app.state.figures = Known(admission), Snapshots(verbs), Figures()
    app.state.addresses = addresses(ROUTERS)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    app.add_middleware(Bounded)
    problems.install(app)
    app.add_middleware(Shield)
    app.add_middleware(Observed, figures=app.state.figures, log=log)
    return app
