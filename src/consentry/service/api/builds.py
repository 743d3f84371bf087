"""Releases: planned, built, compared, and asked why an item is in or out.

A build answers when the release is sealed. It runs on a thread, so that others are answered meanwhile, and one at a
time: two would take twice the memory and overtake each other at the head of the ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field, JsonValue

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.once_recorded import once_recorded
from consentry.errors import StateError
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from consentry.service.api.once import KEY, Once
from consentry.service.api.releases import Counts, Split, WholeRelease, whole
from consentry.service.api.shape import Answer, Area, Body, Called, Ident, Moment, Position, Released, Word, problems
from consentry.service.gate import Control, NeedsAll

ROUTER = APIRouter(prefix="/v1/releases", tags=["releases"], route_class=Once)
Reader = Annotated[Principal, Depends(NeedsAll(Action.RELEASE_READ))]
BUILDING = Lock()
"""Held by the one request that builds. Only one process serves a home."""


class ReleaseWanted(Body):
    """Of what, for what, and by which policy set in force."""

    corpus: Word
    purpose: Purpose = Purpose.TRAIN_GENAI
    policy: Word
    at: Moment | None = Field(default=None, description="Decide as of this time; now, if left out.")


class Imagined(ReleaseWanted):
    """A release that is only counted, as if some areas were suspended."""

    suspended: Annotated[tuple[Area, ...], Field(max_length=100)] = ()


class Plan(Answer):
    """What a release would hold, by the census alone: it does not know dates, and counts items by their owner."""

    counts: Counts
    undecided: int = Field(description="Items that depend on when they were created.")
    involving_several: int = Field(description="Items that involve several people.")


class ItemAsked(Body):
    """About which item, by the id it has in the corpus."""

    item: Ident


class Explanation(Answer):
    """Why an item is in a release, or is not, or left it: every reason, and what is known of whom it involves."""

    release: str
    allowed: bool
    reasons: list[dict[str, JsonValue]]
    counted_as: str | None = Field(
        description="What the counts of the release have it under, such as `eligible` or `involved:refused`; null if "
        "that can no longer be said."
    )
    item: dict[str, JsonValue]
    people: list[dict[str, JsonValue]]
    policy: dict[str, str]
    position: Position
    decided_at: int
    agrees_with_bitmap: bool
    erased_since: bool
    withdrawn: dict[str, JsonValue] | None
    barred: dict[str, JsonValue] | None
    amendment: dict[str, JsonValue] | None


class Other(Body):
    """The release that was before."""

    before: Released


class Side(Answer):
    """One of two releases."""

    release: str
    position: Position
    decided_at: int
    policy: str
    items: int
    eligible: int
    withdrawn: dict[str, JsonValue] | None


class Move(Answer):
    """Items that changed sides, from one reason (or `eligible`) to another."""

    from_: str = Field(alias="from")
    to: str
    items: int


class ReasonCount(Answer):
    """Items denied for a reason, or that have a gap, in each of two releases."""

    before: int
    after: int


class SplitCount(Answer):
    """Eligible and denied items of a place, category or licence, in each of two releases."""

    before: Split
    after: Split


class ChangedCounts(Answer):
    """The counts of two releases side by side: items denied for another reason than before show here alone."""

    by_reason: Mapping[str, ReasonCount]
    by_gap: Mapping[str, ReasonCount]
    by_place: Mapping[str, SplitCount]
    by_category: Mapping[str, SplitCount]
    by_licence: Mapping[str, SplitCount]


class Comparison(Answer):
    """What changed between two releases of one corpus, and what of that which they rest on differs."""

    before: Side
    after: Side
    eligible_change: int
    moves: list[Move]
    counts: ChangedCounts
    files: dict[str, JsonValue]
    causes: Mapping[str, bool]
    reproduced: bool


@ROUTER.post("/plan", responses=problems({404: "corpus-unknown policy-not-published", 422: "policy-unknown-area"}))
def plan(*, body: Imagined, _: Reader, control: Control) -> Plan:
    """Count what a release would hold. Nothing is sealed."""
    policy, _digest = control.desk.policy(body.policy)
    at = control.desk.parts.clock() if body.at is None else body.at
    suspended = Scope(areas=frozenset(body.suspended)) if body.suspended else None
    found = control.releases.plan(body.corpus, body.purpose, policy=policy, at=at, suspended=suspended)
    return Plan.model_validate(found.to_json())


@ROUTER.post(
    "",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        {
            404: "corpus-unknown policy-not-published",
            409: "release-building release-overtaken idempotency-running",
            422: "release-time-to-come release-time-too-early release-time-before-order release-time-other-places",
        }
    ),
)
def build(
    *, body: ReleaseWanted, who: Annotated[Principal, Depends(NeedsAll(Action.RELEASE_BUILD))], control: Control
) -> WholeRelease:
    """Decide every item of a corpus and seal those that may be used. It is answered when the release is sealed."""
    if not BUILDING.acquire(blocking=False):
        raise StateError(
            "release-building", "another release is being built", help="try again when it is done; it is one at a time"
        )
    try:
        built = control.releases.build(body.corpus, body.purpose, policy=body.policy, at=body.at, by=who.handle)
    finally:
        BUILDING.release()
    with once_recorded():
        return whole(control, built.manifest.release)


@ROUTER.post("/{release}/explain", responses=problems({404: "release-unknown item-unknown"}))
def explain(*, release: Called, body: ItemAsked, _: Reader, control: Control) -> Explanation:
    """Say why an item is in a release, or is not. Its id is in no address: those are kept in logs."""
    return Explanation.model_validate(control.releases.explain(release, body.item).body)


@ROUTER.post("/{release}/compare", responses=problems({404: "release-unknown"}))
def compare(*, release: Called, body: Other, _: Reader, control: Control) -> Comparison:
    """Say what changed since an earlier release, and why."""
    return Comparison.model_validate(control.releases.compare(body.before, release))
