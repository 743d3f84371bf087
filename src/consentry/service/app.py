"""The web application of a deployment: its routes, its errors, and what runs beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from anyio import to_thread
from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from consentry import __version__
from consentry.accounts.admission import Admission
from consentry.bootstrap import Deployment
from consentry.served_form import FORM_PATH
from consentry.service import problems
from consentry.service.api import (
    authority_statements,
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
    registers,
    releases,
    system,
    webhooks,
)
from consentry.service.auth import view_token
from consentry.service.bodies import Bounded
from consentry.service.deliveries import Deliveries
from consentry.service.direct import Direct, DirectRoute
from consentry.service.figures import Figures, Observed
from consentry.service.gate import KnownKeys, addresses
from consentry.service.logs import AccessLog
from consentry.service.looks import Looks
from consentry.service.offered import Offered
from consentry.service.pages import (
    authority,
    authority_case_lists,
    authority_lists,
    console,
    elsewhere,
    member,
    member_check,
    member_items,
    member_lists,
    member_live,
    objection,
    public,
    sign_in,
)
from consentry.service.readiness import Readiness
from consentry.service.shield import Shield
from consentry.service.site import FOLDER
from consentry.service.snapshots import Snapshots
from consentry.service.together import Together
from consentry.service.verbs import Verbs
from consentry.service.warming import Preparing, warm
from consentry.service.watch import Watch

THREADS = 100
ROUTERS = (
    decisions.ROUTER,
    decisions.META,
    leases.ROUTER,
    choices.ROUTER,
    choices.LOOKING,
    orders.ROUTER,
    cases.ROUTER,
    case_steps.ROUTER,
    registers.ROUTER,
    authority_statements.ROUTER,
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
    member_check.ROUTER,
    member_items.ROUTER,
    member_lists.ROUTER,
    member_live.ROUTER,
    objection.ROUTER,
    authority_lists.ROUTER,
    authority_case_lists.ROUTER,
    authority.ROUTER,
    *console.ROUTERS,
)
LOOKED_AT = frozenset(
    route.path for router in (public.ROUTER, document.ROUTER, system.ROUTER) for route in addresses([router])
) | {FORM_PATH}
"""Where HEAD is answered as well: what is shown there without anything else coming of it."""


class Files(StaticFiles):
    """Files of our own, each with its type and, as all of them are text, its characters.

    A browser keeps them, and asks each time whether they have changed: they hold nothing about anybody.
    """

    def file_response(self, *args: Any, **named: Any) -> Response:  # noqa: D102
        answer = super().file_response(*args, **named)
        answer.headers["cache-control"] = "no-cache"
        if answer.headers.get("content-type") == "image/svg+xml":
            answer.headers["content-type"] = "image/svg+xml; charset=utf-8"
        return answer


def _take_threads(count: int) -> None:
    """Let as many pages wait for disks; renewals have threads of their own. With several platforms there are more."""
    limiter = to_thread.current_default_thread_limiter()
    limiter.total_tokens = max(limiter.total_tokens, count)


@asynccontextmanager
async def _running(
    _: FastAPI,
    *,
    deployment: Deployment,
    admission: Admission,
    verbs: Verbs,
    watch: Watch,
    settled: Callable[[], None],
) -> AsyncIterator[None]:
    """Keep up what runs beside an application while it answers."""
    sending = Deliveries(verbs, admission.web, private=deployment.settings.webhook_private)
    _take_threads(THREADS)
    running = [asyncio.create_task(each) for each in (watch.run(), sending.run(), warm(verbs, settled=settled))]
    try:
        yield
    finally:
        watch.stop()
        sending.stop()
        await asyncio.gather(*running)
        watch.close()
        verbs.close()


def _keep(app: FastAPI) -> None:
    """Put beside what the application was given whatever its answers keep."""
    deployment: Deployment = app.state.deployment
    admission: Admission = app.state.admission
    verbs: Verbs = app.state.verbs
    deployment.ledger.commits.told = app.state.figures.committed
    app.state.providers = elsewhere.providers(deployment.settings)
    app.state.together, app.state.offered, app.state.snapshots = Together(verbs), Offered(verbs), Snapshots(verbs)
    app.state.view, app.state.known = view_token(), KnownKeys(admission)
    app.state.readiness = Readiness(deployment, admission)
    app.state.addresses, app.state.looked_at = addresses(ROUTERS), LOOKED_AT


def create_app(
    deployment: Deployment,
    admission: Admission,
    *,
    token: str,
    platform: tuple[str, str] = ("", ""),
    log: AccessLog | None = None,
    settled: Callable[[], None] = lambda: None,
) -> FastAPI:
    """Return the application; `token` is what workloads show, `log` is written a line for each answer.

    `platform` is what figures call it where several are served, and its host. `settled` is called when what it keeps
    is in memory. Only one process may run it for a home, as it alone knows until when leases hold: see `homes.alone`.
    """
    verbs, preparing = Verbs(deployment.control), Preparing()
    watch = Watch(verbs)

    def prepared() -> None:
        preparing.end()
        settled()

    app = FastAPI(
        title="Consentry",
        version=__version__,
        lifespan=partial(
            _running, deployment=deployment, admission=admission, verbs=verbs, watch=watch, settled=prepared
        ),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # It would lead to an address made from what the request calls this server.
        redirect_slashes=False,
        # Its spans would hold private links, its logs messages of exceptions and values that did not fit: `traces.py`.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.deployment, app.state.admission = deployment, admission
    app.state.verbs, app.state.watch, app.state.preparing = verbs, watch, preparing
    app.state.token, app.state.host, app.state.figures = token, platform[1], Figures(platform[0])
    _keep(app)
    # As they are, not included: that would work out each of them again for every application, at its first request.
    app.router.routes.extend(route for router in ROUTERS for route in router.routes)
    app.mount("/static", Files(directory=FOLDER / "static"))
    # The last that is added is the first that is passed.
    app.add_middleware(Direct, routes=[each for each in app.state.addresses if isinstance(each, DirectRoute)])
    app.add_middleware(Looks, paths=LOOKED_AT)
    app.add_middleware(Bounded)
    problems.install(app)
    app.add_middleware(Shield, site_url=deployment.settings.site_url)
    app.add_middleware(Observed, figures=app.state.figures, log=log)
    return app
