"""Bodies of requests are bounded: read whole before anybody looks at them, refused if too large, too slow or no JSON.

A document that is given in a case may be larger, and may take longer, if whoever sends it may work on cases: a scan of
many pages has to fit, and nobody else may have that much kept in memory.

What a document says is left in the scope under `JSON`, so that nobody has to read it again, and under `SIZE` how many
bytes it had.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPMethod

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentry.accounts.access import Action
from consentry.errors import ConsentryError, InputError
from consentry.service.connection import MORE
from consentry.service.gate import recognise
from consentry.service.problems import outside
from consentry.service.strict_json import parsed

LARGEST = 1 << 20
"""Bytes: some 40,000 ranges of rows in one report of consumption."""
PATIENCE_S = 20.0
"""A body has to be here by then: who sends it byte by byte holds a connection and nothing else."""
LARGEST_DOCUMENT, PATIENCE_DOCUMENT_S = 1 << 25, 300.0
"""Of the body that a document of a case comes in."""
_OF_DOCUMENTS = re.compile(r"/console/cases/[^/]+/conditions/[^/]+/meet|/v1/cases/[^/]+/conditions/[^/]+/evidence")
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
            async with asyncio.timeout(self.patience) as until:
                body = await self._read(scope, receive, until)
            if body is None:
                return
            if body and scope["path"].startswith(("/v1/", "/access/")):
                _require_json(Headers(scope=scope))
                scope[SIZE] = len(body)
                # A megabyte takes a tenth of a second: not on the loop that answers renewals.
                scope[JSON] = parsed(body) if len(body) <= SMALL else await to_thread.run_sync(parsed, body)
        except TimeoutError:
            await outside(scope, _too_slow())(scope, receive, send)
            return
        except ConsentryError as error:
            await outside(scope, error)(scope, receive, send)
            return
        handed = False

        async def whole() -> Message:
            nonlocal handed
            if handed:
                return await receive()
            handed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, whole, send)

    async def _read(self, scope: Scope, receive: Receive, until: asyncio.Timeout) -> bytes | None:
        """Return the body; None: whoever asked has gone."""
        parts: list[bytes] = []
        size, most, more = 0, self.largest, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            part = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(part)
            if size > self.largest == most and await _gives_a_document(scope):
                scope[MORE] = most = max(most, LARGEST_DOCUMENT)
                until.reschedule(asyncio.get_running_loop().time() + PATIENCE_DOCUMENT_S)
            if size > most:
                raise InputError(
                    "serve-body-too-large",
                    f"the request has more than {most:,} bytes",
                    help="say it in several requests" if most == self.largest else "give a smaller document",
                )
            parts.append(part)
        return b"".join(parts)


async def _gives_a_document(scope: Scope) -> bool:
    """Say whether a document of a case is given, by somebody who may."""
    if scope["method"] != HTTPMethod.POST or not _OF_DOCUMENTS.fullmatch(scope["path"]):
        return False
    request = Request(scope)
    who = request.state.principal = await recognise(request)
    return who.may(Action.CASE_WORK)


def _require_json(headers: Headers) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise InputError(
            "serve-media-type", "the request has a body of another type", help="send `Content-Type: application/json`"
        )


def _too_slow() -> InputError:
    return InputError("serve-body-too-slow", "the request did not arrive in time", help="send it again, at once")
