"""What an open page of a member is told: that orders or rules are others than when it was made.

It is told nothing about anybody, and a stream ends before the session could: none keeps a session alive.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from consentry.accounts.access import Action
from consentry.accounts.account import IDLE_S, Principal
from consentry.service.gate import Needs
from consentry.service.offered import Offered
from consentry.service.watch import Watch

ROUTER = APIRouter()
_KEEP_S, _WAIT_S = 15.0, 0.3
"""How often a stream says that it is there, and looks whether it should still be."""


@ROUTER.get("/me/events")
async def events(request: Request, *, _: Annotated[Principal, Depends(Needs(Action.OWN_READ))]) -> Response:
    """Tell under which orders and rules choices are offered, again whenever it changes (server-sent events)."""
    return StreamingResponse(_told(request), media_type="text/event-stream")


async def _told(request: Request) -> AsyncIterator[bytes]:
    offered: Offered = request.app.state.offered
    stopping: Watch = request.app.state.watch
    clock = asyncio.get_running_loop().time
    begun = told_at = clock()
    before = ""
    while not stopping.is_stopping and clock() - begun < IDLE_S and not await request.is_disconnected():
        now = await offered.other_than(before, seconds=_WAIT_S)
        if now != before:
            before, told_at = now, clock()
            yield f"event: offered\ndata: {now}\n\n".encode()
        elif clock() - told_at > _KEEP_S:
            told_at = clock()
            yield b": still here\n\n"
