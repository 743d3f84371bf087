"""What a server answers to programs, as types.

Made of its description by `tests/service/client_answers.py`: write nothing in here.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Category = Literal[
    "unknown",
    "profile",
    "post",
    "comment",
    "article",
    "poll-answer",
    "image",
    "video",
    "audio",
    "resume",
    "job-application-answer",
    "group-post",
    "group-message",
    "direct-message",
    "reaction",
    "recommendation",
    "ai-prompt",
    "ai-output",
    "ai-feedback",
    "salary",
    "credential",
    "payment",
]
ChoiceState = Literal["unset", "allowed", "refused"]
Purpose = Literal[
    "train-ai",
    "train-genai",
    "train-genai-text",
    "train-genai-image",
    "evaluate",
    "serve",
    "improve-from-feedback",
]
Reach = Literal["future", "untrained", "everything"]


class Amendment(TypedDict):
    """Items that left a release: `removed` by this amendment, `items` by all up to it."""

    number: int
    document: str
    items: int
    removed: int
    position: int
    stands: int
    at: int


class Barred(TypedDict):
    """The order by which nobody may read a release. `ended` is null while it is in force.

    One that was lifted or narrowed bars what was sealed before it, and that for good: a new release is built.
    """

    order: str
    case: str
    reference: str
    ended: Literal["lifted", "narrowed"] | None
    ended_at: int | None
    why: str


class ChangedCounts(TypedDict):
    """The counts of two releases side by side: items denied for another reason than before show here alone."""

    by_reason: dict[str, ReasonCount]
    by_gap: dict[str, ReasonCount]
    by_place: dict[str, SplitCount]
    by_category: dict[str, SplitCount]
    by_licence: dict[str, SplitCount]


class ChoiceInForce(TypedDict):
    """A choice that counts now. `position` is where it was recorded, and what its receipt is asked for by."""

    purpose: Purpose
    category: Category | None
    one_item: bool
    state: ChoiceState
    reach: Reach
    at: int
    position: int


class Comparison(TypedDict):
    """What changed between two releases of one corpus, and what of that which they rest on differs."""

    before: Side
    after: Side
    eligible_change: int
    moves: list[Move]
    counts: ChangedCounts
    files: dict[str, Any]
    causes: dict[str, bool]
    reproduced: bool


class Counts(TypedDict):
    """Items of a release, by what decided them and by what they are."""

    items: int
    eligible: int
    denied: int
    by_reason: dict[str, int]
    by_permit: dict[str, int]
    by_gap: dict[str, int]
    by_place: dict[str, Split]
    by_category: dict[str, Split]
    by_licence: dict[str, Split]


class Decided(TypedDict):
    """Yes or no. Only `true` permits."""

    decision: bool
    context: DecisionContext


class DecidedAll(TypedDict):
    """The decisions, in the order of the request."""

    evaluations: list[Decided]


class DecisionContext(TypedDict):
    """Why, by which policy set, and as of which position of the ledger."""

    reasons: list[Reason]
    policy: str | None
    version: str | None
    position: int | None
    error: Error | None


class Draining(TypedDict):
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


class Error(TypedDict):
    """Why one of several could not be decided. Then it is denied."""

    status: int
    message: str
    code: str


class Explanation(TypedDict):
    """Why an item is in a release, or is not, or left it: every reason, and what is known of whom it involves."""

    release: str
    allowed: bool
    reasons: list[dict[str, Any]]
    counted_as: str | None
    item: dict[str, Any]
    people: list[dict[str, Any]]
    policy: dict[str, str]
    position: int
    decided_at: int
    agrees_with_bitmap: bool
    erased_since: bool
    withdrawn: dict[str, Any] | None
    barred: dict[str, Any] | None
    amendment: dict[str, Any] | None


class InWords(TypedDict):
    """A reason in English."""

    en: str


class LeaseShown(TypedDict):
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
    order: str | None
    orders: list[str]
    step: int | None
    items: int
    model_checkpoints: int
    quarantined: int
    ended_at: int | None
    left_s: float | None


class Leases(TypedDict):
    """Every lease, oldest first; and each order that hits leases and is not drained, or was within the last hour."""

    leases: list[LeaseShown]
    orders: list[Draining]


class Leaving(TypedDict):
    """Items, each counted once: by the person, and by others who involve them; null: not known of every release."""

    own: int | None
    others: int | None


Move = TypedDict("Move", {"from": str, "to": str, "items": int})


class Plan(TypedDict):
    """What a release would hold, by the census alone: it does not know dates, and counts items by their owner."""

    counts: Counts
    undecided: int
    involving_several: int


class Ready(TypedDict):
    """The ledger can be read, and written to as far as can be told without writing.

    The accounts can be read, the folder of the deployment is there and can be written to, and what the first pages need
    is worked out. `warnings` say what is wrong all the same: that the ledger has lost events, or that a key is gone
    from the disk.
    """

    status: Literal["ready"]
    position: int
    warnings: list[Warned]


class Reason(TypedDict):
    """Why. `reason_user` can be shown to the person, `reason_admin` cannot: it names the rule or the order."""

    id: str
    reason_admin: InWords
    reason_user: InWords


class ReasonCount(TypedDict):
    """Items denied for a reason, or that have a gap, in each of two releases."""

    before: int
    after: int


class ReceiptText(TypedDict):
    """What a receipt says, as lines for the person. It is made of the receipt alone, and not signed itself."""

    position: int
    text: str


class Recorded(TypedDict):
    """They are in the ledger, durably, at these positions, in the order of the request."""

    positions: list[int]
    without_notice: list[int]


class Release(TypedDict):
    """A sealed release. `manifest` and `policy` are digests of documents.

    `barred`: null if no order keeps it from being read.
    """

    release: str
    manifest: str
    policy: str
    purpose: Purpose
    corpus: str
    position: int
    withdrawn: Withdrawn | None
    barred: Barred | None


class Said(TypedDict):
    """Something was recorded."""

    position: int


class Side(TypedDict):
    """One of two releases."""

    release: str
    position: int
    decided_at: int
    policy: str
    items: int
    eligible: int
    withdrawn: dict[str, Any] | None


class Split(TypedDict):
    """Items that are in, and items that are not."""

    eligible: int
    denied: int


class SplitCount(TypedDict):
    """Eligible and denied items of a place, category or licence, in each of two releases."""

    before: Split
    after: Split


class Undoes(TypedDict):
    """What a no would undo, in items. Nothing was recorded.

    With the reach `future`, what is `undated` or `due_undated`; with `untrained`, what later releases would hold; with
    `everything`, what sealed releases hold as well.
    """

    next_release: int
    next_others: int
    undated: int
    due: int
    due_undated: int
    asked_for: int
    leaving: Leaving
    releases: dict[str, int | None]
    left: dict[str, int | None]
    models: dict[str, int | None]


class Version(TypedDict):
    """Which program answers."""

    name: Literal["consentry"]
    version: str
    python: str


class Warned(TypedDict):
    """Something that holds up no request, and that somebody has to see to. `code` is stable."""

    code: str
    title: str
    detail: str


class WhatCounts(TypedDict):
    """What counts of what a person said, oldest first: their choices, and refusals by other accounts of theirs."""

    choices: list[ChoiceInForce]
    erased: bool


class WholeRelease(TypedDict):
    """A release with its counts and amendments."""

    release: str
    manifest: str
    policy: str
    purpose: Purpose
    corpus: str
    position: int
    withdrawn: Withdrawn | None
    barred: Barred | None
    decided_at: int
    files: int
    counts: Counts
    amendments: list[Amendment]


class Withdrawn(TypedDict):
    """Why a release may no longer be read."""

    reason: str
    position: int
