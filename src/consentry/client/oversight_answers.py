"""What a server answers about orders and cases, and to authorities, as types.

Made of its description by `tests/service/client_answers.py`: write nothing in here.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from consentry.client.answers import Category, Purpose
from consentry.client.model_answers import OrderEnd

CaseStanding = Literal[
    "concern-raised",
    "suspended",
    "under-review",
    "conditions-met",
    "approved",
    "notices-served",
    "waiting",
    "ready",
    "narrowed",
    "lifted",
    "withdrawn",
    "prohibited",
]
ConditionState = Literal["open", "overdue", "met"]
Origin = Literal["own-decision", "authority-request", "court-undertaking", "binding-order", "authority"]
ReportState = Literal["due", "overdue", "delivered"]
Says = Literal["concern", "suspend", "may-be-lifted"]
Visibility = Literal["unknown", "public", "members", "connections", "group", "private"]


class Agreement(TypedDict):
    """Who agreed to the very same, and whether it was done with that: it takes two different people."""

    by: list[str]
    done: bool
    orders: list[str]
    in_the_way: list[str]


class Case(TypedDict):
    """A case, and how far it is."""

    case: str
    title: str
    reference: str
    by: str | None
    position: int
    at: int
    standing: CaseStanding
    orders: list[str]


class CaseEvent(TypedDict):
    """Something that was said of a case. What `body` holds depends on `kind`."""

    position: int
    at: int
    kind: str
    body: dict[str, Any]


class Condition(TypedDict):
    """What has to be so before the case is lifted, and whether it is."""

    condition: str
    title: str
    owner: str
    due: int | None
    check: str | None
    met: bool
    found: str


class CorpusHit(TypedDict):
    """How much of a corpus an order would hit."""

    items: int
    of: int
    people: int


class Drafted(TypedDict):
    """A statement as it has to be signed, in Base64, and the orders that it names. Nothing was recorded."""

    statement: str
    digest: str
    orders: list[str]


class Drained(TypedDict):
    """When no job read what the order hits any more, and how jobs stopped. `took_ms` is null if that is unknown."""

    position: int
    took_ms: int | None
    stopped: int
    expired: int
    released: int
    failed: int


class Ended(TypedDict):
    """How an order ended."""

    how: OrderEnd
    position: int
    at: int


class FiledStatement(TypedDict):
    """What became of a statement: the orders that it issued or freed, and the digest under which it is kept."""

    case: str
    says: Says
    orders: list[str]
    document: str


class Obstacle(TypedDict):
    """One thing that stands in the way of lifting."""

    kind: str
    about: str
    text: str


class Order(TypedDict):
    """A suspension of a use. It holds from its position on, until it ends."""

    order: str
    case: str
    scope: ScopeAnswer
    origin: Origin
    reference: str
    by: str | None
    position: int
    at: int
    ended: Ended | None
    drained: Drained | None


class OwedReport(TypedDict):
    """A report that is owed on a case. What was delivered last: when, of what position, and the digest it has."""

    case: str
    report: str
    title: str
    state: ReportState
    due: int
    delivered: int | None
    position: int | None
    document: str | None


class RegisteredCondition(TypedDict):
    """A condition of a case. `check`: with its parameters; null: a document shows it. `evidence`: of that document."""

    case: str
    condition: str
    title: str
    state: ConditionState
    owner: str
    due: int | None
    check: str | None
    policy: str | None
    evidence: str | None
    found: str


class ScopeAnswer(TypedDict):
    """What an order is about; an empty part means all."""

    areas: list[str]
    purposes: list[Purpose]
    categories: list[Category]
    visibilities: list[Visibility]
    created_from: int | None
    created_before: int | None
    models: list[str]


class WhatIf(TypedDict):
    """What an order would hit. Nothing was recorded. `alike`: orders in force that suspend the very same."""

    scope: ScopeAnswer
    corpora: dict[str, CorpusHit]
    releases: dict[str, int]
    leases: list[str]
    jobs: list[str]
    models: list[str]
    no_longer_served: list[str]
    alike: list[str]


class WholeCase(TypedDict):
    """A case with its register."""

    case: str
    title: str
    reference: str
    by: str | None
    position: int
    at: int
    standing: CaseStanding
    orders: list[str]
    conditions: list[Condition]
    obstacles: list[Obstacle]
    notices: dict[str, int]
