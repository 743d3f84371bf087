"""Choices that people made on the platform, passed on by its server, and read back by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from consentry.accounts.access import Action
from consentry.bootstrap import Deployment
from consentry.control_plane.own_content import Aim
from consentry.errors import ChoiceError
from consentry.ledger.events import ChoiceMade, Pseudonym, Source, made_too_late
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.service.api.once import KEY, PLAIN, Once
from consentry.service.api.shape import Answer, Body, Ident, Line, Moment, Position, Word, problems
from consentry.service.bodies import SIZE, SMALL
from consentry.service.direct import DirectRoute, read, takes
from consentry.service.gate import Deployed, Needs
from consentry.service.together import Together
from consentry.service.verbs import Verbs

MOST_CHOICES = 5000


class _About(Body):
    person: Ident
    purpose: Purpose
    categories: frozenset[Category] = Field(default=frozenset(), description="Only these; all if empty.")
    corpus: Word | None = Field(default=None, description="What `items` belong to.")
    items: Annotated[frozenset[Ident], Field(max_length=1000)] = Field(
        default=frozenset(), description="Only these; all if empty."
    )


class Made(_About):
    """What a person said about a purpose and everything below it."""

    state: ChoiceState = Field(description="`unset` takes back what was said before.")
    reach: Reach = Field(default=Reach.UNTRAINED, description="What a refusal undoes.")
    at: Moment | None = Field(default=None, description="When it was said; now, if left out.")
    source: Source = Source.SETTINGS
    notice: Line | None = Field(default=None, description="The version of the notice that was shown.")


class Choices(Body):
    """What people said, in the order in which they said it."""

    choices: Annotated[list[Made], Field(min_length=1, max_length=MOST_CHOICES)]


class Recorded(Answer):
    """They are in the ledger, durably, at these positions, in the order of the request."""

    positions: list[Position]
    without_notice: list[Position] = Field(
        description="Those that take a no back without a notice. They count; the platform answers for what was shown."
    )


class Refusal(_About):
    """A no that somebody may say, to a purpose and everything below it."""


class Leaving(Answer):
    """Items, each counted once: by the person, and by others who involve them; null: not known of every release."""

    own: int | None
    others: int | None


class Undoes(Answer):
    """What a no would undo, in items. Nothing was recorded.

    With the reach `future`, what is `undated` or `due_undated`; with `untrained`, what later releases would hold; with
    `everything`, what sealed releases hold as well.
    """

    next_release: int = Field(description="May be used now, and would be left out of every release from then on.")
    next_others: int = Field(description="Of those, by others who involve them.")
    undated: int = Field(description="Of those, of unknown date: left out with the reach `future` as well.")
    due: int = Field(description="Of theirs: would be used once they were told and had time to say no.")
    due_undated: int = Field(description="Of those, of unknown date: left out with the reach `future` as well.")
    asked_for: int = Field(description="Of theirs: used only if they say yes.")
    leaving: Leaving = Field(description="Would leave sealed releases.")
    releases: Mapping[str, int | None] = Field(
        description="How many would leave which sealed release; null: not known."
    )
    left: Mapping[str, int | None] = Field(description="How many have left which before; null: not known.")
    models: Mapping[str, int | None] = Field(description="How many each model learned from; null: not known.")


DESCRIBED: tuple[type[Body] | type[Answer], ...] = (Choices,)
"""Models that the document has to have although no handler names them."""


class Whose(Body):
    """Of whom. An id is in no address: those are kept in histories and logs."""

    person: Ident


class ChoiceInForce(Answer):
    """A choice that counts now. `position` is where it was recorded, and what its receipt is asked for by."""

    purpose: Purpose
    category: Category | None = Field(description="Null: all of them.")
    one_item: bool = Field(description="It is about a single item only.")
    state: ChoiceState
    reach: Reach
    at: int
    position: Position


class WhatCounts(Answer):
    """What counts of what a person said, oldest first: their choices, and refusals by other accounts of theirs."""

    choices: list[ChoiceInForce]
    erased: bool = Field(description="They were erased: nothing may be kept of them, and nothing of theirs is used.")


class _Address(Once, DirectRoute):
    """Takes an idempotency key, and reads the request itself."""

    handled = frozenset({PLAIN})


ROUTER = APIRouter(prefix="/v1", tags=["choices"], route_class=_Address)
LOOKING = APIRouter(prefix="/v1", tags=["choices"])


@LOOKING.post("/choices/read", dependencies=[Depends(Needs(Action.CHOICE_READ))])
def what_counts(body: Whose, deployment: Deployed) -> WhatCounts:
    """Return what counts of what a person said. Nothing is recorded by it."""
    asker = deployment.control.own_settings.asker(deployment.person(body.person))
    found = [
        ChoiceInForce(
            purpose=each.choice.key.purpose,
            category=each.choice.key.category,
            one_item=each.choice.key.item is not None,
            state=each.choice.state,
            reach=each.choice.reach,
            at=each.choice.at,
            position=each.position,
        )
        for each in asker.said
    ]
    return WhatCounts(choices=found, erased=asker.erased)


@LOOKING.post(
    "/choices/preview",
    dependencies=[Depends(Needs(Action.CHOICE_READ))],
    responses=problems({404: "corpus-unknown", 422: "choice-items-without-corpus"}),
)
def preview(body: Refusal, deployment: Deployed) -> Undoes:
    """Say in numbers what a no would undo, before it is said. Nothing is recorded by it."""
    if body.corpus is not None:
        deployment.control.statements.require_corpus(body.corpus)
    aim = Aim(purpose=body.purpose, categories=body.categories, items=_items(deployment, body))
    effect = deployment.control.own_content.effect(deployment.person(body.person), aim)
    return Undoes.model_validate(effect.to_json())


@ROUTER.post(
    "/choices",
    status_code=201,
    response_model=Recorded,
    responses=problems(
        {
            404: "corpus-unknown",
            409: "idempotency-running",
            422: "choice-time-to-come choice-items-without-corpus choice-person-erased",
        }
    ),
    openapi_extra=takes(Choices),
    dependencies=[Depends(Needs(Action.CHOICE_RECORD)), KEY],
)
async def record(request: Request) -> Response:
    """Record what people said. All of it is checked first; when this is answered it is durable and counts."""
    deployment: Deployment = request.app.state.deployment
    verbs: Verbs = request.app.state.verbs
    if request.scope.get(SIZE, 0) <= SMALL:
        body = read(Choices, request)
        made = _all_made(deployment, body) if not any(map(_is_long, body.choices)) else None
    else:
        body, made = await verbs(read, Choices, request), None
    if made is None:
        positions = await verbs(_record_alone, deployment, body)
    else:
        together: Together = request.app.state.together
        positions = await together.record(made)
    return Response(_written(positions, body), status_code=201, media_type="application/json")


def _is_long(choice: Made) -> bool:
    """Say whether recording a choice takes more than an append: single items, or releases that are amended."""
    return bool(choice.items) or choice.corpus is not None or choice.reach is Reach.EVERYTHING


def _record_alone(deployment: Deployment, body: Choices) -> Sequence[int]:
    for corpus in sorted({each.corpus for each in body.choices if each.corpus is not None}):
        deployment.control.statements.require_corpus(corpus)
    made = _all_made(deployment, body)
    positions: list[int] = []
    deployment.control.statements.choose(made, batch=MOST_CHOICES, recorded=positions.extend)
    return positions


def _written(positions: Sequence[int], body: Choices) -> bytes:
    said = zip(positions, body.choices, strict=True)
    unread = [at for at, each in said if each.state is not ChoiceState.REFUSED and each.notice is None]
    return f'{{"positions":[{_joined(positions)}],"without_notice":[{_joined(unread)}]}}'.encode()


def _joined(positions: Sequence[int]) -> str:
    return ",".join(map(str, positions))


def _all_made(deployment: Deployment, body: Choices) -> list[ChoiceMade]:
    now = deployment.control.desk.parts.clock()
    made = [_made(deployment, each, now) for each in body.choices]
    for each in made:
        if each.choice.at > now:
            raise made_too_late(each.choice.at)
    return made


def _items(deployment: Deployment, each: _About) -> frozenset[Pseudonym]:
    if each.items and each.corpus is None:
        raise ChoiceError(
            "choice-items-without-corpus",
            "a choice names single items, but no corpus they belong to",
            help="say which, in `corpus`",
        )
    return frozenset(deployment.item(each.corpus or "", item) for item in each.items)


def _made(deployment: Deployment, each: Made, now: int) -> ChoiceMade:
    return ChoiceMade(
        person=deployment.person(each.person),
        choice=Choice(
            purpose=each.purpose,
            state=each.state,
            reach=each.reach,
            at=now if each.at is None else each.at,
            categories=each.categories,
            items=_items(deployment, each),
        ),
        source=each.source,
        notice=each.notice,
    )
