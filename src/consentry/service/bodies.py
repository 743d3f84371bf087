"""Bodies of requests are bounded: read whole before anybody looks at them, refused if too large, too slow or no JSON.

What a document says is left in the scope under `JSON`, so that nobody has to read it again, and under `SIZE` how many
bytes it had.
"""

from __future__ import annotations

import asyncio

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentry.errors import InputError
from consentry.service.problems import answer
from consentry.service.strict_json import parsed

LARGEST = 1 << 20
"""Bytes: some 40,000 ranges of rows in one report of consumption."""
PATIENCE_S = 20.0
"""A body has to be here by then: who sends it byte by byte holds a connection and nothing else."""
JSON, SIZE = "consentry.json", "consentry.size"
SMALL = 1 << 13
"""Bytes that are read on the spot, on the event loop."""


class Bounded:
    """Middleware that reads a body of at most `largest` bytes within `patience` seconds, and hands it on in one piece.

    `/v1` and `/access` take JSON only: there a body of another type is refused.
    """

    def __init__(self, app: ASGIApp, *, largest: int = LARGEST, patience: float = PATIENCE_S) -> None:
        self.app = app
        self.largest = largest
        self.patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.patience):
                body = await self._read(receive)
            if body is None:
                return
            if body and scope["path"].startswith(("/v1/", "/access/")):
                _require_json(Headers(scope=scope))
                scope[SIZE] = len(body)
                # A megabyte takes a tenth of a second: not on the loop that answers renewals.
                scope[JSON] = parsed(body) if len(body) <= SMALL else await to_thread.run_sync(parsed, body)
        except TimeoutError:
            await answer(_too_slow())(scope, receive, send)
            return
        except InputError as error:
            await answer(error)(scope, receive, send)
            return
        handed = False

        async def whole() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, whole, send)

    async def _read(self, receive: Receive) -> bytes | None:
        """Return the body; None: whoever asked has gone."""
        parts: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            part = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(part)
            if size > self.largest:
                raise InputError(
                    "serve-body-too-large",
                    f"the request has more than {self.largest:,} bytes",
                    help="say it in several requests",
                )
            parts.append(part)
        return b"".join(parts)


def _require_json(headers: Headers) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InputError(
            "serve-media-type", "the request has a body of another type", help="send `Content-Type: application/json`"
        )


def _too_slow() -> InputError:
    return InputError("serve-body-too-slow", "the request did not arrive in time", help="send it again, at once")
