"""What a server answers about models, as types.

Made of its description by `tests/service/client_answers.py`: write nothing in here.
"""

from __future__ import annotations

from typing import Literal, TypedDict

OrderEnd = Literal["lifted", "withdrawn", "narrowed"]
Remedy = Literal["retrain", "retrain-shard", "drop-adapter", "accept"]
Stage = Literal["clear", "affected", "remedy chosen", "remedied", "withdrawn", "destroyed"]


class Chosen(TypedDict):
    """A remedy that was chosen, and who approved it."""

    remedy: Remedy
    reason: str
    by: str
    position: int
    at: int
    approved: list[str]


class MayBeServed(TypedDict):
    """Whether a model may be served. The answer counts for `ttl_s` seconds."""

    model: str
    may: bool
    reasons: list[str]
    ttl_s: float


class Model(TypedDict):
    """A model and where it stands.

    `deadline`: when the next step has to be taken. `held`: nobody may serve it now, and `why`.
    """

    model: str
    base: str | None
    stage: Stage
    deadline: int | None
    late: bool
    remedy: Chosen | None
    inherited: list[str]
    held: bool
    why: list[str]


class TrainedBefore(TypedDict):
    """A suspension that ended, of a release that a model (or one it is built on) was trained on before it."""

    order: str
    scope: str
    ended: OrderEnd
    ended_at: int
    model: str
    release: str


class WholeModel(TypedDict):
    """A model with what it was trained on."""

    model: str
    base: str | None
    stage: Stage
    deadline: int | None
    late: bool
    remedy: Chosen | None
    inherited: list[str]
    held: bool
    why: list[str]
    ancestry: list[str]
    digest: str | None
    releases: list[str]
    withdrawn_since: WithdrawnSince
    trained_before: list[TrainedBefore]


class WithdrawnSince(TypedDict):
    """How much of what a model was trained on has been withdrawn.

    `items_of_unknown_people`: of these items nobody can tell whose they were, as their files are gone or changed.
    `items_not_known`: so many more at most, of releases whose files are gone or changed: what left them is not known.
    """

    items: int
    people: int
    items_of_unknown_people: int
    items_not_known: int
    releases: list[str]
