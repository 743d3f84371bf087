"""A member's own items, one by one: whether each is used, an answer for it alone, and what a no to it would undo."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.accounts.admission import Admission
from consentry.bootstrap import Deployment
from consentry.control_plane.own_content import Aim, Effect
from consentry.control_plane.own_list import PAGE_ITEMS, OneItem, Which
from consentry.control_plane.plane import ControlPlane
from consentry.policy.evaluator import ReasonKind
from consentry.policy.vocabulary import Category, Purpose, Reach
from consentry.release.own_items import Lack, OwnItem
from consentry.service.gate import Admitting, Deployed, Needs
from consentry.service.languages import language_of
from consentry.service.listing import Column, Listing
from consentry.service.pages import member_words as say
from consentry.service.pages.member_asked import block_of, person_of
from consentry.service.pages.member_blocks import Block, blocks
from consentry.service.pages.member_lists import FORMS, refused_items, taken_away
from consentry.service.pages.member_saved import just_saved, meanwhile
from consentry.service.pages.member_shown import of_items, written
from consentry.service.pages.member_unsaved import found as found_unsaved
from consentry.service.pages.member_unsaved import in_our_words, mark_of, merged, still_meant
from consentry.service.site import form_of, page

ROUTER = APIRouter()
Member = Annotated[Principal, Depends(Needs(Action.OWN_READ))]
Form = Annotated[str, Query(alias="format", max_length=10)]
AFFORDABLE = 100
"""How many looks into sealed releases are taken for the numbers beside the answers: the page has to come at once. Where
it takes more of them, the numbers are a click away (`/me/check`)."""
_ITEMS_A_LOOK = 1000
_DECIDED_A_LOOK = 100
"""Items by others are decided only for these numbers."""

_NARROWED: Mapping[str, Collection[str]] = {
    "category": set(map(str, Category)),
    "which": say.WHICH_ITEMS,
    "sort": say.ITEM_ORDERS,
}
"""What an address can ask for of the list, and in which words."""
_ITEMS = Listing(
    name="items",
    columns=(
        Column("corpus", "Corpus"),
        Column("id", "Item"),
        Column("category", "Kind"),
        Column("created", "Created", kind="time"),
        Column("used", "Used"),
        Column("reason", "Reason"),
        Column("begins", "Used from", kind="time"),
        Column("how_far", "Reach"),
    ),
)


@ROUTER.get("/me/items")
def items(
    *,
    request: Request,
    deployment: Deployed,
    admission: Admitting,
    who: Member,
    purpose: str = "",
    category: str = "",
    number: str = "1",
    sort: str = "",
    which: str = "",
    saved: Annotated[list[str], Query(max_length=10)] = [],  # noqa: B006 - never changed
    changed: Annotated[list[str], Query(max_length=2 * PAGE_ITEMS)] = [],  # noqa: B006 - never changed
    form: Form = "",
) -> Response:
    """List the member's own items, each with whether it is used and an answer for it alone."""
    control, person = deployment.control, person_of(who)
    where = {"category": category, "number": number, "sort": sort, "which": which}
    uses = blocks(control, person, from_notice=who.facts.get("notice", ""), language=language_of(request).code)
    use = next((each for each in uses if each.purpose == purpose), uses[0] if uses else None)
    if use is None:
        nothing: dict[str, Any] = dict.fromkeys(("use", "list", "address", "problem"), None) | {"given": {}}
        return page(request, "member/items.html", uses=(), rows=(), done=(), changed=(), **nothing)
    if (form := form_of(request, form)) in FORMS:
        every = control.own_content.every_item(person, purpose=use.purpose, which=_which(where))
        refused = refused_items(control, person, purpose=use.purpose)
        return taken_away(_ITEMS, (_plain_item(each, reach=refused.get(each.key)) for each in every), form=form)
    given = _unsaved(request, admission, person=person, purpose=use.purpose)
    done = just_saved(control, person, positions=saved)
    return _shown(
        request,
        deployment,
        person,
        use=use,
        uses=uses,
        where=where,
        given=given,
        done=done,
        changed=changed,
        waits=True,
    )


def shown_again(
    *,
    request: Request,
    deployment: Deployment,
    who: Principal,
    use: Block,
    given: Mapping[str, str],
    problem: Mapping[str, Any],
    done: Sequence[Mapping[str, Any]],
    changed: Sequence[str],
) -> Response:
    """Show the list that a form came from: what is still `given` in it, why it was not saved, what had `changed`."""
    again = in_our_words(deployment, given)
    answers = {name: value for name, value in again.items() if name not in changed}
    now = block_of(deployment.control, who, purpose=use.purpose, language=language_of(request).code)
    return _shown(
        request,
        deployment,
        person_of(who),
        use=now,
        uses=[now],
        where=given,
        given=answers,
        done=done,
        problem=problem,
        changed=changed,
    )


