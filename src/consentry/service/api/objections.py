"""Objections: filed for somebody who wrote to the platform, the queue of all of them, and how staff answer.

Lists and answers to writes hold no word of anybody's: only ids, states and dates. What was written is in the answer to
a question about one objection, which is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AfterValidator, Field, JsonValue

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.errors import InputError
from consentry.ledger.objection_events import LawfulGround
from consentry.oversight.objection import OPEN, ObjectionState
from consentry.oversight.objection import Objection as Known
from consentry.oversight.objection_form import ANSWER_TO, FIND, REASON
from consentry.policy.vocabulary import Category, Purpose, Reach
from consentry.service.api.once import KEY, Keyed, Once
from consentry.service.api.shape import (
    NO_NUL,
    After,
    Answer,
    Body,
    Ident,
    Limit,
    Position,
    Text,
    Word,
    Yes,
    problems,
    utf8,
)
from consentry.service.gate import Control, Needs, NeedsAll
from consentry.service.request_words import form

ROUTER = APIRouter(prefix="/v1/objections", tags=["objections"], route_class=Once)
Reader = Annotated[Principal, Depends(NeedsAll(Action.OBJECTION_READ))]
Answerer = Annotated[Principal, Depends(NeedsAll(Action.OBJECTION_ANSWER))]
Filer = Annotated[Principal, Depends(Needs(Action.OBJECTION_FILE))]
ObjectionId = Annotated[str, Path(pattern=form(r"^[0-9a-f]{8,32}$", "must be 8 to 32 of 0-9 and a-f"))]
"""The id of an objection, or the beginning of it."""
MOST_ITEMS = 1000
_GONE = "objection-withdrawn objection-erased idempotency-running"


class Objection(Answer):
    """An objection, without a word of what was written."""

    objection: str
    purpose: Purpose
    state: ObjectionState
    position: Position
    received: int
    due: int
    overdue: bool
    by: str | None
    extended: int
    ground: LawfulGround | None
    people: int
    items: int
    messages: int
    changed: int
    erased: bool


class Objections(Answer):
    """Objections, oldest first."""

    objections: list[Objection]
    next: str | None


class ObjectionEvent(Answer):
    """Something that was said about it. What `words` holds depends on `what`."""

    position: Position
    at: int
    what: str
    words: dict[str, JsonValue]


class WholeObjection(Objection):
    """An objection with everything that was said, oldest first, and the ids of exact duplicates."""

    course: list[ObjectionEvent]
    alike: list[str]


class Filing(Body):
    """What somebody objects to, in their words."""

    find: Annotated[Text, Field(max_length=FIND.most, description="A link to the content, or a name to find it by.")]
    answer_to: Annotated[Text, Field(max_length=ANSWER_TO.most, description="An address of any kind for the answer.")]
    reason: Annotated[str, Field(max_length=REASON.most, pattern=NO_NUL), AfterValidator(utf8)] = ""
    purpose: Purpose = Field(default=Purpose.TRAIN_AI, description="The use they object to, and everything below it.")


class Filed(Answer):
    """It is durable. `link` is a secret of the objector's, shown once: `/object/follow/LINK` is their private page.

    It is null in the answer to a request that was sent again: it was shown, and is kept nowhere.
    """

    objection: str
    link: str | None
    position: Position
    received: int
    due: int


class Words(Body):
    """What is said."""

    text: Text


class Longer(Words):
    """Why it takes longer. The objector is told."""

    months: Literal[1, 2]


class Answered(Body):
    """An answer. With `alike` it is given to every objection that waits and says exactly the same, too."""

    alike: Yes = False


class Tried(Answered, Words):
    """What was tried."""


class PersonMeant(Answered):
    """Whose content is meant, by the id it has in the corpus.

    Where less than all of it is refused, `as_asked` says that the objector asked for no more, or a `ground`, with an
    explanation in `reply`, why the rest is not refused.
    """

    person: Ident
    categories: frozenset[Category] = frozenset()
    reach: Reach = Reach.EVERYTHING
    ground: LawfulGround | None = None
    as_asked: Yes = False
    reply: Annotated[str, Field(max_length=10_000, pattern=NO_NUL), AfterValidator(utf8)] = ""


class ItemsMeant(Answered):
    """Which items are meant, whoever owns them."""

    corpus: Word
    items: Annotated[frozenset[Ident], Field(min_length=1, max_length=MOST_ITEMS)]
    reply: Annotated[str, Field(max_length=10_000, pattern=NO_NUL), AfterValidator(utf8)] = ""


class Refused(Answered, Words):
    """On which lawful ground it is not followed, and why."""

    ground: LawfulGround


def _answers(conflict: str = "", missing: str = "", unprocessable: str = "objection-text") -> dict[int, str]:
    """Return what an answer to an objection can be refused with."""
    return {
        404: f"objection-unknown {missing}".strip(),
        409: f"{_GONE} {conflict}".strip(),
        422: f"objection-ambiguous {unprocessable}".strip(),
    }


@ROUTER.get("", responses=problems({422: "list-cursor objection-text"}))
def every(
    *,
    who: Reader,
    control: Control,
    state: Annotated[
        list[ObjectionState] | None, Query(description="All that wait for an answer, if left out.")
    ] = None,
    overdue: Annotated[bool, Query(description="Only those that should have been answered by now.")] = False,
    mine: Annotated[bool, Query(description="Only those that you look at, or answered.")] = False,
    limit: Limit = 100,
    after: After = None,
) -> Objections:
    """Return the queue, oldest first."""
    by = who.handle if mine else None
    found = control.objection_queue.select(state or OPEN, overdue=overdue, by=by)
    rows = sorted((each for each in found if each.position > _start(after)), key=lambda each: each.position)
    shown = rows[:limit]
    more = str(shown[-1].position) if len(rows) > limit else None
    return Objections(objections=list(_described(control, shown)), next=more)


@ROUTER.post(
    "",
    status_code=201,
    dependencies=[Depends(Keyed(not_kept="link"))],
    responses=problems({409: "idempotency-running", 422: "objection-text"}),
)
def file(*, body: Filing, who: Filer, control: Control) -> Filed:
    """Take in what somebody wrote to the platform.

    Sent again with its idempotency key it is answered without the link. Without one it is a second objection; staff
    see that both say the same.
    """
    filed = control.objections.file(
        body.find, answer_to=body.answer_to, reason=body.reason, purpose=body.purpose, by=who.handle
    )
    return Filed.model_validate(filed)


@ROUTER.get("/{objection}", responses=problems({404: "objection-unknown", 422: "objection-ambiguous"}))
def one(*, objection: ObjectionId, _: Reader, control: Control) -> WholeObjection:
    """Return one objection: what was written, and what was done about it."""
    detail = control.objection_queue.show(objection)
    (described,) = _described(control, [detail.objection])
    course = [
        ObjectionEvent(position=each.position, at=each.at, what=each.what, words=dict(each.words))
        for each in detail.course
    ]
    return WholeObjection(**dict(described), course=course, alike=list(detail.alike))


@ROUTER.post(
    "/{objection}/take", status_code=201, dependencies=[KEY], responses=problems(_answers("objection-answered"))
)
def take(*, objection: ObjectionId, who: Answerer, control: Control) -> Objection:
    """Look at it, or take it over."""
    return _done(control, control.objection_queue.take(objection, by=who.handle))


@ROUTER.post(
    "/{objection}/ask", status_code=201, dependencies=[KEY], responses=problems(_answers("objection-answered"))
)
def ask(*, objection: ObjectionId, body: Words, who: Answerer, control: Control) -> Objection:
    """Ask the objector for more. The time for the answer does not stop."""
    return _done(control, control.objection_queue.ask(objection, text=body.text, by=who.handle))


@ROUTER.post(
    "/{objection}/extend",
    status_code=201,
    dependencies=[KEY],
    responses=problems(
        _answers("objection-answered objection-not-extendable", unprocessable="objection-text objection-months")
    ),
)
def extend(*, objection: ObjectionId, body: Longer, who: Answerer, control: Control) -> Objection:
    """Take one or two months longer, once, before it is due."""
    made = control.objection_queue.extend(objection, months=body.months, reason=body.text, by=who.handle)
    return _done(control, made)


@ROUTER.post(
    "/{objection}/match-person",
    status_code=201,
    dependencies=[KEY],
    responses=problems(_answers(missing="objection-person-unknown", unprocessable="objection-text objection-rest")),
)
def match_person(*, objection: ObjectionId, body: PersonMeant, who: Answerer, control: Control) -> Objection:
    """Answer that a person's content is meant: from now on its use is refused, and it leaves sealed releases."""
    made = control.objection_queue.match_person(
        objection,
        body.person,
        by=who.handle,
        categories=body.categories,
        reach=body.reach,
        ground=body.ground,
        as_asked=body.as_asked,
        reply=body.reply,
        alike=body.alike,
    )
    return _done(control, made)


