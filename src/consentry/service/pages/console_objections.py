"""The queue of objections, for staff: all of it in parts, one of them, and how it is answered.

What leaves as a file holds no word of anybody's: only ids, states and dates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Any, NamedTuple, TypeVar
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.meant_items import MeantItem
from consentry.control_plane.objection_queue import ObjectionQueue, QueueSort
from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError, InputError, NotFoundError
from consentry.ledger.objection_events import LawfulGround
from consentry.oversight.objection import OPEN, Objection, ObjectionState
from consentry.policy.vocabulary import Category, Reach
from consentry.service.gate import Control
from consentry.service.languages import N_
from consentry.service.listing import PAGE_ROWS, Column, Listing
from consentry.service.pages.console_frame import REFUSED, Staff, told
from consentry.service.pages.console_meant import ids_in, seen_of
from consentry.service.plain_words import CATEGORIES, PURPOSES, VISIBILITIES
from consentry.service.problems import status_of
from consentry.service.site import form_of, page

ROUTER = APIRouter()
Reader = Annotated[Principal, Depends(Staff(Action.OBJECTION_READ))]
Answerer = Annotated[Principal, Depends(Staff(Action.OBJECTION_ANSWER))]
_MENDABLE = {404, 409, REFUSED}
_ALIKE_SHOWN = 20
_AS_ASKED = "as-asked"
"""Why the rest is not refused, where it is no ground: the objector asked for no more."""
_WAITING = "waiting"
_SORTS = (
    (QueueSort.DUE, N_("Due first")),
    (QueueSort.NEWEST, N_("Newest first")),
    (QueueSort.OLDEST, N_("Oldest first")),
    (QueueSort.CHANGED, N_("Last changed first")),
)
_KINDS = [(str(each), CATEGORIES[each]) for each in Category if each is not Category.UNKNOWN]
_Word = TypeVar("_Word", bound=StrEnum)

EXPORT = Listing(
    name="objections",
    columns=(
        Column("objection", N_("Objection")),
        Column("state", N_("State"), kind="state"),
        Column("purpose", N_("Against")),
        Column("received", N_("Received"), kind="time"),
        Column("due", N_("Due"), kind="time"),
        Column("overdue", N_("Overdue")),
        Column("by", N_("With")),
        Column("extended", N_("Months longer"), kind="number"),
        Column("ground", N_("Ground")),
        Column("people", N_("People"), kind="number"),
        Column("items", N_("Items"), kind="number"),
        Column("messages", N_("Messages"), kind="number"),
        Column("changed", N_("Changed"), kind="time"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for of the list. The words stand in no address: those are kept in histories and logs."""

    state: str
    overdue: bool
    mine: bool
    text: str
    sort: QueueSort
    number: int

    @classmethod
    def of(cls, asked: Mapping[str, str], *, text: str = "") -> Asked:
        """Read it; what makes no sense asks for nothing. `text` never comes from an address."""
        state, number = asked.get("state", ""), asked.get("page", "")
        return cls(
            state=state if state in {_WAITING, "all", *ObjectionState} else _WAITING,
            overdue=asked.get("overdue") == "1",
            mine=asked.get("mine") == "1",
            text=text.strip()[:200],
            sort=QueueSort(asked["sort"]) if asked.get("sort") in set(QueueSort) else QueueSort.DUE,
            number=int(number) if number.isascii() and number.isdecimal() and 0 < len(number) < 8 else 1,
        )

    @property
    def states(self) -> frozenset[ObjectionState]:
        """The states of which objections are shown."""
        if self.state == _WAITING:
            return OPEN
        return frozenset(ObjectionState) if self.state == "all" else frozenset({ObjectionState(self.state)})

    @property
    def kept(self) -> dict[str, str]:
        """What is asked for but for the words and the page, as fields of an address or a form."""
        same = {
            "state": self.state if self.state != _WAITING else "",
            "overdue": "1" if self.overdue else "",
            "mine": "1" if self.mine else "",
            "sort": self.sort if self.sort is not QueueSort.DUE else "",
        }
        return {name: value for name, value in same.items() if value}

    def address(self, **changed: object) -> str:
        """Return the query of an address that asks for the same, but for the words and what is named."""
        asked = {**self.kept, **changed}
        return "?" + urlencode({name: str(value) for name, value in asked.items() if value})


async def _form(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=200)


@ROUTER.get("/console/objections")
def queue(*, request: Request, control: Control, who: Reader) -> Response:
    """Show a part of the queue, what is due first at the top, or hand all of it out."""
    query = request.query_params
    return _queue(request, control, who, asked=Asked.of(query), form=form_of(request, query.get("format", "")))


