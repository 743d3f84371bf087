"""Webhooks: where events are sent to, how far deliveries are, and sending them once more."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import Field

from consentry.accounts import web_state
from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.accounts.webhooks import Webhooks
from consentry.service.api.once import Keyed, Once
from consentry.service.api.shape import Answer, Body, Called, Position, Whole, problems
from consentry.service.gate import Admitting, Control, Needs
from consentry.service.request_words import form

ROUTER = APIRouter(prefix="/v1", tags=["webhooks"], route_class=Once)
Manager = Annotated[Principal, Depends(Needs(Action.WEBHOOK_MANAGE))]
Kind = Annotated[
    str,
    Field(
        pattern=form(r"^[a-z]+\.[a-z-]+$", "must be a kind of event, such as order.issued"),
        max_length=100,
        examples=["order.issued"],
    ),
]


class Wanted(Body):
    """Where events are to be sent. Without `kinds`: all of them."""

    url: Annotated[
        str,
        Field(
            pattern=form(r"^https?://[!-~]+$", "must be an address that begins with https:// or http://"),
            max_length=2000,
        ),
    ]
    kinds: frozenset[Kind] = frozenset()


class Again(Body):
    """From where on events are sent once more."""

    position: Whole


class Webhook(Answer):
    """An endpoint. Events before `position` were delivered; `error` is why the last try failed."""

    webhook: str
    url: str
    kinds: list[str]
    made_by: str
    made_at: int
    position: Position
    failures: int
    error: str


class NewWebhook(Webhook):
    """An endpoint with a new secret. Only this answer holds it: in that to a request that is sent again it is null."""

    secret: str | None


class AllWebhooks(Answer):
    """Endpoints, oldest first."""

    webhooks: list[Webhook]


@ROUTER.get("/webhooks", dependencies=[Depends(Needs(Action.WEBHOOK_MANAGE))])
def every(admission: Admitting, control: Control) -> AllWebhooks:
    """Return the endpoints."""
    found = Webhooks(admission.web, clock=control.desk.parts.clock).all()
    return AllWebhooks(webhooks=[Webhook(**_described(each)) for each in found])


@ROUTER.post(
    "/webhooks",
    status_code=201,
    dependencies=[Depends(Keyed(not_kept="secret"))],
    responses=problems({409: "idempotency-running", 422: "webhook-url webhook-kind"}),
)
def add(*, body: Wanted, who: Manager, admission: Admitting, control: Control) -> NewWebhook:
    """Send events to an address from now on."""
    hooks = Webhooks(admission.web, clock=control.desk.parts.clock)
    made = hooks.add(body.url, kinds=body.kinds, by=who.handle, position=control.desk.parts.ledger.head())
    return NewWebhook(**_described(made), secret=made.secret)


@ROUTER.delete(
    "/webhooks/{webhook}",
    status_code=204,
    dependencies=[Depends(Needs(Action.WEBHOOK_MANAGE))],
    responses=problems({404: "webhook-unknown"}),
)
def remove(*, webhook: Called, admission: Admitting, control: Control) -> None:
    """Send nothing more to an endpoint."""
    Webhooks(admission.web, clock=control.desk.parts.clock).remove(webhook)


@ROUTER.post(
    "/webhooks/{webhook}/secret",
    status_code=201,
    dependencies=[Depends(Needs(Action.WEBHOOK_MANAGE)), Depends(Keyed(not_kept="secret"))],
    responses=problems({404: "webhook-unknown", 409: "idempotency-running"}),
)
def exchange(*, webhook: Called, admission: Admitting, control: Control) -> NewWebhook:
    """Sign what is sent to an endpoint with a new secret from now on. Nothing that waits is lost."""
    made = Webhooks(admission.web, clock=control.desk.parts.clock).exchange(webhook)
    return NewWebhook(**_described(made), secret=made.secret)


@ROUTER.post(
    "/webhooks/{webhook}/replay",
    dependencies=[Depends(Needs(Action.WEBHOOK_MANAGE))],
    responses=problems({404: "webhook-unknown"}),
)
def replay(*, webhook: Called, body: Again, admission: Admitting, control: Control) -> Webhook:
    """Send everything from a position on once more, under the same ids."""
    hooks = Webhooks(admission.web, clock=control.desk.parts.clock)
    return Webhook(**_described(hooks.replay(webhook, position=min(body.position, control.desk.parts.ledger.head()))))


def _described(each: web_state.Endpoint) -> dict[str, Any]:
    return {
        "webhook": each.ident,
        "url": each.url,
        "kinds": sorted(each.kinds),
        "made_by": each.made_by,
        "made_at": each.made_at,
        "position": each.position,
        "failures": each.failures,
        "error": each.error,
    }
