"""What a member can look up: their items one by one, what they said and when, what used their content, receipts."""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.own_content import OneItem
from consentry.control_plane.plane import ControlPlane
from consentry.errors import NotFoundError
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade, PersonLinked
from consentry.policy.evaluator import ReasonKind
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.service.gate import Control, Deployed, Needs
from consentry.service.pages import member_words as say
from consentry.service.pages.member_blocks import Block, blocks
from consentry.service.site import page
from consentry.transparency.receipt import Receipt, key_id_of
from consentry.transparency.receipt_text import in_words

ROUTER = APIRouter()
Member = Annotated[Principal, Depends(Needs(Action.OWN_READ))]
_KEY_HEX_DIGITS = 16
N_ = str

STATES = {
    ChoiceState.REFUSED: N_("You said no"),
    ChoiceState.ALLOWED: N_("You said yes"),
    ChoiceState.UNSET: N_("You took back what you said before"),
}


@ROUTER.get("/me/items")
def items(
    *,
    request: Request,
    deployment: Deployed,
    who: Member,
    purpose: str = "",
    category: str = "",
    number: str = "1",
    saved: str = "",
) -> Response:
    """List the member's own items, newest first, each with whether it is used and a no for it alone."""
    control, person = deployment.control, _person(who)
    uses = blocks(control, person, from_notice=who.facts.get("notice", ""))
    use = next((each for each in uses if each.purpose == purpose), uses[0] if uses else None)
    if use is None:
        return page(request, "member/items.html", use=None, uses=(), list=None, rows=(), saved=None, address=None)
    chosen = next((each for each in Category if each == category), None)
    wanted = int(number) if number.isdecimal() and len(number) < 9 else 1
    found = control.own_content.items(person, purpose=use.purpose, category=chosen, number=wanted)
    refused = _refused_items(control, person, use.purpose)
    template = deployment.settings.item_url

    def address(**changed: object) -> str:
        asked = {"purpose": use.purpose, "category": chosen or "", **changed}
        return "?" + urlencode({name: value for name, value in asked.items() if value})

    return page(
        request,
        "member/items.html",
        use=use,
        uses=uses,
        list=found,
        rows=[_row(each, use, refused, template) for each in found.items],
        kinds=[(each, say.KINDS[each], count) for each, count in found.categories.items()],
        category=chosen,
        address=address,
        saved=_own_choice(control, person, saved),
    )


@ROUTER.get("/me/history")
def history(*, request: Request, control: Control, who: Member) -> Response:
    """List what the member said, the newest first, with receipts."""
    person = _person(who)
    events = reversed(control.own_settings.history(person))
    rows = [row for event in events if (row := _said(event, person)) is not None]
    return page(request, "member/history.html", rows=rows, look_ups=control.look_ups.looked_up(person))


@ROUTER.get("/me/uses")
def uses(*, request: Request, control: Control, who: Member) -> Response:
    """Say which releases and models used the member's content."""
    person = _person(who)
    return page(
        request,
        "member/uses.html",
        releases=[{**each, "purpose": say.PURPOSES[each["purpose"]]} for each in control.own_content.releases(person)],
        models=control.own_content.models(person),
        blocks=blocks(control, person),
    )


@ROUTER.get("/me/receipts/{position}")
def receipt(*, control: Control, who: Member, position: int, form: str = "json") -> Response:
    """Hand out the receipt for a choice of the member's own, as JSON or as text.

    Raises:
        NotFoundError: there is none at this position that is theirs.
    """
    if _own_choice(control, _person(who), str(position)) is None:
        raise NotFoundError("choice-no-receipt", "you have no receipt of this number", help="see /me/history")
    content = control.receipts.of(position)
    if form == "text":
        said = Receipt.from_json(json.loads(content)["receipt"])
        content, kind, ending = in_words(said, key_id=key_id_of(content)).encode(), "text/plain; charset=utf-8", "txt"
    else:
        kind, ending = "application/json", "json"
    name = f'attachment; filename="receipt-{position}.{ending}"'
    return Response(content, media_type=kind, headers={"content-disposition": name})


def _row(each: OneItem, use: Block, refused: dict[str, int], template: str) -> dict[str, Any]:
    item = each.item
    primary = item.decision.primary
    said = primary.kind is ReasonKind.REFUSED and each.key in refused
    return {
        "id": each.id,
        "corpus": each.corpus,
        "link": template.replace("{item}", quote(each.id, safe="")) if template and each.id else "",
        "kind": say.KINDS[item.category],
        "created": item.created,
        "used": item.used,
        "why": None if item.used else say.Told(say.OTHERS) if item.decision.allowed else say.told(primary),
        "refused": said,
        "can_choose": use.can_choose and each.id is not None and (item.used or said),
    }


def _refused_items(control: ControlPlane, person: str, purpose: Purpose) -> dict[str, int]:
    """Return the items that the person themselves said no to one by one, by what is kept of their ids."""
    said = control.own_settings.asker(person).own
    return {
        each.choice.key.item[:_KEY_HEX_DIGITS]: each.position
        for each in said
        if each.choice.key.item is not None
        and each.choice.key.purpose is purpose
        and each.choice.state is ChoiceState.REFUSED
    }


def _own_choice(control: ControlPlane, person: str, position: str) -> dict[str, Any] | None:
    """Return a choice of this person by its position; None for what is not theirs."""
    found = (row for event in control.own_settings.history(person) if (row := _said(event, person)) is not None)
    return next((row for row in found if row["mine"] and str(row["position"]) == position), None)


def _said(event: Event, person: str) -> dict[str, Any] | None:
    body = event.body
    if isinstance(body, PersonLinked):
        return {"what": "linked", "at": event.recorded_at, "position": event.position, "mine": False}
    if not isinstance(body, ChoiceMade):
        return None
    choice = body.choice
    return {
        "what": "choice",
        "at": event.recorded_at,
        "position": event.position,
        "mine": body.person == person,
        "state": STATES[choice.state],
        "refused": choice.state is ChoiceState.REFUSED,
        "allowed": choice.state is ChoiceState.ALLOWED,
        "purpose": say.PURPOSES[choice.purpose],
        "kinds": [say.KINDS[each] for each in Category if each in choice.categories],
        "items": len(choice.items),
        "reach": say.REACHES[Reach(choice.reach)],
        "source": say.SOURCES[body.source],
        "notice": body.notice,
    }


def _person(who: Principal) -> str:
    assert who.person is not None  # the table gives these actions to members only
    return who.person
