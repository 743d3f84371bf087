"""Objecting: the form, without a login, and the private page on which an objection is followed.

The form is `oversight.objection_form.FORM` and nothing else: what a case counts is what people see. Nothing here looks
at cookies, at who sends it, or at how often: an objection is taken as it comes.

The address of the private page is its secret. It is in no link that leads out of it, in no log, and in no cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.control_plane.objections import Followed
from consentry.errors import InputError, NotFoundError, StateError, UnavailableError
from consentry.oversight.objection_form import ANSWER_TO, FIND, FORM, REASON, Field
from consentry.service.gate import Control, Needs
from consentry.service.languages import LANGUAGES, N_
from consentry.service.own_address import address_of
from consentry.service.pages.member_words import KINDS
from consentry.service.pages.receipt_words import handed_out
from consentry.service.problem_words import PROBLEMS, plainly
from consentry.service.problems import status_of
from consentry.service.site import document, page, wants_document

ROUTER = APIRouter()
_ANYONE = [Depends(Needs(Action.ANYONE))]
_HOLDER = [Depends(Needs(Action.HOLDER))]
_REFUSED = 422
_UNSEEN = {"x-robots-tag": "noindex, nofollow"}
_MESSAGE = Field(name="message", asks="Your message", required=True, most=10_000, lines=True)

_UNKNOWN = "ledger-outcome-unknown"
_PERHAPS = PROBLEMS[_UNKNOWN]._replace(help=N_("send it once more in a few minutes: twice does no harm"))
"""Of an objection: nobody has the address of its page, on which they could see whether it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """What is wrong with one field: `why` is `missing`, `long` or `unreadable`; `has` is how many characters it has."""

    field: str
    why: str
    has: int = 0
    most: int = 0


async def _written(request: Request) -> Mapping[str, str]:
    """Return what was typed, by field; every line ends alike, as browsers write their ends as two characters."""
    form = await request.form(max_files=0, max_fields=100)
    return {name: value.replace("\r\n", "\n") for name, value in form.items() if isinstance(value, str)}


Written = Annotated[Mapping[str, str], Depends(_written)]


@ROUTER.get("/object", dependencies=_ANYONE)
async def show_form(request: Request) -> Response:
    """Show the form.

    INVARIANT: it takes no thread and no lock. Pages on all threads may wait for it: a check of a case asks for it.
    """
    return _form(request, {}, [])


@ROUTER.post("/object", dependencies=_ANYONE)
def file(request: Request, control: Control, *, written: Written) -> Response:
    """Take an objection in and lead to its private page; what cannot be taken shows the form again."""
    wrong = [each for field in FORM.fields for each in check(field, written)]
    if wrong:
        return _form(request, written, wrong)
    said = {field.name: written.get(field.name, "") for field in FORM.fields}
    try:
        filed = control.objections.file(
            said[FIND.name], answer_to=said[ANSWER_TO.name], reason=said.get(REASON.name, "")
        )
    except InputError:
        return _form(request, written, [Wrong(field=FIND.name, why="unreadable")])
    except UnavailableError as error:
        return _form(request, written, [], silent=error)
    return _onward(request, filed.link, new="1")


@ROUTER.get("/object/follow/{link}", dependencies=_HOLDER)
def follow(
    request: Request,
    control: Control,
    *,
    link: str,
    new: str = "",
    form: Annotated[str, Query(alias="format", max_length=10)] = "",
) -> Response:
    """Show where an objection stands, to whoever has the link."""
    for_programs = wants_document(request, form)
    try:
        found = control.objections.follow(link)
    except NotFoundError:
        if for_programs:
            raise
        return _unknown(request)
    if for_programs:
        answer = document(_facts(found, at=control.desk.parts.clock()))
        answer.headers.update(_UNSEEN)
        return answer
    return _followed(request, found, address=_address(request), new=new == "1")


@ROUTER.post("/object/follow/{link}", dependencies=_HOLDER)
def add(request: Request, control: Control, *, link: str, written: Written) -> Response:
    """Add a message of the objector."""
    text, silent = written.get(_MESSAGE.name, ""), None
    try:
        found = control.objections.follow(link)
    except NotFoundError:
        return _unknown(request)
    wrong = check(_MESSAGE, written)
    if not wrong:
        try:
            control.objections.add(link, text)
            return _onward(request, link)
        except UnavailableError as error:
            silent = error
        except (InputError, StateError) as error:
            why = "closed" if isinstance(error, StateError) else "unreadable"
            wrong = [Wrong(field=_MESSAGE.name, why=why)]
    return _followed(request, found, address=_address(request), problem=wrong, silent=silent, message=text)


