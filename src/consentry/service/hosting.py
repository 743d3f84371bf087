"""Several platforms in one server: each request goes to the platform whose host it names, and to no other.

Every platform is an application of its own, with a home of its own: ledger, keys, accounts, sessions, webhooks,
snapshots. They share this process, its port and its code, and no object that knows anything of one of them. A platform
whose home cannot be opened is tried again and again; the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from consentry.bootstrap import open_deployment
from consentry.errors import ConsentryError, NotFoundError, StateError, UnavailableError
from consentry.exhausted import no_room
from consentry.identity import IDENTITY_FILE
from consentry.service.app import THREADS
from consentry.service.figures import Figures, Observed
from consentry.service.homes import alone, applied
from consentry.service.logs import PLATFORM, AccessLog
from consentry.service.platforms import Platform, asked_host
from consentry.service.problems import LOG, answer, status_of, unforeseen
from consentry.service.shield import Shield

AGAIN_S = 10.0
"""After this a home that could not be opened is tried again."""
PATIENCE_S = 60.0
"""So long a start waits for all homes; it goes on without those that are not there by then."""
_HEALTH, _READY = "/healthz", "/readyz"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><main><h1>{title}</h1><p>{help}</p></main></body></html>
"""


class Hosted:
    """One platform: opened, served, closed. All of it runs on the event loop, but for opening and closing."""

    def __init__(
        self,
        platform: Platform,
        *,
        address: str,
        log: AccessLog | None,
        again: float = AGAIN_S,
        settled: Callable[[], None] = lambda: None,
    ) -> None:
        self.platform = platform
        self.app: FastAPI | None = None
        self.trouble: ConsentryError | None = None
        """Why it is not served, if it is not."""
        self.tried = asyncio.Event()
        self._address = address
        self._log = log
        self._again = again
        self._settled = settled
        self._stopping = asyncio.Event()
        self._opening = CapacityLimiter(1)

    async def run(self) -> None:
        """Serve until stopped."""
        # The task has a context of its own, and what it starts inherits it.
        PLATFORM.set(self.platform.name)
        while not self._stopping.is_set():
            try:
                await self._serve()
            except ConsentryError as error:
                self._note(error)
            except OSError as error:
                self._note(
                    no_room(error)
                    or StateError("platform-unusable", _reason(error), help="look at its folder and its rights")
                )
            except Exception as error:
                self._note(unforeseen(error))
            self.tried.set()
            try:
                async with asyncio.timeout(self._again):
                    await self._stopping.wait()
            except TimeoutError:
                continue

    def wake(self) -> None:
        """Send everybody away who waits for a change: the server is about to end, and answers what was asked."""
        if self.app is not None:
            self.app.state.watch.stop()

    def end(self) -> None:
        """Close it: nobody asks any more."""
        self._stopping.set()

    async def _serve(self) -> None:
        # A limiter of its own: a disk that hangs under one home holds up no other.
        app, held = await to_thread.run_sync(self._open, limiter=self._opening)
        try:
            async with app.router.lifespan_context(app):
                if self.trouble is not None:
                    LOG.warning("platform `%s` is served after all", self.platform.name)
                self.app, self.trouble = app, None
                self.tried.set()
                try:
                    await self._stopping.wait()
                finally:
                    self.app = None
        finally:
            await to_thread.run_sync(held.close, limiter=self._opening)

    def _open(self) -> tuple[FastAPI, ExitStack]:
        """Return the application, and what has to be closed after it."""
        platform = self.platform
        if not (platform.home / IDENTITY_FILE).exists():
            raise NotFoundError(
                "platform-no-home",
                f"`{platform.home}` holds no deployment",
                help="is it mounted? A new one is made by: consentry --home DIR init",
            )
        with ExitStack() as held:
            held.enter_context(alone(platform.home))
            deployment = open_deployment(platform.home)
            held.callback(deployment.close)
            _require_address(deployment.settings.site_url, platform)
            named = (platform.name, platform.host)
            served = applied(deployment, address=self._address, platform=named, log=self._log, settled=self._settled)
            app = held.enter_context(served)
            return app, held.pop_all()

    def _note(self, error: ConsentryError) -> None:
        if self.trouble is None or self.trouble.code != error.code:
            LOG.error("platform `%s` is not served: %s", self.platform.name, error)
        self.trouble = error


