"""Decisions about new content, through the OpenID AuthZEN Authorization API 1.0.

May something that this person makes now be used for this purpose? The subject is the person, the action the purpose,
the resource a kind of content. What is not said is unknown, and unknown means no.

These two addresses are asked before every use, so they answer on the event loop, without the framework in between.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ConfigDict, Field, JsonValue

from consentry.accounts.access import Action
from consentry.errors import ConsentryError, StateError
from consentry.policy.evaluator import Decision
from consentry.policy.vocabulary import Category, Purpose, Visibility
from consentry.release.explain import worded
from consentry.service.api.shape import Answer, Body, Ident, Problem, Word, problems
from consentry.service.direct import DirectRoute, read, takes
from consentry.service.gate import Needs
from consentry.service.own_address import address_of
from consentry.service.problems import status_of
from consentry.service.snapshots import Held, Snapshots
from consentry.stages import stage

MOST_EVALUATIONS = 1000
Properties = dict[str, JsonValue]
"""What the caller adds. Nobody looks at it."""


class Subject(Body):
    """Whom it is about."""

    type: Literal["person"]
    id: Ident
    properties: Properties = Field(default_factory=dict, description="Not looked at.")


class PurposeProperties(Body):
    """Which policy set decides. Where none is named it is the one that decides for everybody else: published last."""

    policy: Word | None = None


class Purposes(Body):
    """What it is for."""

    name: Purpose
    properties: PurposeProperties = PurposeProperties()


class Kind(Body):
    """What kind of content it is. What is left out is unknown, and about the unknown nothing is permitted."""

    category: Category = Category.UNKNOWN
    visibility: Visibility = Visibility.UNKNOWN


class Resource(Body):
    """Something new, made by the person now. Items that are there already are decided when a release is built."""

    type: Literal["content"]
    id: Ident = Field(description="Of your own choice; not looked at.")
    properties: Kind = Kind()


class Evaluation(Body):
    """May this person's new content be used?"""

    subject: Subject
    action: Purposes
    resource: Resource
    context: Properties = Field(default_factory=dict, description="Not looked at.")


class Semantic(StrEnum):
    """How many of several are answered."""

    ALL = "execute_all"
    FIRST_DENY = "deny_on_first_deny"
    FIRST_PERMIT = "permit_on_first_permit"


class Options(Body):
    """How several are answered."""

    evaluations_semantic: Semantic = Semantic.ALL


class Item(Body):
    """One of several; what it leaves out is taken from the top."""

    subject: Subject | None = None
    action: Purposes | None = None
    resource: Resource | None = None
    context: Properties | None = None


_SOME: dict[str, JsonValue] = {"required": ["evaluations"], "properties": {"evaluations": {"minItems": 1}}}
_ONE: dict[str, JsonValue] = {
    "required": ["subject", "action", "resource"],
    "properties": {name: {"type": "object"} for name in ("subject", "action", "resource")},
}


