"""Webhooks, for administrators: where events are sent, how far that is, what was sent last, and sending it once more.

Of an event only its kind, its number and its time are shown: who it is about is for others. A secret is shown once, on
the page that made it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.accounts.admission import Admission
from consentry.accounts.web_state import Endpoint
from consentry.accounts.webhooks import SENT, Webhooks
from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError, InputError, NotFoundError
from consentry.ledger.envelope import Event
from consentry.policy.choice import Seconds
from consentry.service.deliveries import message
from consentry.service.gate import Admitting, Control
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import REFUSED, SEE_OTHER, Staff, kept, told, twin
from consentry.service.site import page

ROUTER = APIRouter()
Managing = Annotated[Principal, Depends(Staff(Action.WEBHOOK_MANAGE))]
Text = Annotated[str, Form()]
SHOWN = 20
_SLICE, _MOST_READ = 1_000, 10_000
_DIGITS = 15
_WEBHOOKS = Listing(
    name="webhooks",
    columns=(
        Column("webhook", N_("Webhook")),
        Column("url", N_("Address")),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("behind", N_("Events to go"), kind="number"),
        Column("error", N_("Last error")),
        Column("kinds", N_("Kinds"), kind="list"),
        Column("made_by", N_("Made by"), chosen_from=True),
        Column("made_at", N_("Made"), kind="time"),
    ),
    sort="-made_at",
)
_DELIVERIES = Listing(
    name="deliveries",
    columns=(
        Column("event", N_("Event")),
        Column("kind", N_("Kind"), chosen_from=True),
        Column("state", N_("State"), kind="state", chosen_from=True),
        Column("at", N_("Happened"), kind="time"),
        Column("position", N_("Position"), kind="number"),
    ),
    sort="-position",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An event as it is sent: its position, kind and time."""

    position: int
    kind: str
    at: Seconds


@ROUTER.get("/console/webhooks")
def every(request: Request, admission: Admitting, *, control: Control, _: Managing) -> Response:
    """List all webhooks."""
    return _every(request, admission, control)


@ROUTER.post("/console/webhooks")
def add(
    *,
    request: Request,
    admission: Admitting,
    control: Control,
    who: Managing,
    url: Text = "",
    kinds: Annotated[list[str], Form()] = [],  # noqa: B006 - never changed
) -> Response:
    """Send events to an address from now on, and show once by which secret they are signed."""
    head = control.desk.parts.ledger.head()
    try:
        made = _hooks(admission, control).add(url.strip(), kinds=frozenset(kinds), by=who.handle, position=head)
    except ConsentryError as error:
        problem, given = told(error, field="url"), kept(url=url, kinds=kinds)
        return _every(request, admission, control, problem=problem, given=given)
    return _every(request, admission, control, made=made)


@ROUTER.get("/console/webhooks/{webhook}")
def one(request: Request, admission: Admitting, *, control: Control, webhook: str, _: Managing) -> Response:
    """Show how far one is, what was sent to it last and what comes next."""
    return _one(request, admission, control, webhook=webhook)


@ROUTER.get("/console/webhooks/{webhook}/deliveries")
def deliveries(request: Request, admission: Admitting, *, control: Control, webhook: str, _: Managing) -> Response:
    """List what was delivered to one, as far back as anybody looks, and what comes next."""
    hook = _hook(admission, control, webhook)
    told = [
        *((each, "delivered") for each in sent_before(control, hook, most=_MOST_READ)),
        *((each, "to go") for each in to_send(control, hook, most=_SLICE)),
    ]
    rows = [
        {"event": f"evt_{each.position}", "kind": each.kind, "state": state, "at": each.at, "position": each.position}
        for each, state in told
    ]
    return _DELIVERIES.answer(request, rows, template="console/deliveries.html", webhook=webhook)


@ROUTER.post("/console/webhooks/{webhook}/replay")
def replay(
    *, request: Request, admission: Admitting, control: Control, webhook: str, _: Managing, position: Text = ""
) -> Response:
    """Send everything from a position on once more, under the same ids."""
    good = position.isascii() and position.isdecimal() and len(position) <= _DIGITS
    if not good:
        error = InputError("form-number", "this is no number of an event", help="give one from 0 on")
        return _one(request, admission, control, webhook=webhook, problem=told(error, field="position"))
    _hooks(admission, control).replay(webhook, position=min(int(position), control.desk.parts.ledger.head()))
    return RedirectResponse(f"/console/webhooks/{quote(webhook, safe='')}?done=replay", SEE_OTHER)


