"""What a member can look up: their items one by one, what they said and when, what used their content, receipts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.own_content import shown_key
from consentry.control_plane.plane import ControlPlane
from consentry.digests import canonical_json
from consentry.errors import NotFoundError, StateError
from consentry.ledger.envelope import Event
from consentry.ledger.events import ChoiceMade, PersonLinked
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.service.gate import Control, Needs
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing, Row
from consentry.service.pages import member_words as say
from consentry.service.pages.member_blocks import blocks
from consentry.service.pages.member_saved import was_read
from consentry.service.pages.receipt_words import handed_out
from consentry.service.site import form_of, page

ROUTER = APIRouter()
Member = Annotated[Principal, Depends(Needs(Action.OWN_READ))]
Form = Annotated[str, Query(alias="format", max_length=10)]
FORMS = frozenset({"csv", "json"})

_HISTORY = Listing(
    name="choices",
    columns=(
        Column("at", "At", kind="time"),
        Column("position", "Position", kind="number"),
        Column("what", "What"),
        Column("answer", "Answer", chosen_from=True),
        Column("use", "Use", chosen_from=True),
        Column("categories", "Kinds", kind="list"),
        Column("items", "Items", kind="number"),
        Column("how_far", "Reach"),
        Column("said_with", "Source"),
        Column("notice", "Notice"),
        Column("mine", "With this account"),
    ),
    sort="-position",
)
_USES = Listing(
    name="releases",
    columns=(
        Column("release", "Release"),
        Column("purpose", "Use", chosen_from=True),
        Column("at", "Made", kind="time"),
        Column("items", "Items", kind="number"),
        Column("sealed_with", "In it", kind="number"),
        Column("removed", "Left since", kind="number"),
        Column("withdrawn", "Withdrawn"),
        Column("barred", "Barred"),
        Column("position", "Position", kind="number"),
    ),
    sort="-position",
)
_LOOK_UPS = Listing(
    name="look_ups",
    columns=(
        Column("at", "At", kind="time"),
        Column("by", "By"),
        Column("reason", "Reason"),
        Column("position", "Position", kind="number"),
    ),
    sort="-position",
)
"""What a member takes away as a file: plain values, in the words of the interface for programs."""
_LOOK_UPS_SHOWN = 5

_ANSWERS = (
    (ChoiceState.REFUSED, N_("No")),
    (ChoiceState.ALLOWED, N_("Yes")),
    (ChoiceState.UNSET, N_("Taken back")),
)


@ROUTER.get("/me/history")
def history(*, request: Request, control: Control, who: Member, form: Form = "") -> Response:
    """List what the member said, the newest first, with receipts."""
    person = _person(who)
    rows = [row for event in control.own_settings.history(person) if (row := _said(event, person)) is not None]
    found, shown = _HISTORY.select(rows, dict(request.query_params))
    if (form := form_of(request, form)) in FORMS:
        return taken_away(_HISTORY, found, form=form)
    look_ups = control.look_ups.looked_up(person)
    return page(
        request,
        "member/history.html",
        shown=shown,
        read_of=lambda row: was_read(control, row["notice"], position=row["position"]),
        answers=[(str(each), word) for each, word in _ANSWERS if str(each) in shown.options["answer"]],
        uses=[(str(each), say.PURPOSES[each]) for each in Purpose if str(each) in shown.options["use"]],
        missing=control.own_settings.missing(person),
        erased=control.own_settings.asker(person).erased,
        look_ups=look_ups[:_LOOK_UPS_SHOWN],
        more_look_ups=len(look_ups) > _LOOK_UPS_SHOWN,
    )


@ROUTER.get("/me/look-ups")
def look_ups(*, request: Request, control: Control, who: Member, form: Form = "") -> Response:
    """List who at the platform looked at what is known of the member, and for what reason."""
    found, shown = _LOOK_UPS.select(control.look_ups.looked_up(_person(who)), dict(request.query_params))
    if (form := form_of(request, form)) in FORMS:
        return taken_away(_LOOK_UPS, found, form=form)
    return page(request, "member/look_ups.html", shown=shown, look_ups=shown.rows)


@ROUTER.get("/me/uses")
def uses(*, request: Request, control: Control, who: Member, form: Form = "") -> Response:
    """Say which releases and models used the member's content."""
    person = _person(who)
    found, shown = _USES.select(control.own_content.releases(person), dict(request.query_params))
    if (form := form_of(request, form)) == "csv":
        return taken_away(_USES, found, form=form)
    if form == "json":
        plain = [{column.name: each[column.name] for column in _USES.columns} for each in found]
        content = canonical_json({"releases": plain, "models": _models(control, person)})
        return Response(content, media_type="application/json")
    return page(
        request,
        "member/uses.html",
        shown=shown,
        erased=control.own_settings.asker(person).erased,
        releases=[{**each, "purpose": say.PURPOSES[each["purpose"]]} for each in shown.rows],
        models=_models(control, person),
        stages=say.STAGES,
        remedies=say.REMEDIES,
        uses=[(str(each), say.PURPOSES[each]) for each in Purpose if str(each) in shown.options["purpose"]],
        blocks=blocks(control, person),
    )


def _models(control: ControlPlane, person: str) -> list[dict[str, Any]]:
    """Return the models that learned from somebody's items, with what became of each."""
    found = control.own_content.models(person)
    became = control.models.became({each["model"] for each in found})
    return [{**each, **became[each["model"]]} for each in found]


@ROUTER.get("/me/receipts/{position}")
def receipt(*, request: Request, control: Control, who: Member, position: int, form: str = "json") -> Response:
    """Hand out the receipt for a choice of the member's own, as JSON or as text.

    Raises:
        NotFoundError: there is none at this position that is theirs.
        StateError: what stood at this position is lost, whoever said it.
    """
    if position in control.desk.present().overseen.lost:
        raise StateError(
            "choice-lost",
            f"what was said at position `{position}` is lost with the newest ledger",
            help="a receipt of it proves what was said: keep it, and say it again",
        )
    if _own_choice(control, _person(who), str(position)) is None:
        raise NotFoundError("choice-no-receipt", "you have no receipt of this number", help="see /me/history")
    return handed_out(request, control.receipts.of(position), form=form, name=f"receipt-{position}")


def taken_away(listing: Listing, rows: Iterable[Row], *, form: str) -> Response:
    """Return a list as a file in one of `FORMS`."""
    exported = listing.export(rows, form)
    assert exported is not None
    return exported


def refused_items(control: ControlPlane, person: str, *, purpose: Purpose) -> dict[str, Reach]:
    """Return the items that a person said no to one by one, by their keys as shown, and how far back each no goes."""
    said = control.own_settings.asker(person).own
    return {
        shown_key(each.choice.key.item): each.choice.reach
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
        "answer": str(choice.state),
        "use": str(choice.purpose),
        "categories": sorted(map(str, choice.categories)),
        "how_far": str(choice.reach) if choice.state is ChoiceState.REFUSED else None,
        "said_with": str(body.source),
        "at": event.recorded_at,
        "position": event.position,
        "mine": body.person == person,
        "state": say.STATES[choice.state],
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
