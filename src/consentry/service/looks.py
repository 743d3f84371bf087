"""HEAD where GET shows something to anybody: whoever checks that a server is up, or where links lead, asks so."""

from __future__ import annotations

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send


class Looks:
    """Middleware: at these addresses a HEAD is answered as a GET is, but for the body.

    Elsewhere it is refused: a link that is good once would be used up by whoever looks where it leads.
    """

    def __init__(self, app: ASGIApp, *, paths: Collection[str]) -> None:
        self.app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http" or scope["method"] != "HEAD" or scope["path"] not in self._paths:
            await self.app(scope, receive, send)
            return
        # The server knows by its own scope, in which this stays a HEAD, that the body is not to be sent.
        asked = {**scope, "method": "GET"}
        try:
            await self.app(asked, receive, send)
        finally:
            scope["route"] = asked.get("route")