@ROUTER.post("/console/webhooks/{webhook}/exchange")
def exchange(request: Request, admission: Admitting, *, control: Control, webhook: str, _: Managing) -> Response:
    """Sign what is sent to one with a new secret, and show that once."""
    made = _hooks(admission, control).exchange(webhook)
    return _one(request, admission, control, webhook=webhook, secret=made.secret)


@ROUTER.post("/console/webhooks/{webhook}/remove")
def remove(admission: Admitting, control: Control, *, webhook: str, _: Managing) -> Response:
    """Send nothing more to an endpoint."""
    _hooks(admission, control).remove(webhook)
    return RedirectResponse("/console/webhooks", SEE_OTHER)


def sent_before(control: ControlPlane, endpoint: Endpoint, *, most: int = SHOWN) -> list[Sent]:
    """Return the events that were delivered last, the newest first, of those recorded since it was registered.

    Further back than 10,000 events nobody looks.
    """
    found: list[Sent] = []
    stop, oldest = endpoint.position, max(0, endpoint.position - _MOST_READ)
    while stop > oldest and len(found) < most:
        start = max(oldest, stop - _SLICE)
        events = [each for each in control.desk.parts.ledger.read(start, stop) if each.recorded_at >= endpoint.made_at]
        found += [each for event in reversed(events) if (each := _wanted(event, endpoint)) is not None]
        stop = start
    return found[:most]


def to_send(control: ControlPlane, endpoint: Endpoint, *, most: int = SHOWN) -> list[Sent]:
    """Return the events that are sent next, the first of them first."""
    events = control.desk.parts.ledger.read(endpoint.position, endpoint.position + _SLICE)
    return [each for event in events if (each := _wanted(event, endpoint)) is not None][:most]


def _hook(admission: Admission, control: ControlPlane, webhook: str) -> Endpoint:
    found = next((each for each in _hooks(admission, control).all() if each.ident == webhook), None)
    if found is None:
        raise NotFoundError("webhook-unknown", f"no webhook `{webhook[:40]}`", help="see /console/webhooks")
    return found


def _document(hook: Endpoint, shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return a webhook as a document. Its secret is in none."""
    names = ("url", "failures", "error", "retry_at", "made_by", "made_at")
    events = {name: [asdict(each) for each in shown[name]] for name in ("sent", "waiting")}
    return {
        "webhook": hook.ident,
        "kinds": sorted(hook.kinds),
        **{name: getattr(hook, name) for name in names},
        **shown,
        **events,
    }


def _wanted(event: Event, endpoint: Endpoint) -> Sent | None:
    sent = message(event)
    if sent is None or (endpoint.kinds and sent["type"] not in endpoint.kinds):
        return None
    return Sent(position=event.position, kind=sent["type"], at=event.recorded_at)


def _hooks(admission: Admission, control: ControlPlane) -> Webhooks:
    return Webhooks(admission.web, clock=control.desk.parts.clock)


def _every(
    request: Request,
    admission: Admission,
    control: ControlPlane,
    *,
    problem: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
    made: Endpoint | None = None,
) -> Response:
    head = control.desk.parts.ledger.head()
    rows = [
        {
            "webhook": each.ident,
            "url": each.url,
            "kinds": sorted(each.kinds) or [N_("all")],
            "state": str(each.state(head)),
            "behind": max(0, head - each.position),
            "error": each.error,
            "made_by": each.made_by,
            "made_at": each.made_at,
        }
        for each in _hooks(admission, control).all()
    ]
    answer = _WEBHOOKS.answer(
        request,
        rows,
        template="console/webhooks.html",
        problem=problem,
        given=given or kept(url="", kinds=[]),
        made=made,
        kinds=[(each, each) for each in sorted(SENT)],
    )
    answer.status_code = 200 if problem is None else REFUSED
    return answer


def _one(
    request: Request,
    admission: Admission,
    control: ControlPlane,
    *,
    webhook: str,
    problem: Mapping[str, Any] | None = None,
    secret: str = "",
) -> Response:
    found = _hook(admission, control, webhook)
    head = control.desk.parts.ledger.head()
    shown: dict[str, Any] = {
        "state": str(found.state(head)),
        "behind": max(0, head - found.position),
        "sent": sent_before(control, found),
        "waiting": to_send(control, found),
    }
    return twin(request, lambda: _document(found, shown)) or page(
        request,
        "console/webhook.html",
        status=200 if problem is None else REFUSED,
        problem=problem,
        hook=found,
        secret=secret,
        **shown,
        done=request.query_params.get("done", "") if problem is None else "",
    )