@ROUTER.post("/object/follow/{link}/withdraw", dependencies=_HOLDER)
def withdraw(request: Request, control: Control, *, link: str) -> Response:
    """Take an objection back; said twice it is the same."""
    try:
        control.objections.withdraw(link)
    except NotFoundError:
        return _unknown(request)
    except UnavailableError:
        raise
    except StateError:
        return _onward(request, link)
    return _onward(request, link)


@ROUTER.get("/object/follow/{link}/receipt", dependencies=_HOLDER)
def receipt(request: Request, control: Control, *, link: str, form: str = "json") -> Response:
    """Hand out the signed receipt of an objection, as it was received, or what it says as a text."""
    try:
        found = control.objections.follow(link).objection
    except NotFoundError:
        return _unknown(request)
    content = control.receipts.for_objection(found.objection)
    answer = handed_out(request, content, form=form, name=f"objection-{found.objection[:8]}-receipt")
    answer.headers.update(_UNSEEN)
    return answer


def check(field: Field, written: Mapping[str, str]) -> list[Wrong]:
    """Return what is wrong with what was typed into a field: nothing, or one thing."""
    has = len(written.get(field.name, "").strip())
    if field.required and not has:
        return [Wrong(field=field.name, why="missing")]
    return [Wrong(field=field.name, why="long", has=has, most=field.most)] if has > field.most else []


def _facts(found: Followed, *, at: int) -> Mapping[str, Any]:
    """Return what the private page shows, as a document."""
    known = found.objection
    return {
        "objection": known.objection,
        "purpose": str(known.purpose),
        "state": str(known.state),
        "in_part": found.in_part,
        "received": known.received,
        "due": known.due,
        "overdue": known.overdue(at),
        "extended": known.extended,
        "erased": known.erased,
        "course": [
            {"position": each.position, "at": each.at, "what": each.what, "words": dict(each.words)}
            for each in found.course
        ],
    }


def _form(
    request: Request, written: Mapping[str, str], wrong: list[Wrong], *, silent: UnavailableError | None = None
) -> Response:
    return page(
        request,
        "objection/form.html",
        status=_status(wrong, silent),
        form=FORM,
        given=written,
        problem=wrong,
        silent=silent and (_PERHAPS if silent.code == _UNKNOWN else plainly(silent)),
    )


def _followed(
    request: Request,
    found: Followed,
    *,
    address: str,
    new: bool = False,
    problem: Sequence[Wrong] = (),
    silent: UnavailableError | None = None,
    message: str = "",
) -> Response:
    return page(
        request,
        "objection/followed.html",
        status=_status(problem, silent),
        headers=_UNSEEN,
        found=found.objection,
        course=found.course,
        in_part=found.in_part,
        kinds=KINDS,
        address=address,
        new=new,
        problem=problem,
        silent=silent and plainly(silent),
        message=message,
        field=_MESSAGE,
    )


def _status(wrong: Sequence[Wrong], silent: UnavailableError | None) -> int:
    """Return the status of a page with a form: of what is wrong with what was typed, and of a store that is silent."""
    if silent is not None:
        return status_of(silent)
    return _REFUSED if wrong else 200


def _unknown(request: Request) -> Response:
    """Say that a link leads nowhere: the same of every link that nobody has."""
    return page(request, "objection/unknown.html", status=404, headers=_UNSEEN)


def _address(request: Request) -> str:
    """Return the address of the private page. Only whoever asked sees it.

    Where this server does not know by which address it is reached, the path alone: the browser shows the rest.
    """
    return (address_of(request) or "") + request.url.path


def _onward(request: Request, link: str, **query: str) -> Response:
    """Lead to the private page, in the language that was asked for: a browser may keep no cookies."""
    asked = request.query_params.get("lang", "")
    if asked in LANGUAGES:
        query["lang"] = asked
    path = f"/object/follow/{link}"
    return RedirectResponse(f"{path}?{urlencode(query)}" if query else path, 303)
