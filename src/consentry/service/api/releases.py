"""Releases: what was sealed, by which policy set, what left it since, and withdrawing one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Depends

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.errors import NotFoundError
from consentry.policy.vocabulary import Purpose
from consentry.service.api.once import KEY, Once
from consentry.service.api.shape import After, Answer, Body, Called, Limit, Line, Position, Said, part, problems
from consentry.service.gate import Control, Needs, NeedsAll

ROUTER = APIRouter(prefix="/v1", tags=["releases"], route_class=Once)
Reader = Annotated[Principal, Depends(NeedsAll(Action.RELEASE_READ))]
Withdrawer = Annotated[Principal, Depends(Needs(Action.RELEASE_WITHDRAW))]


class Withdrawn(Answer):
    """Why a release may no longer be read."""

    reason: str
    position: Position


class Barred(Answer):
    """The order by which nobody may read a release. `ended` is null while it is in force.

    One that was lifted or narrowed bars what was sealed before it, and that for good: a new release is built.
    """

    order: str
    case: str
    reference: str
    ended: Literal["lifted", "narrowed"] | None
    ended_at: int | None
    why: str


class Release(Answer):
    """A sealed release. `manifest` and `policy` are digests of documents.

    `barred`: null if no order keeps it from being read.
    """

    release: str
    manifest: str
    policy: str
    purpose: Purpose
    corpus: str
    position: Position
    withdrawn: Withdrawn | None
    barred: Barred | None


class Releases(Answer):
    """Releases, oldest first."""

    releases: list[Release]
    next: str | None


class Amendment(Answer):
    """Items that left a release: `removed` by this amendment, `items` by all up to it."""

    number: int
    document: str
    items: int
    removed: int
    position: Position
    stands: Position
    at: int


class Split(Answer):
    """Items that are in, and items that are not."""

    eligible: int
    denied: int


class Counts(Answer):
    """Items of a release, by what decided them and by what they are."""

    items: int
    eligible: int
    denied: int
    by_reason: Mapping[str, int]
    by_permit: Mapping[str, int]
    by_gap: Mapping[str, int]
    by_place: Mapping[str, Split]
    by_category: Mapping[str, Split]
    by_licence: Mapping[str, Split]


class WholeRelease(Release):
    """A release with its counts and amendments."""

    decided_at: int
    files: int
    counts: Counts
    amendments: list[Amendment]


class Withdrawal(Body):
    """Why a release is to be withdrawn."""

    reason: Line


@ROUTER.get("/releases", responses=problems({422: "list-cursor"}))
def every(*, _: Reader, control: Control, limit: Limit = 100, after: After = None) -> Releases:
    """Return the releases, oldest first."""
    found = part(list(control.releases.sealed()), str, limit=limit, after=after)
    return Releases(releases=[_described(control, name) for name in found.rows], next=found.next)


@ROUTER.get("/releases/{release}", responses=problems({404: "release-unknown"}))
def one(*, release: Called, _: Reader, control: Control) -> WholeRelease:
    """Return a release with its counts and amendments."""
    return whole(control, release)


def whole(control: ControlPlane, release: str) -> WholeRelease:
    """Return a release with its counts and amendments.

    Raises:
        NotFoundError: there is none of this name.
    """
    if release not in control.releases.sealed():
        raise NotFoundError("release-unknown", f"no release `{release}`", help="GET /v1/releases lists them")
    manifest = control.releases.open(release).manifest
    return WholeRelease(
        **dict(_described(control, release)),
        decided_at=manifest.decided_at,
        files=len(manifest.files),
        counts=Counts.model_validate(dict(manifest.counts)),
        amendments=[Amendment.model_validate(each) for each in control.amendments.of(release)],
    )


@ROUTER.post(
    "/releases/{release}/withdrawal",
    status_code=201,
    dependencies=[KEY],
    responses=problems({404: "release-unknown", 409: "release-already-withdrawn idempotency-running"}),
)
def withdraw(*, release: Called, body: Withdrawal, who: Withdrawer, control: Control) -> Said:
    """Say that a release may no longer be read, for good."""
    return Said(position=control.releases.withdraw(release, body.reason, by=who.handle))


def _described(control: ControlPlane, name: str) -> Release:
    found = control.releases.sealed_as(name)
    left = found.withdrawn
    return Release(
        release=name,
        manifest=found.manifest,
        policy=found.policy,
        purpose=found.purpose,
        corpus=found.corpus,
        position=found.position,
        withdrawn=None if left is None else Withdrawn(reason=left.reason, position=left.position),
        barred=None if (bar := control.orders.barred(name)) is None else Barred.model_validate(bar),
    )