@ROUTER.post("/console/objections")
def search(*, request: Request, control: Control, who: Reader, form: Annotated[FormData, Depends(_form)]) -> Response:
    """Show what holds some words. They are sent like this because an address would keep what an objector wrote."""
    said = {name: _text(form, name) for name in form}
    asked = Asked.of(said, text=said.get("q", ""))
    if not asked.text:
        return RedirectResponse(f"/console/objections{asked.address()}", 303)
    return _queue(request, control, who, asked=asked, form=form_of(request, said.get("format", "")))


def _queue(request: Request, control: ControlPlane, who: Principal, *, asked: Asked, form: str) -> Response:
    verbs, by = control.objection_queue, who.handle if asked.mine else None
    if form in {"csv", "json"}:
        found = verbs.select(asked.states, overdue=asked.overdue, by=by, text=asked.text, sort=asked.sort)
        exported = EXPORT.export(_rows(control, found), form)
        assert exported is not None
        return exported
    start = (max(1, asked.number) - 1) * PAGE_ROWS
    shown = verbs.list(
        asked.states,
        overdue=asked.overdue,
        by=by,
        text=asked.text,
        sort=asked.sort,
        start=start,
        limit=PAGE_ROWS,
    )
    return page(
        request,
        "console/objections.html",
        asked=asked,
        rows=shown.rows,
        total=shown.total,
        pages=max(1, -(-shown.total // PAGE_ROWS)),
        states=[str(each) for each in ObjectionState],
        sorts=_SORTS,
        waiting=len(verbs.select()),
        late=len(verbs.select(overdue=True)),
    )


@ROUTER.get("/console/objections/{objection}")
def one(*, request: Request, control: Control, who: Reader, objection: str) -> Response:
    """Show one objection: what was written, what was done, and what can be."""
    return _shown(request, control, who, objection=objection)


@ROUTER.post("/console/objections/{objection}/{verb}")
def answer(
    *,
    request: Request,
    control: Control,
    who: Answerer,
    objection: str,
    verb: str,
    form: Annotated[FormData, Depends(_form)],
) -> Response:
    """Do something about an objection, in the name of whoever is signed in."""
    do = VERBS.get(verb)
    if do is None:
        raise NotFoundError("serve-no-such-address", "nothing is at this address", help="see /console/objections")
    name = control.objection_queue.show(objection).objection.objection
    try:
        sent = Sent(name, form, who.handle)
        if verb == "match-items" and _is_to_be_seen(form):
            meant = _meant(control, sent)
            return _shown(request, control, who, objection=name, verb=verb, form=form, meant=meant)
        do(control.objection_queue, sent)
    except ConsentryError as error:
        if status_of(error) not in _MENDABLE:
            raise
        return _shown(request, control, who, objection=name, error=error, verb=verb, form=form)
    return RedirectResponse(f"/console/objections/{name}?done={verb}", 303)


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else ""


def _several(form: FormData, name: str) -> list[str]:
    return [each for each in form.getlist(name) if isinstance(each, str)]


def _word(kind: type[_Word], text: str) -> _Word:
    try:
        return kind(text)
    except ValueError:
        raise InputError(
            "serve-malformed", "one of the answers is none of those to choose from", help="choose one that is shown"
        ) from None


class Sent(NamedTuple):
    """What somebody who is signed in sent about an objection."""

    name: str
    form: FormData
    by: str

    @property
    def alike(self) -> bool:
        """Whether all that wait and say the same are answered as well."""
        return _text(self.form, "alike") == "yes"


Do = Callable[[ObjectionQueue, Sent], Objection]


def _take(queue: ObjectionQueue, sent: Sent) -> Objection:
    return queue.take(sent.name, by=sent.by)


def _ask(queue: ObjectionQueue, sent: Sent) -> Objection:
    return queue.ask(sent.name, text=_text(sent.form, "question"), by=sent.by)


def _extend(queue: ObjectionQueue, sent: Sent) -> Objection:
    months, why = (_text(sent.form, each) for each in ("months", "why"))
    return queue.extend(sent.name, months=int(months) if months in {"1", "2"} else 0, reason=why, by=sent.by)


def _match_person(queue: ObjectionQueue, sent: Sent) -> Objection:
    rest = _text(sent.form, "rest")
    as_asked = rest == _AS_ASKED
    return queue.match_person(
        sent.name,
        _text(sent.form, "person"),
        by=sent.by,
        categories=[_word(Category, each) for each in _several(sent.form, "category")],
        reach=_word(Reach, _text(sent.form, "reach")),
        ground=_word(LawfulGround, rest) if rest and not as_asked else None,
        as_asked=as_asked,
        reply=_text(sent.form, "person_reply"),
        alike=sent.alike,
    )


def _items(form: FormData) -> list[str]:
    return [each.strip() for each in _text(form, "items").splitlines() if each.strip()]


def _is_to_be_seen(form: FormData) -> bool:
    """Say whether items are shown first: as is asked for, or as others were shown than these."""
    seen = _text(form, "seen")
    return _text(form, "step") == "look" or (bool(seen) and seen != seen_of(_text(form, "corpus"), _items(form)))


def _meant(control: ControlPlane, sent: Sent) -> list[MeantItem]:
    purpose = control.objection_queue.show(sent.name).objection.purpose
    return control.meant_items.look(_text(sent.form, "corpus"), _items(sent.form), purpose=purpose)


def _match_items(queue: ObjectionQueue, sent: Sent) -> Objection:
    corpus, reply = (_text(sent.form, each) for each in ("corpus", "items_reply"))
    return queue.match_items(sent.name, _items(sent.form), corpus=corpus, by=sent.by, reply=reply, alike=sent.alike)


def _not_found(queue: ObjectionQueue, sent: Sent) -> Objection:
    return queue.not_found(sent.name, tried=_text(sent.form, "tried"), by=sent.by, alike=sent.alike)


def _decline(queue: ObjectionQueue, sent: Sent) -> Objection:
    ground, explanation = _word(LawfulGround, _text(sent.form, "ground")), _text(sent.form, "explanation")
    return queue.decline(sent.name, ground=ground, explanation=explanation, by=sent.by, alike=sent.alike)


def _note(queue: ObjectionQueue, sent: Sent) -> Objection:
    return queue.note(sent.name, text=_text(sent.form, "note"), by=sent.by)


VERBS: Mapping[str, Do] = MappingProxyType(
    {
        "take": _take,
        "ask": _ask,
        "extend": _extend,
        "match-person": _match_person,
        "match-items": _match_items,
        "not-found": _not_found,
        "decline": _decline,
        "note": _note,
    }
)


def _shown(
    request: Request,
    control: ControlPlane,
    who: Principal,
    *,
    objection: str,
    error: ConsentryError | None = None,
    verb: str = "",
    form: FormData | None = None,
    meant: Sequence[MeantItem] = (),
) -> Response:
    detail = control.objection_queue.show(objection)
    given = {name: _text(form, name) for name in form} if form is not None else {}
    return page(
        request,
        "console/objection.html",
        status=200 if error is None else REFUSED,
        problem=None if error is None else told(error),
        found=detail.objection,
        overdue=detail.overdue,
        course=detail.course,
        alike=detail.alike[:_ALIKE_SHOWN],
        waiting_alike=len(control.objection_queue.waiting_alike(detail.objection.objection)) if detail.alike else 0,
        more_alike=max(0, len(detail.alike) - _ALIKE_SHOWN),
        may_answer=who.may(Action.OBJECTION_ANSWER),
        verb=verb,
        given=given,
        meant=meant,
        seen="" if form is None or not meant else seen_of(_text(form, "corpus"), _items(form)),
        proposed=ids_in(detail.course, request.app.state.deployment.settings.item_url),
        kinds=CATEGORIES,
        audiences=VISIBILITIES,
        chosen=_several(form, "category") if form is not None else [],
        categories=_KINDS,
        against=PURPOSES[detail.objection.purpose],
        grounds=[str(each) for each in LawfulGround],
        as_asked=_AS_ASKED,
        corpora=[(each, each) for each in sorted(control.desk.present().state.corpora)],
        done=request.query_params.get("done", "") if error is None else "",
    )


def _rows(control: ControlPlane, found: Sequence[Objection]) -> list[dict[str, Any]]:
    at = control.desk.parts.clock()
    return [
        {
            "objection": each.objection,
            "state": str(each.state),
            "purpose": str(each.purpose),
            "received": each.received,
            "due": each.due,
            "overdue": "yes" if each.overdue(at) else "no",
            "by": each.by,
            "extended": each.extended,
            "ground": None if each.ground is None else str(each.ground),
            "people": each.people,
            "items": each.items,
            "messages": each.messages,
            "changed": each.changed,
        }
        for each in found
    ]
