"""What a no would do, in numbers, before it is said: of a whole use, of kinds of content, or of single items.

Nothing is recorded here. What was chosen is handed on to the form that records it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.bootstrap import Deployment
from consentry.control_plane.own_content import Aim
from consentry.digests import canonical_json
from consentry.errors import NotFoundError, StateError, UnavailableError
from consentry.ledger.events import Pseudonym
from consentry.policy.vocabulary import Category, Reach
from consentry.service.gate import Deployed, Needs
from consentry.service.pages import member_words as say
from consentry.service.pages.member_asked import Written, asked, block_of, person_of, reach_of, says_how_far
from consentry.service.pages.member_blocks import Block
from consentry.service.pages.member_document import check_document
from consentry.service.pages.member_unsaved import Keeping, mark_of, require_own
from consentry.service.site import page, wants_document

ROUTER = APIRouter()
Form = Annotated[str, Query(alias="format", max_length=10)]
Member = Annotated[Principal, Depends(Needs(Action.OWN_READ))]
Chooser = Annotated[Principal, Depends(Keeping(Action.OWN_READ))]


@ROUTER.get("/me/check")
def check(
    *, request: Request, deployment: Deployed, who: Member, purpose: str = "", category: str = "", form: Form = ""
) -> Response:
    """Show in numbers what a no to a use, or to one kind of content in it, would undo, for each reach."""
    use = block_of(deployment.control, who, purpose=purpose)
    if any(each.category == category for each in use.kinds):
        wanted = {"what": "kinds", f"kind-{category}": "no"}
        aim = Aim(purpose=use.purpose, categories=frozenset({Category(category)}))
    else:
        wanted, aim = {"answer": "no"}, Aim(purpose=use.purpose)
    return _shown(request, deployment, who, use=use, aim=aim, wanted={"purpose": purpose, **wanted}, form=form)


@ROUTER.post("/me/check")
def check_these(*, request: Request, deployment: Deployed, who: Chooser, wanted: Written, form: Form = "") -> Response:
    """Show in numbers what the answers of a form would undo. It is sent, but records nothing: it may be long."""
    require_own(deployment, person_of(who), wanted=wanted)
    use = block_of(deployment.control, who, purpose=wanted.get("purpose", ""))
    try:
        wants = asked(deployment.control, who, use=use, wanted=wanted)
    except (NotFoundError, UnavailableError):
        raise
    except StateError:
        # No answer: the page that it came from says so.
        return RedirectResponse("/me", 303)
    if not wants.offered:
        return RedirectResponse("/me", 303)
    noes = wants.noes
    categories = frozenset(each for choice in noes for each in choice.categories)
    items = frozenset(each for choice in noes for each in choice.items)
    aim = Aim(purpose=use.purpose, categories=categories, items=items) if noes else None
    if wanted.get("reach") not in say.REACHES:
        wanted = _without_standing(deployment, wanted, categories=categories, items=items)
    return _shown(request, deployment, who, use=use, aim=aim, wanted=wanted, form=form, less_far=wants.less_far)


def _without_standing(
    deployment: Deployment, wanted: Mapping[str, str], *, categories: Collection[Category], items: Collection[Pseudonym]
) -> dict[str, str]:
    """Return a form without each no that is not among those to be said: how far back is chosen for these alone."""
    new = {f"kind-{each}" for each in categories} | {"answer"}
    for name, id_ in wanted.items():
        field, _, number = name.partition("-")
        if field == "item" and deployment.item(wanted.get(f"corpus-{number}", ""), id_) in items:
            new.add(f"answer-{number}")
    return {name: value for name, value in wanted.items() if value != "no" or name in new}


def _shown(
    request: Request,
    deployment: Deployment,
    who: Principal,
    *,
    use: Block,
    aim: Aim | None,
    wanted: Mapping[str, str],
    form: str,
    less_far: bool = False,
) -> Response:
    """Show the numbers, and a form that holds all that was chosen but how far back it goes: that is chosen for all."""
    effect = None if aim is None else deployment.control.own_content.effect(person_of(who), aim)
    if wants_document(request, form):
        body = canonical_json(check_document(use, aim=aim, effect=effect))
        return Response(body, headers={"vary": "accept, cookie"}, media_type="application/json")
    return page(
        request,
        "member/check.html",
        headers={"vary": "accept, accept-language, cookie"},
        use=use,
        words=[] if aim is None else [say.KINDS[each] for each in Category if each in aim.categories],
        items_chosen=0 if aim is None else len(aim.items),
        effect=effect,
        reach=str(reach_of(wanted)),
        offered=list(Reach) if "what" in wanted else use.reaches,
        less_far=less_far,
        apart=any(map(says_how_far, wanted)),
        reaches=say.REACHES,
        wanted=[
            (name, value) for name, value in wanted.items() if name not in ("reach", "whose") and not says_how_far(name)
        ],
        only_no=aim is not None and "yes" not in wanted.values(),
        back="/me/items" if wanted.get("what") == "items" else "/me",
        mark_of_page=mark_of(deployment, person_of(who)),
    )
