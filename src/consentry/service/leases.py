"""The protocol between a training job and the control plane, version 1: see docs/serving.md.

A renewal is answered from the head of the ledger. A watch only says what happened: it extends nothing. No clock of the
day has a say in any of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from consentry.accounts.access import Action
from consentry.ledger.oversight_events import LeaseEnd
from consentry.oversight.lease import DEFAULT_TTL_MS, LONGEST_TTL_MS
from consentry.service.auth import Program, Viewing, shown
from consentry.service.gate import Needs
from consentry.service.verbs import Verbs
from consentry.service.watch import Watch

ROUTER = APIRouter(prefix="/v1")
HEALTH = APIRouter(dependencies=[Depends(Needs(Action.ANYONE))])
HELD = [Depends(Needs(Action.HOLDER))]
"""Of what the secret of a lease opens: the verb checks it."""
SERVING_TTL_S = 60.0
"""For how long an answer about a model counts."""
_MS = 1000
_LARGEST_STEP = (1 << 53) - 1
"""The largest whole number that every JSON reader keeps."""

Name = Annotated[str, Field(min_length=1, max_length=200)]
Nonce = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,200}$")]
Whole = Annotated[int, Field(strict=True, ge=0, le=_LARGEST_STEP)]
Secret = Annotated[str, Depends(shown)]
Index = Annotated[int, Path(ge=0, le=_LARGEST_STEP)]


class _Body(BaseModel):
    # A name nobody knows is refused: one that is spelled wrong must not silently be the default.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Asked(_Body):
    """What a job says that asks for a lease."""

    release: Name
    job: Name
    model: Name
    nonce: Nonce
    ttl_s: Annotated[float, Field(allow_inf_nan=False, ge=-1e9, le=1e9)] = DEFAULT_TTL_MS / _MS


class Renewal(_Body):
    """What the holder of a lease says that renews it."""

    job: Name
    fence: Whole
    sequence: Whole
    nonce: Nonce
    step: Whole | None = None


class End(_Body):
    """What the holder of a lease says that reads no longer."""

    how: Literal["released", "stopped"]
    step: Whole | None = None


class Consumption(_Body):
    """What was trained on, for the optimiser steps from `from_step` to `to_step`, both included."""

    from_step: Whole
    to_step: Whole
    amendment: Whole
    ranges: list[Annotated[list[Whole], Field(min_length=3, max_length=3)]]


class ModelCheckpoint(_Body):
    """A model checkpoint that was written."""

    step: Whole
    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}$")]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    quarantined: Annotated[bool, Field(strict=True)] = False


# Asynchronous: what is not is called on a thread.
async def _verbs(request: Request) -> Verbs:
    return cast("Verbs", request.app.state.verbs)


async def _watch(request: Request) -> Watch:
    return cast("Watch", request.app.state.watch)


Calling = Annotated[Verbs, Depends(_verbs)]
Watching = Annotated[Watch, Depends(_watch)]


@ROUTER.get("/leases", dependencies=[Depends(Viewing(Action.LEASE_READ))])
async def every(verbs: Calling) -> dict[str, Any]:
    """Return every lease, with how it is and for how long it holds."""
    return {"leases": await verbs(verbs.control.leases.jobs)}


@ROUTER.post("/leases", status_code=201, dependencies=[Depends(Program(Action.LEASE_ASK))])
async def grant(*, body: Asked, verbs: Calling) -> dict[str, Any]:
    """Grant a lease."""

    def granted() -> dict[str, Any]:
        lease, secret = verbs.control.leases.grant(
            body.release, job=body.job, model=body.model, ttl_ms=round(body.ttl_s * _MS)
        )
        return {
            "lease": lease.lease,
            "fence": lease.fence,
            "ttl_s": lease.ttl_ms / _MS,
            "secret": secret,
            "nonce": body.nonce,
            "amendment": verbs.control.amendments.newest(lease.release),
            "release": verbs.control.leases.described(lease.release),
        }

    return await verbs(granted)


@ROUTER.post("/leases/{lease}/renewal", dependencies=HELD)
async def renew(*, lease: str, body: Renewal, secret: Secret, verbs: Calling) -> dict[str, Any]:
    """Renew a lease."""

    def renewed() -> dict[str, Any]:
        found = verbs.control.leases.renew(
            lease, secret=secret, job=body.job, fence=body.fence, sequence=body.sequence, step=body.step
        )
        return {
            "fence": found.fence,
            "sequence": body.sequence,
            "nonce": body.nonce,
            "ttl_s": found.ttl_ms / _MS,
            "amendment": verbs.control.amendments.newest(found.release),
        }

    return await verbs(renewed)


@ROUTER.get("/leases/{lease}/watch", dependencies=HELD)
async def watch(
    *,
    lease: str,
    secret: Secret,
    verbs: Calling,
    watching: Watching,
    wait: Annotated[float, Query(ge=0, le=LONGEST_TTL_MS / _MS, allow_inf_nan=False)] = 0,
    amendment: Annotated[int, Query(ge=0, le=_LARGEST_STEP)] = 0,
) -> dict[str, Any]:
    """Say how it is with a lease, as soon as its holder has to know."""
    await verbs(verbs.control.leases.held, lease, secret=secret)
    found = await watching.wait(lease, seconds=wait, amendment=amendment)
    body: dict[str, Any] = {"state": found.state, "amendment": found.amendment}
    return {**body, "reason": found.reason, "code": found.code} if found.code else body


@ROUTER.post("/leases/{lease}/end", status_code=204, dependencies=HELD)
async def end(*, lease: str, body: End, secret: Secret, verbs: Calling) -> None:
    """Note that a job reads no longer."""
    await verbs(verbs.control.leases.end, lease, secret=secret, how=LeaseEnd(body.how), step=body.step)


@ROUTER.post("/leases/{lease}/consumption", status_code=204, dependencies=HELD)
async def consume(*, lease: str, body: Consumption, secret: Secret, verbs: Calling) -> None:
    """Note what was trained on."""
    await verbs(
        verbs.control.leases.consumed,
        lease,
        secret=secret,
        from_step=body.from_step,
        to_step=body.to_step,
        amendment=body.amendment,
        ranges=body.ranges,
    )


@ROUTER.post("/leases/{lease}/model-checkpoints", status_code=201, dependencies=HELD)
async def model_checkpoint(*, lease: str, body: ModelCheckpoint, secret: Secret, verbs: Calling) -> dict[str, int]:
    """Note a model checkpoint; under a lease that is over it is quarantined, and this is refused."""
    position = await verbs(
        verbs.control.leases.model_checkpoint,
        lease,
        secret=secret,
        step=body.step,
        name=body.name,
        content=body.digest,
        quarantined=body.quarantined,
    )
    return {"position": position}


@ROUTER.get("/leases/{lease}/files/{index}/exclusions", dependencies=HELD)
async def exclusions(*, lease: str, index: Index, secret: Secret, verbs: Calling) -> Response:
    """Return the rows of a file that are left out."""
    return _bitmap(await verbs(verbs.control.leases.handed_out, lease, secret=secret, index=index))


@ROUTER.get("/leases/{lease}/files/{index}/amendment/{number}", dependencies=HELD)
async def removed(*, lease: str, index: Index, number: Index, secret: Secret, verbs: Calling) -> Response:
    """Return the rows of a file that amendments removed since."""
    return _bitmap(await verbs(verbs.control.leases.removed, lease, secret=secret, index=index, number=number))


@ROUTER.get("/models/{model}/serving", dependencies=[Depends(Program(Action.MODEL_READ))])
async def serving(*, model: str, verbs: Calling) -> dict[str, Any]:
    """Say whether a model may be served."""
    found = await verbs(verbs.control.models.may_serve, model)
    return {"model": model, "may": found["may"], "reasons": found["reasons"], "ttl_s": SERVING_TTL_S}


def _bitmap(content: bytes) -> Response:
    return Response(content, media_type="application/octet-stream")


@HEALTH.get("/healthz")
async def health(watching: Watching) -> dict[str, str]:
    """Say that all is well, or why the ledger cannot be looked at."""
    if watching.trouble is not None:
        raise watching.trouble
    return {"status": "ok"}
