"""Orders: what is suspended, what an order would hit, and suspending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.errors import InputError, NotFoundError
from consentry.ledger.oversight_events import OrderEnd, Origin
from consentry.oversight import order as orders
from consentry.service.api.once import KEY, Once
from consentry.service.api.shape import (
    After,
    Answer,
    Body,
    Called,
    Limit,
    Line,
    Position,
    ScopeAnswer,
    ScopeBody,
    Word,
    Yes,
    part,
    problems,
)
from consentry.service.gate import Control, NeedsAll

ROUTER = APIRouter(prefix="/v1", tags=["orders"], route_class=Once)
Reader = Annotated[Principal, Depends(NeedsAll(Action.ORDER_READ))]
Issuer = Annotated[Principal, Depends(NeedsAll(Action.ORDER_ISSUE))]


class Ended(Answer):
    """How an order ended."""

    how: OrderEnd
    position: Position
    at: int


class Drained(Answer):
    """When no job read what the order hits any more, and how jobs stopped. `took_ms` is null if that is unknown."""

    position: Position
    took_ms: int | None
    stopped: int
    expired: int
    released: int
    failed: int


class Order(Answer):
    """A suspension of a use. It holds from its position on, until it ends."""

    order: str
    case: str
    scope: ScopeAnswer
    origin: Origin
    reference: str
    by: str | None
    position: Position
    at: int
    ended: Ended | None
    drained: Drained | None


class Orders(Answer):
    """Orders, oldest first."""

    orders: list[Order]
    next: str | None


class Asked(Body):
    """What would be suspended: a scope that says something, or `everywhere`."""

    scope: ScopeBody = Field(examples=[{"areas": ["UK"]}])
    everywhere: Yes = Field(default=False, description="Suspend everything, with an empty scope. It has to be said.")


class Suspension(Asked):
    """What is to be suspended: a scope that says something, or `everywhere`."""

    case: Word
    origin: Origin = Origin.OWN_DECISION
    reference: Line


class CorpusHit(Answer):
    """How much of a corpus an order would hit."""

    items: int
    of: int
    people: int


class WhatIf(Answer):
    """What an order would hit. Nothing was recorded. `alike`: orders in force that suspend the very same."""

    scope: ScopeAnswer
    corpora: Mapping[str, CorpusHit]
    releases: Mapping[str, int]
    leases: list[str]
    jobs: list[str]
    models: list[str]
    no_longer_served: list[str]
    alike: list[str]


@ROUTER.get("/orders", responses=problems({422: "list-cursor"}))
def every(*, _: Reader, control: Control, limit: Limit = 100, after: After = None) -> Orders:
    """Return the orders, oldest first."""
    found = part(control.orders.every(), lambda each: each.order, limit=limit, after=after)
    return Orders(orders=[described(each) for each in found.rows], next=found.next)


@ROUTER.get("/orders/{order}", responses=problems({404: "order-unknown"}))
def one(*, order: Called, _: Reader, control: Control) -> Order:
    """Return an order."""
    for each in control.orders.every():
        if each.order == order:
            return described(each)
    raise NotFoundError("order-unknown", f"no order `{order}`", help="GET /v1/orders lists them")


@ROUTER.post(
    "/orders/what-if",
    responses=problems({422: "order-scope policy-unknown-area order-window-empty order-unknown-model"}),
)
def what_if(*, body: Asked, _: Issuer, control: Control) -> WhatIf:
    """Say what an order would hit, without recording anything."""
    scope = _scope(body)
    return WhatIf.model_validate(control.orders.what_if(scope))


@ROUTER.post(
    "/orders",
    status_code=201,
    responses=problems(
        {
            409: "case-over idempotency-running",
            422: "order-scope order-unsigned policy-unknown-area order-window-empty order-unknown-model",
        }
    ),
    dependencies=[KEY],
)
def suspend(*, body: Suspension, who: Issuer, control: Control) -> Order:
    """Suspend a use from now on. Jobs that read what it hits are told within a second."""
    scope = _scope(body)
    made = control.orders.suspend(scope, case=body.case, origin=body.origin, reference=body.reference, by=who.handle)
    return described(made)


def _scope(body: Asked) -> orders.Scope:
    """Return what is asked about.

    Raises:
        InputError: it would be everything and nobody said so, or both were said.
    """
    scope = orders.Scope(**dict(body.scope))
    if (scope == orders.Scope()) != body.everywhere:
        raise InputError(
            "order-scope",
            "`everywhere` is everything, and a scope is less" if body.everywhere else "an empty scope is everything",
            help="name `areas`, `purposes`, `models` or another part of it, or say `everywhere` and leave it empty",
        )
    return scope


def described(order: orders.Order) -> Order:
    """Return an order as it is answered."""
    drained = order.drained
    return Order(
        order=order.order,
        case=order.case,
        scope=ScopeAnswer.model_validate(order.scope.to_json()),
        origin=order.origin,
        reference=order.reference,
        by=order.by,
        position=order.position,
        at=order.at,
        ended=None if order.ended is None else Ended.model_validate(order.ended),
        drained=None if drained is None else Drained.model_validate(drained),
    )