class Hosting:
    """The application of a server of several platforms.

    Attributes:
        hosted: all of them, served or not.
        failed: there was none to serve when it began.
    """

    def __init__(
        self,
        platforms: Sequence[Platform],
        *,
        address: str,
        log: AccessLog | None = None,
        begun: Callable[[Sequence[Hosted]], None] = lambda _: None,
        settled: Callable[[], None] = lambda: None,
        again: float = AGAIN_S,
        patience: float = PATIENCE_S,
    ) -> None:
        self.hosted = [Hosted(each, address=address, log=log, again=again, settled=settled) for each in platforms]
        self.failed = False
        self._by_host = {each.platform.host: each for each in self.hosted}
        self._begun = begun
        self._patience = patience
        # In the log like any other answer; the figures are nobody's, and nobody reads them.
        self._otherwise = Observed(Shield(self._refuse), figures=Figures(), log=log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        found = self._named(scope)
        app = None if found is None else found.app
        if found is None or app is None:
            await self._otherwise(scope, receive, send)
            return
        mark = PLATFORM.set(found.platform.name)
        try:
            await app(scope, receive, send)
        finally:
            PLATFORM.reset(mark)

    def stop(self) -> None:
        """Send everybody away who waits for a change."""
        for each in self.hosted:
            each.wake()

    def _named(self, scope: Scope) -> Hosted | None:
        """Return the platform whose host a request names, served or not."""
        return self._by_host.get(asked_host([value for name, value in scope["headers"] if name == b"host"]) or "")

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what no platform answers. Nothing of any of them is in it, not even how many there are."""
        asks = scope["path"] if scope["method"] in {"GET", "HEAD"} else ""
        found = self._named(scope)
        if asks == _HEALTH or (found is None and asks == _READY):
            await self._how_it_is(asks)(scope, receive, send)
            return
        error = _unknown_host() if found is None else _unavailable()
        if "text/html" in Headers(scope=scope).get("accept", ""):
            content = _PAGE.format(title=error.message, help=error.help)
            await HTMLResponse(content, status_of(error))(scope, receive, send)
            return
        await answer(error)(scope, receive, send)

    def _how_it_is(self, asked: str) -> Response:
        """Say how the server is: whoever watches over it asks by an address, not by the host of a platform."""
        if asked == _HEALTH:
            return JSONResponse({"status": "ok"})
        served = sum(each.app is not None for each in self.hosted)
        if not served:
            return answer(_unavailable())
        return JSONResponse({"status": "ready" if served == len(self.hosted) else "partly-ready"})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Open all platforms, and close them when the server ends."""
        await receive()
        # Pages of all of them wait for disks on these; renewals have threads of their own.
        to_thread.current_default_thread_limiter().total_tokens = THREADS * len(self.hosted)
        running = [asyncio.create_task(each.run(), name=f"platform {each.platform.name}") for each in self.hosted]
        try:
            await self._first_try()
            self.failed = all(each.app is None for each in self.hosted)
            self._begun(self.hosted)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        finally:
            for each in self.hosted:
                each.end()
            await asyncio.gather(*running)
        await send({"type": "lifespan.shutdown.complete"})

    async def _first_try(self) -> None:
        waiting = [asyncio.create_task(each.tried.wait()) for each in self.hosted]
        await asyncio.wait(waiting, timeout=self._patience)
        for task in waiting:
            task.cancel()


def _require_address(site_url: str, platform: Platform) -> None:
    """Refuse a home whose pages say that they are elsewhere: people would be sent there when they sign in."""
    if site_url and urlsplit(site_url).hostname != platform.host:
        raise StateError(
            "platform-other-address",
            f"`site_url` of platform `{platform.name}` is not at its host `{platform.host}`",
            help="set `site_url` in its consentry.toml to the address by which people reach it",
        )


def _unknown_host() -> StateError:
    return StateError(
        "platform-unknown-host",
        "no platform is served under this name",
        help="check the address; a server before this one has to pass the Host of the request on",
    )


def _unavailable() -> UnavailableError:
    return UnavailableError(
        "platform-unavailable", "this platform is not served at this moment", help="try again in a minute"
    )


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