class Evaluations(Body):
    """May each of these be used? Without `evaluations`, or with none in it, the top is the only one, and is whole."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_SOME, _ONE]})

    subject: Subject | None = None
    action: Purposes | None = None
    resource: Resource | None = None
    context: Properties | None = None
    evaluations: Annotated[tuple[Item, ...], Field(max_length=MOST_EVALUATIONS)] = ()
    options: Options = Options()


class InWords(Answer):
    """A reason in English."""

    en: str


class Reason(Answer):
    """Why. `reason_user` can be shown to the person, `reason_admin` cannot: it names the rule or the order."""

    id: str = Field(examples=["forbidden:no-minors"])
    reason_admin: InWords
    reason_user: InWords


class Error(Answer):
    """Why one of several could not be decided. Then it is denied."""

    status: int
    message: str
    code: str


class DecisionContext(Answer):
    """Why, by which policy set, and as of which position of the ledger."""

    reasons: tuple[Reason, ...] = ()
    policy: str | None = None
    version: str | None = None
    position: int | None = None
    error: Error | None = None


class Decided(Answer):
    """Yes or no. Only `true` permits."""

    decision: bool
    context: DecisionContext


class DecidedAll(Answer):
    """The decisions, in the order of the request."""

    evaluations: list[Decided]


class Configuration(Answer):
    """What this policy decision point offers (AuthZEN 1.0, section 9)."""

    policy_decision_point: str
    access_evaluation_endpoint: str
    access_evaluations_endpoint: str


ROUTER = APIRouter(route_class=DirectRoute, tags=["decisions"])
META = APIRouter(tags=["decisions"], dependencies=[Depends(Needs(Action.ANYONE))])
_ERRORS = problems({404: "policy-not-published", 422: "decision-policy serve-malformed"})


_REQUEST_ID: dict[str, Any] = {
    "parameters": [
        {
            "name": "X-Request-ID",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            # No decision is refused because of it.
            "description": "Comes back with the answer, if it has 1 to 200 printable ASCII characters.",
        }
    ]
}
DESCRIBED: tuple[type[Body] | type[Answer], ...] = (Evaluation, Evaluations, Problem)
"""Models that the document has to have although no handler names them."""


@ROUTER.post(
    "/access/v1/evaluation",
    response_model=Decided,
    responses=_ERRORS,
    openapi_extra=takes(Evaluation) | _REQUEST_ID,
    dependencies=[Depends(Needs(Action.DECISION_ASK))],
)
async def evaluation(request: Request) -> Response:
    """Decide about one use."""
    asked = read(Evaluation, request)
    content = await _decided(request, asked.subject, action=asked.action, resource=asked.resource)
    return Response(content, media_type="application/json")


@ROUTER.post(
    "/access/v1/evaluations",
    response_model=DecidedAll | Decided,
    responses=_ERRORS,
    openapi_extra=takes(Evaluations) | _REQUEST_ID,
    dependencies=[Depends(Needs(Action.DECISION_ASK))],
)
async def evaluations(request: Request) -> Response:
    """Decide about several uses. All of them are answered as of one position of the ledger."""
    asked = read(Evaluations, request)
    if not asked.evaluations:
        return await _the_only_one(request, asked)
    semantic = asked.options.evaluations_semantic
    known: dict[tuple[str | None, Purpose], Held | ConsentryError] = {}
    found: list[bytes] = []
    with stage("decision.evaluate", evaluations=len(asked.evaluations)):
        for each in asked.evaluations:
            content = await _one_of(request, asked, each=each, known=known)
            found.append(content)
            permitted = content.startswith(_YES)
            if (semantic is Semantic.FIRST_DENY and not permitted) or (semantic is Semantic.FIRST_PERMIT and permitted):
                break
    _count(request, found)
    return Response(b'{"evaluations":[' + b",".join(found) + b"]}", media_type="application/json")


async def _the_only_one(request: Request, asked: Evaluations) -> Response:
    given = {"subject": asked.subject, "action": asked.action, "resource": asked.resource}
    missing = [name for name, value in given.items() if value is None]
    if asked.subject is None or asked.action is None or asked.resource is None:
        raise RequestValidationError([{"loc": ("body", missing[0]), "msg": "Field required", "type": "missing"}])
    content = await _decided(request, asked.subject, action=asked.action, resource=asked.resource)
    return Response(content, media_type="application/json")


async def _decided(request: Request, subject: Subject, *, action: Purposes, resource: Resource) -> bytes:
    """Return the answer to the only one that is asked about."""
    held = await _held(request, action)
    with stage("decision.evaluate", evaluations=1):
        content = _answer(held, subject, action=action, resource=resource)
    _count(request, [content])
    return content


async def _one_of(
    request: Request, asked: Evaluations, *, each: Item, known: dict[tuple[str | None, Purpose], Held | ConsentryError]
) -> bytes:
    """Return the answer to one of several: what cannot be decided is denied, and says why."""
    subject, action, resource = (
        each.subject or asked.subject,
        each.action or asked.action,
        each.resource or asked.resource,
    )
    if subject is None or action is None or resource is None:
        return _failed(422, "serve-malformed", "subject, action or resource is missing")
    wanted = action.properties.policy, action.name
    held = known.get(wanted)
    if held is None:
        try:
            held = await _held(request, action)
        except ConsentryError as error:
            held = error
        known[wanted] = held
    if isinstance(held, ConsentryError):
        return _failed(status_of(held), held.code, held.message)
    return _answer(held, subject, action=action, resource=resource)


@META.get("/.well-known/authzen-configuration", responses=problems({409: "serve-no-address"}))
async def configuration(request: Request) -> Configuration:
    """Say where decisions are asked for."""
    base = address_of(request)
    if base is None:
        raise StateError(
            "serve-no-address",
            "this server does not know its own address",
            help="set `site_url` to the address by which people and programs reach it",
        )
    return Configuration(
        policy_decision_point=base,
        access_evaluation_endpoint=f"{base}/access/v1/evaluation",
        access_evaluations_endpoint=f"{base}/access/v1/evaluations",
    )


async def _held(request: Request, action: Purposes) -> Held:
    snapshots: Snapshots = request.app.state.snapshots
    with stage("decision.snapshot"):
        return await snapshots.current(action.properties.policy or "", action.name)


_YES = b'{"decision":true'


def _answer(held: Held, subject: Subject, *, action: Purposes, resource: Resource) -> bytes:
    kind = resource.properties
    found = held.snapshot.may(subject.id, purpose=action.name, category=kind.category, visibility=kind.visibility)
    written = held.written.get(found)
    if written is None:
        written = held.written[found] = _written(held, found)
    return written


def _written(held: Held, found: Decision) -> bytes:
    reasons = worded(found, held.policy, rules=held.rules)["reasons"]
    body = Decided(
        decision=found.allowed,
        context=DecisionContext(
            reasons=tuple(
                Reason(
                    id=each["reason"],
                    reason_admin=InWords(en=each["why"]),
                    reason_user=InWords(en=_for_the_person(each["reason"].partition(":")[0])),
                )
                for each in reasons
            ),
            policy=held.policy.name,
            version=held.policy.version,
            position=held.snapshot.position,
        ),
    )
    return body.model_dump_json().encode()


@cache
def _for_the_person(kind: str) -> str:
    return _TO_PEOPLE.get(kind, "Your content is not used for this.")


_TO_PEOPLE = {
    "refused": "You said no to this use.",
    "account-closed": "The account is closed.",
    "suspended": "This use is suspended where you live.",
    "gap": "We do not know enough to use your content for this.",
    "permitted": "Your content may be used for this. You can say no at any time.",
}


def _failed(status: int, code: str, message: str) -> bytes:
    error = Error(status=status, code=code, message=message)
    return Decided(decision=False, context=DecisionContext(error=error)).model_dump_json().encode()


def _count(request: Request, found: list[bytes]) -> None:
    permitted = sum(each.startswith(_YES) for each in found)
    request.app.state.figures.decided(permitted=permitted, denied=len(found) - permitted)