def _shown(
    request: Request,
    deployment: Deployment,
    person: str,
    *,
    use: Block,
    uses: Sequence[Block],
    where: Mapping[str, str],
    given: Mapping[str, str],
    done: Sequence[Mapping[str, Any]],
    problem: Mapping[str, Any] | None = None,
    changed: Sequence[str] = (),
    waits: bool = False,
) -> Response:
    """Show the part of the list at `where`: a kind and the number of the page.

    `given` is what was chosen in it; it `waits` if that could not be saved before.
    """
    chosen, number = _which(where), where.get("number", "1")
    wanted = int(number) if number.isdecimal() and len(number) < 9 else 1
    found = deployment.control.own_content.items(person, purpose=use.purpose, which=chosen, number=wanted)
    asked = {name: word for name, known in _NARROWED.items() if (word := where.get(name, "")) in known}
    refused = refused_items(deployment.control, person, purpose=use.purpose)
    stand = of_items(use, {each.key: each.item for each in found.items}, refused=refused)
    if waits and given:
        meant, stale = still_meant([given], {use.purpose: stand})
        given = meant[0] if meant else {}
        changed = [*changed, *(name.partition("/")[2] for name in stale)]
    ids = {f"answer-{each.key}": each.id or each.corpus for each in found.items}
    return page(
        request,
        "member/items.html",
        status=200 if problem is None else problem["status"],
        problem=problem,
        use=use,
        uses=uses,
        list=found,
        rows=_rows(deployment, person, use=use, shown=found.items, given=given),
        shown=written({f"answer-{each.key}": stand[f"answer-{each.key}"] for each in found.items}),
        changed=meanwhile(use, stand, names=changed, ids=ids),
        given=given,
        reaches=say.REACHES,
        mark_of_page=mark_of(deployment, person),
        kinds=[(each, say.KINDS[each], count) for each, count in found.categories.items()],
        asked=asked,
        whiches=say.WHICH_ITEMS,
        orders=say.ITEM_ORDERS,
        address=partial(_address, purpose=use.purpose, **asked),
        done=done,
    )


def _which(where: Mapping[str, str]) -> Which:
    """Return which items an address or a form asks for; words that mean nothing ask for nothing."""
    return Which(
        category=next((each for each in Category if each == where.get("category")), None),
        used={"used": True, "left-out": False}.get(where.get("which", "")),
        oldest_first=where.get("sort") == "oldest",
    )


def _address(**asked: object) -> str:
    return "?" + urlencode({name: value for name, value in asked.items() if value})


def _rows(
    deployment: Deployment, person: str, *, use: Block, shown: Sequence[OneItem], given: Mapping[str, str]
) -> list[dict[str, Any]]:
    known = _Known(
        use=use,
        refused=refused_items(deployment.control, person, purpose=use.purpose),
        effects=_effects_of_items(deployment.control, person, use=use, shown=shown),
        given=given,
        template=deployment.settings.item_url,
    )
    return [_row(each, known) for each in shown]


def _plain_item(each: OneItem, *, reach: Reach | None) -> dict[str, Any]:
    item = each.item
    return {
        "corpus": each.corpus,
        "id": each.id,
        "category": str(item.category),
        "created": item.created,
        "used": item.used,
        "reason": _reason(item),
        "begins": item.begins if item.is_due else None,
        "how_far": reach,
    }


def _reason(item: OwnItem) -> str | None:
    """Return why an item is not used, in a word; None if it is."""
    if item.used:
        return None
    if item.decision.allowed or (item.lacks is not None and item.others):
        return "others"
    return str(item.decision.primary.kind if item.lacks is None else item.lacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of items beside themselves: which are refused, what a no would undo, and what waits to be saved."""

    use: Block
    refused: Mapping[str, Reach]
    effects: Mapping[str, Effect]
    given: Mapping[str, str]
    template: str

    def answer(self, each: OneItem) -> str:
        # A no stands whether or not the item is used all the same: a row that nobody touches must not take it back.
        stands = "no" if each.key in self.refused else "" if each.item.lacks is Lack.YES else "yes"
        return self.given.get(f"answer-{each.key}") or stands


def _row(each: OneItem, known: _Known) -> dict[str, Any]:
    item, template = each.item, known.template
    primary = item.decision.primary
    said = primary.kind is ReasonKind.REFUSED and each.key in known.refused
    return {
        "id": each.id,
        "corpus": each.corpus,
        "link": template.replace("{item}", quote(each.id, safe="")) if template and each.id else "",
        "kind": say.KINDS[item.category],
        "created": item.created,
        "used": item.used,
        "why": say.told_of(item, orders=known.use.orders),
        "refused": said,
        "reach": known.refused.get(each.key),
        "key": each.key,
        "answer": known.answer(each),
        "waiting_reach": known.given.get(f"reach-answer-{each.key}", ""),
        "asks": item.is_asked_for,
        "effect": known.effects.get(each.key),
        "can_choose": known.use.can_choose and each.id is not None and (_matters(item) or said),
    }


def _matters(item: OwnItem) -> bool:
    """Say whether an answer about an item changes anything, now or once they were told."""
    return item.used or item.is_due or item.is_asked_for


def looks(control: ControlPlane, use: Block) -> int:
    """Say what the numbers of a use cost: a look into each release, and more for somebody who is in thousands of items.

    It is counted and not timed, so that a page shows the same however busy the machine is.
    """
    releases = len(control.own_content.concerned(use.purpose))
    return releases * (1 + (use.items + use.beside) // _ITEMS_A_LOOK) + use.beside // _DECIDED_A_LOOK


def _effects_of_items(control: ControlPlane, person: str, *, use: Block, shown: Sequence[OneItem]) -> dict[str, Effect]:
    """Return in numbers what a no to each item would undo; nothing where that takes too many looks into releases."""
    if not use.can_choose or looks(control, use) > AFFORDABLE:
        return {}
    # Of an item the key is all that is known here, and all that is looked at.
    aims = {each.key: Aim(purpose=use.purpose, items=frozenset({each.key})) for each in shown if _matters(each.item)}
    return control.own_content.effects(person, aims)


def _unsaved(request: Request, admission: Admission, *, person: str, purpose: Purpose) -> Mapping[str, str]:
    """Return what was chosen here about single items for a use, and could not be saved."""
    waiting = found_unsaved(request, admission, person=person)
    return merged([each for each in waiting if (each.get("what"), each.get("purpose")) == ("items", purpose)])
