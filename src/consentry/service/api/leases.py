"""Leases: the protocol between a training job and the control plane, version 1; see docs/serving.md.

A renewal is answered from the head of the ledger. A watch only says what happened: it extends nothing. No clock of the
day has a say in any of it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from consentry.accounts.access import Action
from consentry.control_plane.once_recorded import once_recorded
from consentry.ledger.oversight_events import LeaseEnd
from consentry.oversight.lease import DEFAULT_TTL_MS, LONGEST_TTL_MS
from consentry.policy.vocabulary import Purpose
from consentry.service.api.shape import LARGEST_NUMBER, Answer, Body, Position, Sha256, Whole, Yes, problems
from consentry.service.auth import Program, Viewing, shown
from consentry.service.gate import Needs
from consentry.service.request_words import form
from consentry.service.verbs import Verbs
from consentry.service.watch import Watch

ROUTER = APIRouter(prefix="/v1", tags=["leases"])
HELD = [Depends(Needs(Action.HOLDER))]
"""Of what the secret of a lease opens: the verb checks it."""
_MS = 1000
Name = Annotated[str, Field(min_length=1, max_length=200)]
Nonce = Annotated[
    str,
    Field(pattern=form(r"^[\x21-\x7e]{1,200}$", "must be 1 to 200 printable characters of ASCII, without a space")),
]
Secret = Annotated[str, Depends(shown)]
Index = Annotated[int, Path(ge=0, le=LARGEST_NUMBER)]


class LeaseRequest(Body):
    """What a job says that asks for a lease."""

    release: Name
    job: Name
    model: Name
    nonce: Nonce
    ttl_s: Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-1e9, le=1e9)] = DEFAULT_TTL_MS / _MS


class Renewal(Body):
    """What the holder of a lease says that renews it."""

    job: Name
    fence: Whole
    sequence: Whole
    nonce: Nonce
    step: Whole | None = None


class End(Body):
    """What the holder of a lease says that reads no longer."""

    how: Literal["released", "stopped", "failed"]
    step: Whole | None = None


class Consumption(Body):
    """What was trained on, for the optimiser steps from `from_step` to `to_step`, both included."""

    from_step: Whole
    to_step: Whole
    amendment: Whole
    ranges: list[Annotated[list[Whole], Field(min_length=3, max_length=3)]]


class ModelCheckpoint(Body):
    """A model checkpoint that was written."""

    step: Whole
    name: Annotated[
        str,
        Field(
            pattern=form(r"^[^\x00-\x1f\x7f-\x9f]{1,200}$", "must be 1 to 200 printable characters in a line"),
            description="`@PLACE/NAME` where the place keeps no order of who writes there: that of the ledger counts.",
        ),
    ]
    digest: Sha256
    quarantined: Yes = False


class Rows(Response):
    """Rows of a file: a portable 64-bit roaring bitmap; no bytes: none."""

    media_type = "application/octet-stream"


_NOT_YOURS = {403: "lease-not-yours", 404: "lease-unknown"}
_OVER = {**_NOT_YOURS, 409: "lease-revoked lease-withdrawn lease-unamended lease-expired lease-ended lease-replayed"}
_WRITTEN = {**_OVER, 409: f"{_OVER[409]} checkpoint-fence-stale checkpoint-exists"}


class File(Answer):
    """A content file of a release, on a disk that the job reads."""

    index: int
    path: str
    size: int
    rows: int
    digest: str


class Described(Answer):
    """What the reader of a release is told."""

    name: str
    manifest: str
    purpose: Purpose
    files: list[File]


class Granted(Answer):
    """A lease. Only this answer holds its secret."""

    lease: str
    fence: int
    ttl_s: float
    secret: str
    nonce: str
    amendment: int
    release: Described


class Renewed(Answer):
    """A lease goes on, for `ttl_s` from when the renewal was sent."""

    fence: int
    sequence: int
    nonce: str
    ttl_s: float
    amendment: int


class Told(Answer):
    """How it is with a lease; `reason` and `code` if it is over."""

    # Written without what there is nothing to say of.
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    state: Literal["granted", "revoked", "expired", "ended"]
    amendment: int
    reason: str | None = None
    code: str | None = None


class Noted(Answer):
    """It is in the ledger."""

    position: Position


class LeaseShown(Answer):
    """A lease, how it is with it, and what was done under it. `left_s`: for how long it holds."""

    lease: str
    job: str
    model: str
    release: str
    fence: int
    granted_at: int
    ttl_s: float
    state: Literal["granted", "revoked", "expired", "ended", "released", "stopped", "failed"]
    why: str
    order: str | None = Field(description="An order that it stops by, or stopped: the oldest of them.")
    orders: list[str] = Field(description="All such orders.")
    step: int | None
    items: int
    model_checkpoints: int
    quarantined: int
    ended_at: int | None
    left_s: float | None


class Draining(Answer):
    """How far it is with an order: `leases` that it hits, and how many of them are `over`.

    `drained_at`: since when nobody reads under any of them, null: somebody may. `took_ms`: how long that took from the
    order on, null also if that is unknown.
    """

    order: str
    at: int
    leases: int
    over: int
    drained_at: int | None
    took_ms: int | None


class Leases(Answer):
    """Every lease, oldest first; and each order that hits leases and is not drained, or was within the last hour."""

    leases: list[LeaseShown]
    orders: list[Draining]


# Asynchronous: what is not is called on a thread.
async def _verbs(request: Request) -> Verbs:
    return cast("Verbs", request.app.state.verbs)


async def _watch(request: Request) -> Watch:
    return cast("Watch", request.app.state.watch)


Calling = Annotated[Verbs, Depends(_verbs)]
Watching = Annotated[Watch, Depends(_watch)]


@ROUTER.get("/leases", dependencies=[Depends(Viewing(Action.LEASE_READ))])
async def every(verbs: Calling) -> Leases:
    """Return every lease, with how it is and for how long it holds, and how far it is with orders that stop some."""
    leases = await verbs(verbs.control.leases.jobs)
    return Leases.model_validate({"leases": leases, "orders": await verbs(verbs.control.orders.draining)})


@ROUTER.post(
    "/leases",
    status_code=201,
    dependencies=[Depends(Program(Action.LEASE_ASK))],
    responses=problems(
        {
            404: "release-unknown",
            409: "lease-withdrawn lease-suspended lease-old-terms",
            422: "lease-ttl-out-of-range lease-name",
        }
    ),
)
async def grant(*, body: LeaseRequest, verbs: Calling) -> Granted:
    """Grant a lease."""

    def granted() -> Granted:
        lease, secret = verbs.control.leases.grant(
            body.release, job=body.job, model=body.model, ttl_ms=round(body.ttl_s * _MS)
        )
        with once_recorded("its holder does not know of it, so that it expires"):
            return Granted(
                lease=lease.lease,
                fence=lease.fence,
                ttl_s=lease.ttl_ms / _MS,
                secret=secret,
                nonce=body.nonce,
                amendment=verbs.control.amendments.newest(lease.release),
                release=Described.model_validate(verbs.control.lease_reading.described(lease.release)),
            )

    return await verbs(granted)


@ROUTER.post("/leases/{lease}/renewal", dependencies=HELD, responses=problems(_OVER))
async def renew(*, lease: str, body: Renewal, secret: Secret, verbs: Calling) -> Renewed:
    """Renew a lease."""

    def renewed() -> Renewed:
        leases = verbs.control.leases
        amendment = leases.heard(lease, secret=secret)
        found = leases.renew(
            lease, secret=secret, job=body.job, fence=body.fence, sequence=body.sequence, step=body.step
        )
        return Renewed(
            fence=found.fence,
            sequence=body.sequence,
            nonce=body.nonce,
            ttl_s=found.ttl_ms / _MS,
            amendment=amendment,
        )

    return await verbs(renewed)


@ROUTER.get(
    "/leases/{lease}/watch", dependencies=HELD, response_model_exclude_none=True, responses=problems(_NOT_YOURS)
)
async def watch(
    *,
    lease: str,
    secret: Secret,
    verbs: Calling,
    watching: Watching,
    wait: Annotated[float, Query(ge=0, le=LONGEST_TTL_MS / _MS, allow_inf_nan=False)] = 0,
    amendment: Annotated[int, Query(ge=0, le=LARGEST_NUMBER)] = 0,
) -> Told:
    """Say how it is with a lease, as soon as its holder has to know."""
    await verbs(verbs.control.leases.held, lease, secret=secret)
    found = await watching.wait(lease, seconds=wait, amendment=amendment)
    body: dict[str, Any] = {"state": found.state, "amendment": found.amendment}
    return Told.model_validate({**body, "reason": found.reason, "code": found.code} if found.code else body)


@ROUTER.post("/leases/{lease}/end", status_code=204, dependencies=HELD, responses=problems(_NOT_YOURS))
async def end(*, lease: str, body: End, secret: Secret, verbs: Calling) -> None:
    """Note that a job reads no longer."""
    await verbs(verbs.control.leases.end, lease, secret=secret, how=LeaseEnd(body.how), step=body.step)


@ROUTER.post(
    "/leases/{lease}/consumption",
    status_code=204,
    dependencies=HELD,
    responses=problems({**_NOT_YOURS, 422: "lease-ranges"}),
)
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


@ROUTER.post("/leases/{lease}/model-checkpoints", status_code=201, dependencies=HELD, responses=problems(_WRITTEN))
async def model_checkpoint(*, lease: str, body: ModelCheckpoint, secret: Secret, verbs: Calling) -> Noted:
    """Note a model checkpoint; under a lease that is over or overtaken it is quarantined, and this is refused."""
    position = await verbs(
        verbs.control.leases.model_checkpoint,
        lease,
        secret=secret,
        step=body.step,
        name=body.name,
        content=body.digest,
        quarantined=body.quarantined,
    )
    return Noted(position=position)


@ROUTER.get(
    "/leases/{lease}/files/{index}/exclusions", dependencies=HELD, response_class=Rows, responses=problems(_NOT_YOURS)
)
async def exclusions(*, lease: str, index: Index, secret: Secret, verbs: Calling) -> Response:
    """Return the rows of a file that are left out."""
    return _bitmap(await verbs(verbs.control.lease_reading.handed_out, lease, secret=secret, index=index))


@ROUTER.get(
    "/leases/{lease}/files/{index}/amendment/{number}",
    dependencies=HELD,
    response_class=Rows,
    responses=problems(_NOT_YOURS),
)
async def removed(*, lease: str, index: Index, number: Index, secret: Secret, verbs: Calling) -> Response:
    """Return the rows of a file that amendments removed since."""
    found = await verbs(verbs.control.lease_reading.removed, lease, secret=secret, index=index, number=number)
    return _bitmap(found)


def _bitmap(content: bytes) -> Response:
    return Rows(content)
