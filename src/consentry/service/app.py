"""The web application of a deployment: its routes, its errors, and the look-out that runs beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from consentry import __version__
from consentry.accounts.admission import Admission
from consentry.bootstrap import Deployment
from consentry.service import leases, problems
from consentry.service.auth import view_token
from consentry.service.bodies import Bounded
from consentry.service.gate import addresses
from consentry.service.pages import (
    authority,
    console,
    elsewhere,
    member,
    member_lists,
    objection,
    public,
    sign_in,
)
from consentry.service.shield import Shield
from consentry.service.site import FOLDER
from consentry.service.verbs import Verbs
from consentry.service.watch import Watch

ROUTERS = (
    leases.HEALTH,
    leases.ROUTER,
    public.ROUTER,
    sign_in.ROUTER,
    elsewhere.ROUTER,
    member.ROUTER,
    member_lists.ROUTER,
    objection.ROUTER,
    authority.ROUTER,
    *console.ROUTERS,
)


def create_app(deployment: Deployment, admission: Admission, *, token: str) -> FastAPI:
    """Return the application; `token` is what workloads show.

    Only one process may run it for a home: it alone knows until when leases hold. `server.serve` sees to that.
    """
    verbs = Verbs(deployment.control)
    watch = Watch(verbs)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(watch.run())
        try:
            yield
        finally:
            watch.stop()
            await looking
            watch.close()
            verbs.close()

    app = FastAPI(
        title="Consentry",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.deployment, app.state.admission = deployment, admission
    app.state.providers = elsewhere.providers(deployment.settings)
    app.state.verbs, app.state.watch = verbs, watch
    app.state.token, app.state.view = token, view_token()
    addresses(ROUTERS)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=FOLDER / "static"))
    app.add_middleware(Bounded)
    problems.install(app)
    app.add_middleware(Shield)
    return app
