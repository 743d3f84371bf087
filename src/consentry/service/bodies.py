"""The size of requests is bounded: a body is read whole before anybody looks at it, and refused if it is too large."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentry.errors import InputError
from consentry.service.problems import answer

LARGEST = 1 << 20
"""Bytes: some 40,000 ranges of rows in one report of consumption."""


class Bounded:
    """Middleware that reads a body of at most `largest` bytes, and hands it on in one piece."""

    def __init__(self, app: ASGIApp, *, largest: int = LARGEST) -> None:
        self.app = app
        self.largest = largest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.largest:
                await answer(
                    InputError(
                        "serve-body-too-large",
                        f"the request has more than {self.largest:,} bytes",
                        help="report what was consumed in several requests",
                    )
                )(scope, receive, send)
                return
        handed = False

        async def whole() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self.app(scope, whole, send)
