"""Training jobs, live: how it is with each lease, told again whenever it changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.service.gate import Control, recognise
from consentry.service.languages import DEFAULT, LANGUAGES, N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import Staff
from consentry.service.site import date_and_time
from consentry.service.verbs import Verbs

ROUTER = APIRouter()
Reading = Annotated[Principal, Depends(Staff(Action.LEASE_READ))]
PACE_S = 0.5
LASTS_S = 300.0
"""How long a stream lasts. A browser asks again; so a session that ended does not go on watching."""
_KEEP_S = 15.0
_WATCHED = 200
"""How many of those that ended last, and of the newest, are told of beside all that have not ended."""
_JOBS = Listing(
    name="jobs",
    columns=(
        Column("job", N_("Job")),
        Column("model", N_("Model")),
        Column("release", N_("Release"), chosen_from=True),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("step", N_("Step"), kind="number"),
        Column("items", N_("Items"), kind="number"),
        Column("left_s", N_("Time left (s)"), kind="number"),
        Column("order", N_("Stopped by")),
        Column("granted_at", N_("Since"), kind="time"),
        Column("ended_at", N_("Ended"), kind="time"),
        Column("lease", N_("Lease")),
    ),
    sort="-granted_at",
)


@ROUTER.get("/console/jobs")
def jobs(request: Request, control: Control, *, _: Reading) -> Response:
    """List all jobs; with a script the list follows what they do."""
    rows = job_rows(control)
    # The script asks for the page anew only once the stream knows of a newer lease than the page did.
    newest = rows[-1]["lease"] if rows else ""
    return _JOBS.answer(request, rows, template="console/jobs.html", newest=newest)


@ROUTER.get("/console/jobs/events")
async def events(request: Request, control: Control, *, _: Reading) -> Response:
    """Tell how it is with the jobs, again whenever it changes (server-sent events)."""
    return StreamingResponse(_told(request, control), media_type="text/event-stream")


def job_rows(control: ControlPlane, *, watched: int | None = None) -> list[dict[str, Any]]:
    """Return every lease as a row, or those that are watched."""
    return [
        {
            **each,
            "left_s": None if each["left_s"] is None else int(each["left_s"]),
            "ttl_s": int(each["ttl_s"]),
            "order": ", ".join(each["orders"]) or None,
        }
        for each in control.leases.jobs(watched=watched)
    ]


def _live(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what can change about a job, with its end as the page writes it."""
    at = row["ended_at"]
    ended = None if at is None else date_and_time(datetime.fromtimestamp(at, UTC), LANGUAGES[DEFAULT].locale)
    return {name: row[name] for name in ("lease", "state", "step", "items", "left_s", "order", "ended_at")} | {
        "ended": ended
    }


async def _told(request: Request, control: ControlPlane) -> AsyncIterator[bytes]:
    """Yield the jobs that are watched whenever something about them is other than it was told."""
    verbs: Verbs = request.app.state.verbs
    stopping = request.app.state.watch
    begun = told_at = asyncio.get_running_loop().time()
    before = ""
    while not await request.is_disconnected() and not stopping.is_stopping:
        now = asyncio.get_running_loop().time()
        if now - begun > LASTS_S or not (await recognise(request)).may(Action.LEASE_READ):
            return
        rows = await verbs(job_rows, control, watched=_WATCHED)
        shown = json.dumps([_live(row) for row in rows])
        if shown != before:
            before, told_at = shown, now
            yield f"event: jobs\ndata: {shown}\n\n".encode()
        elif now - told_at > _KEEP_S:
            told_at = now
            yield b": still here\n\n"
        await asyncio.sleep(PACE_S)