@ROUTER.post(
    "/{objection}/match-items",
    status_code=201,
    dependencies=[KEY],
    responses=problems(_answers(missing="corpus-unknown item-unknown")),
)
def match_items(*, objection: ObjectionId, body: ItemsMeant, who: Answerer, control: Control) -> Objection:
    """Answer that single items are meant: nothing uses them any more, and they leave sealed releases."""
    made = control.objection_queue.match_items(
        objection, body.items, corpus=body.corpus, by=who.handle, reply=body.reply, alike=body.alike
    )
    return _done(control, made)


@ROUTER.post(
    "/{objection}/not-found",
    status_code=201,
    dependencies=[KEY],
    responses=problems(_answers("objection-answered")),
)
def not_found(*, objection: ObjectionId, body: Tried, who: Answerer, control: Control) -> Objection:
    """Answer that nothing was found, and say what was tried."""
    made = control.objection_queue.not_found(objection, tried=body.text, by=who.handle, alike=body.alike)
    return _done(control, made)


@ROUTER.post(
    "/{objection}/decline",
    status_code=201,
    dependencies=[KEY],
    responses=problems(_answers("objection-answered")),
)
def decline(*, objection: ObjectionId, body: Refused, who: Answerer, control: Control) -> Objection:
    """Answer that it is not followed, on a lawful ground."""
    made = control.objection_queue.decline(
        objection, ground=body.ground, explanation=body.text, by=who.handle, alike=body.alike
    )
    return _done(control, made)


@ROUTER.post("/{objection}/note", status_code=201, dependencies=[KEY], responses=problems(_answers()))
def note(*, objection: ObjectionId, body: Words, who: Answerer, control: Control) -> Objection:
    """Write something down for the others. The objector does not see it."""
    return _done(control, control.objection_queue.note(objection, text=body.text, by=who.handle))


def _start(after: str | None) -> int:
    """Return the position after which a part of the list begins.

    Raises:
        InputError: the cursor is none of ours.
    """
    if after is None:
        return -1
    if not (after.isascii() and after.isdecimal() and len(after) < 20):
        raise InputError("list-cursor", "nothing in this list has the key of `after`", help="begin without `after`")
    return int(after)


def _described(control: ControlPlane, found: Iterable[Known]) -> Iterable[Objection]:
    at = control.desk.parts.clock()
    names = [name for name in Objection.model_fields if name != "overdue"]
    for each in found:
        yield Objection(**{name: getattr(each, name) for name in names}, overdue=each.overdue(at))


def _done(control: ControlPlane, found: Known) -> Objection:
    (described,) = _described(control, [found])
    return described
