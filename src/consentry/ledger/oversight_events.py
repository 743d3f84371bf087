"""Who stopped what, and who reads what: orders, leases, and what was done under them. All of them are open events.

Times are milliseconds where how long something took is shown; `recorded_at` of every event is in whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, get_args

from consentry.digests import Digest
from consentry.ledger.plain_body import PlainBody
from consentry.policy.vocabulary import Category, Purpose, Visibility

Milliseconds = int
"""Whole milliseconds since 1970-01-01T00:00:00Z."""


class Origin(StrEnum):
    """Who wanted a suspension."""

    OWN_DECISION = "own-decision"
    AUTHORITY_REQUEST = "authority-request"
    COURT_UNDERTAKING = "court-undertaking"
    BINDING_ORDER = "binding-order"
    AUTHORITY = "authority"
    """An authority itself, by a signed statement. Such an order ends only if the authority signs that it may."""


class OrderEnd(StrEnum):
    """How a suspension ended."""

    LIFTED = "lifted"
    WITHDRAWN = "withdrawn"
    NARROWED = "narrowed"
    """Others with a smaller scope took its place."""


class LeaseEnd(StrEnum):
    """How a lease ended."""

    RELEASED = "released"
    """The job was done with it."""
    STOPPED = "stopped"
    """The job says that it stopped because it had to."""
    EXPIRED = "expired"
    """Nobody renewed it in time: no job that keeps the rules reads under it any more."""
    FAILED = "failed"
    """The job ended before its end, and nothing here made it: an error of its own, or it is gone without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderIssued(PlainBody):
    """A use is suspended from this position on. An empty part of the scope means all; dates are [from, before)."""

    KIND: ClassVar[str] = "order.issued"

    order: str
    case: str
    areas: tuple[str, ...]
    purposes: tuple[Purpose, ...]
    categories: tuple[Category, ...]
    visibilities: tuple[Visibility, ...]
    created_from: int | None
    created_before: int | None
    models: tuple[str, ...]
    origin: Origin
    reference: str
    by: str | None
    """The handle of who put it in force, if they gave one."""
    at_ms: Milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEnded(PlainBody):
    """A suspension holds no longer, from this position on."""

    KIND: ClassVar[str] = "order.ended"

    order: str
    case: str
    how: OrderEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDrainedV1(PlainBody):
    """No job reads what an order hits any more: as it was said while no job was known to fail. Not written any more."""

    KIND: ClassVar[str] = "order.drained"

    order: str
    stopped: int
    expired: int
    released: int
    took_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDrained(PlainBody):
    """No job reads under a lease in the scope of an order any more, and how many of them ended in which way.

    That took `took_ms` from its issue, by a clock that nobody sets; None: nobody saw both by the same one.
    """

    KIND: ClassVar[str] = "order.drained"
    VERSION: ClassVar[int] = 2

    order: str
    stopped: int
    expired: int
    released: int
    failed: int
    took_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseGranted(PlainBody):
    """A job may read a release for `ttl_ms`, and longer if it renews. The position of this event is its fence."""

    KIND: ClassVar[str] = "lease.granted"

    lease: str
    release: str
    job: str
    model: str
    ttl_ms: int
    secret: Digest
    """Of the secret that only the job holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEndedV1(PlainBody):
    """A job reads no longer: as it was said while one of those that hit it was named. Not written any more."""

    KIND: ClassVar[str] = "lease.ended"

    lease: str
    how: LeaseEnd
    order: str | None
    step: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseEnded(PlainBody):
    """A job reads no longer. `orders` are the suspensions that hit its lease then; `step` its last, if it said."""

    KIND: ClassVar[str] = "lease.ended"
    VERSION: ClassVar[int] = 2

    lease: str
    how: LeaseEnd
    orders: tuple[str, ...]
    step: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsConsumed(PlainBody):
    """The optimiser steps `from_step` to `to_step` (included) trained on `items` rows, named in the object `ranges`."""

    KIND: ClassVar[str] = "items.consumed"

    lease: str
    from_step: int
    to_step: int
    amendment: int
    items: int
    ranges: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheckpointWritten(PlainBody):
    """A job wrote a model checkpoint; `quarantined` if its lease was over: then it counts for nothing."""

    KIND: ClassVar[str] = "model-checkpoint.written"

    lease: str
    step: int
    name: str
    digest: Digest
    quarantined: bool


OversightBody = (
    OrderIssued
    | OrderEnded
    | OrderDrainedV1
    | OrderDrained
    | LeaseGranted
    | LeaseEndedV1
    | LeaseEnded
    | ItemsConsumed
    | ModelCheckpointWritten
)
OVERSIGHT: tuple[type[OversightBody], ...] = get_args(OversightBody)
"""They concern nobody's choices: what is known of people stays as it is."""
