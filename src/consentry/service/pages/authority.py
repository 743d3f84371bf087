"""For an authority: its cases, orders, reports and what is trained on content of its jurisdictions; and what it files.

A page and its signed download are the same document. What does not concern the jurisdictions of the account is not
there: an address with its name is answered like one with a name that nobody gave.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.accounts.admission import Admission
from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError, InputError
from consentry.ledger.statement_events import Says
from consentry.oversight.authority_statement import MOST_BYTES
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Category, Purpose
from consentry.public_key import key_id
from consentry.service.api.authority_statements import signatory
from consentry.service.gate import Admitting, Control, Deployed, Needs
from consentry.service.pages.console_frame import areas_of
from consentry.service.pages.public import key_file
from consentry.service.papers import Part, Place, as_file, shown
from consentry.service.plain_words import CATEGORIES, EVENTS, PURPOSES, STANDINGS
from consentry.service.problems import require_refusal
from consentry.service.site import document as as_document
from consentry.service.site import form_of, page
from consentry.transparency.download import signed

ROUTER = APIRouter(prefix="/authority")
Reader = Annotated[Principal, Depends(Needs(Action.AUTHORITY_READ))]
Filer = Annotated[Principal, Depends(Needs(Action.CONCERN_FILE))]
Issuer = Annotated[Principal, Depends(Needs(Action.ORDER_ISSUE))]
_Word = TypeVar("_Word", Says, Purpose, Category)
_AskedLine = Annotated[str, Query(max_length=300)]
_Words = Annotated[list[str], Query(max_length=40)]
_PURPOSES = (Purpose.TRAIN_AI, Purpose.TRAIN_GENAI, Purpose.SERVE, Purpose.IMPROVE_FROM_FEEDBACK)
"""What a form offers to stop; a statement can name any."""


@ROUTER.get("")
def start(*, request: Request, control: Control, admission: Admitting, who: Reader) -> Response:
    """Show the start page: what concerns them, and with which key somebody signs in their name."""
    found = {**control.authority_view.start(who.areas), "signing_key": _signing_key(admission, who)}
    return _answer(request, control, template="authority/start.html", document=found)


@ROUTER.get("/cases/{name}")
def case(*, request: Request, control: Control, who: Reader, name: str) -> Response:
    """Show a case."""
    return _answer(
        request, control, template="authority/case.html", document=control.authority_view.case(name, who.areas)
    )


@ROUTER.get("/cases/{name}/papers/{position}")
def paper(*, request: Request, control: Control, who: Reader, name: str, position: Place, part: Part = 0) -> Response:
    """Show a paper of a case, or hand it out as it is kept."""
    document, content = control.authority_view.paper(name, position, areas=who.areas, part=part)
    if request.query_params.get("format") == "file":
        return as_file(content, name=f"{name}-{position}")
    if request.query_params.get("format") == "signed":
        return taken_away(control, document, name=f"{name}-{position}")
    found = {**document, **document["given"]}
    return page(request, "authority/paper.html", doc=document, paper=found, **shown(document["kind"], content))


@ROUTER.get("/reports/{name}/{report}")
def report(*, control: Control, who: Reader, name: str, report: str) -> Response:
    """Hand out a report that was delivered, signed."""
    document = json.loads(control.authority_view.report(name, report, areas=who.areas))
    return taken_away(control, document, name=f"{name}-{report}")


@ROUTER.get("/key.pem")
def key(deployed: Deployed, who: Reader) -> Response:  # noqa: ARG001 - it lets authorities through
    """Hand out the public key that checks what is taken away."""
    return key_file(deployed)


@ROUTER.get("/file")
def filing(*, request: Request, control: Control, admission: Admitting, who: Filer) -> Response:
    """Show how to file something."""
    return _filing(request, control, admission, who=who, typed=dict(request.query_params), problem=None)


@ROUTER.post("/concern")
def concern(
    *,
    request: Request,
    control: Control,
    admission: Admitting,
    who: Filer,
    case: Annotated[str, Form(alias="concern-case", max_length=300)] = "",
    reference: Annotated[str, Form(alias="concern-reference", max_length=300)] = "",
    areas: Annotated[str, Form(alias="concern-areas", max_length=300)] = "",
    text: Annotated[str, Form(alias="concern-text", max_length=20_000)] = "",
) -> Response:
    """Take a concern that nobody signed."""
    typed = {"case": case, "reference": reference, "areas": areas, "text": text}
    try:
        filed = control.authority.raise_concern(
            who=signatory(admission, who),
            case=case.strip(),
            reference=reference.strip(),
            scope=Scope(areas=areas_of(areas)),
            text=text,
        )
    except ConsentryError as error:
        return _filing(request, control, admission, who=who, typed=typed, problem=_shown(error, "concern-case"))
    return RedirectResponse(f"/authority/cases/{filed.case}?done=concern", 303)


@ROUTER.get("/draft")
def draft(
    *,
    request: Request,
    control: Control,
    admission: Admitting,
    who: Filer,
    says: _AskedLine = "",
    case: _AskedLine = "",
    reference: _AskedLine = "",
    areas: _AskedLine = "",
    purposes: _Words = [],  # noqa: B006 - FastAPI copies it
    categories: _Words = [],  # noqa: B006
    text: Annotated[str, Query(max_length=20_000)] = "",
) -> Response:
    """Hand out a statement to be signed."""
    typed = {"says": says, "case": case, "reference": reference, "areas": areas, "text": text}
    chosen = {"purposes": purposes, "categories": categories}
    try:
        made = control.authority.draft(
            _known(Says, says),
            who=signatory(admission, who),
            case=case.strip(),
            reference=reference.strip(),
            # A form fills in the places: of orders that may be lifted there is nothing to say but their names.
            scope=Scope()
            if says == Says.MAY_BE_LIFTED
            else Scope(
                areas=areas_of(areas),
                purposes=frozenset(_known(Purpose, each) for each in purposes),
                categories=frozenset(_known(Category, each) for each in categories),
            ),
            text=text,
        )
    except ConsentryError as error:
        problem = _shown(error, "case")
        return _filing(request, control, admission, who=who, typed={**typed, **chosen}, problem=problem)
    named = {"content-disposition": 'attachment; filename="statement.json"'}
    return Response(made.to_bytes(), media_type="application/json", headers=named)


@ROUTER.post("/statement")
def statement(
    *,
    request: Request,
    control: Control,
    admission: Admitting,
    who: Filer,
    issuer: Issuer,  # noqa: ARG001 - a signed statement can suspend: both have to be allowed
    statement: Annotated[UploadFile | None, File()] = None,
    signature: Annotated[UploadFile | None, File()] = None,
) -> Response:
    """Take a signed statement, and do what it says."""
    try:
        filed = control.authority.file(_read(statement), _read(signature), who=signatory(admission, who))
    except ConsentryError as error:
        return _filing(request, control, admission, who=who, typed={}, problem=_shown(error, "statement"))
    return RedirectResponse(f"/authority/cases/{filed.case}?done={filed.says}", 303)


def _answer(request: Request, control: ControlPlane, *, template: str, document: Mapping[str, Any]) -> Response:
    """Return a document as a page; as it is if JSON is asked for, signed for `?format=signed`."""
    form = form_of(request, request.query_params.get("format", ""))
    if form == "json":
        return as_document(document)
    if form == "signed":
        return taken_away(control, document, name=f"{document.get('case', document['what'])}-{document['position']}")
    return page(
        request,
        template,
        doc=document,
        json=True,
        purposes=PURPOSES,
        categories=CATEGORIES,
        standings=STANDINGS,
        events=EVENTS,
    )


def taken_away(control: ControlPlane, document: Mapping[str, Any], *, name: str) -> Response:
    """Return a document as a file, signed."""
    named = {"content-disposition": f'attachment; filename="{name}.signed.json"'}
    return Response(signed(document, control.desk.parts.signer), media_type="application/json", headers=named)


def _filing(
    request: Request,
    control: ControlPlane,
    admission: Admission,
    *,
    who: Principal,
    typed: Mapping[str, Any],
    problem: Mapping[str, str] | None,
) -> Response:
    public_key = admission.public_key(who.handle)
    return page(
        request,
        "authority/file.html",
        status=200 if problem is None else 422,
        typed=typed,
        problem=problem,
        key=None if public_key is None else key_id(public_key),
        waiting=control.authority_view.orders_that_wait(who.areas, who.handle),
        purposes={each: PURPOSES[each] for each in _PURPOSES},
        categories={each: words for each, words in CATEGORIES.items() if each is not Category.UNKNOWN},
    )


def _signing_key(admission: Admission, who: Principal) -> dict[str, Any]:
    """Return the id of the key that counts, and of every key that was registered before with the time it was."""
    key = admission.public_key(who.handle)
    changes = [{"key": key_id(each.key), "at": each.at} for each in admission.key_changes(who.handle)]
    return {"key": None if key is None else key_id(key), "changes": changes}


def _known(words: type[_Word], given: str) -> _Word:
    try:
        return words(given)
    except ValueError:
        raise InputError(
            "statement-word", "something was chosen that there is not", help="choose what the page offers"
        ) from None


def _read(upload: UploadFile | None) -> bytes:
    content = b"" if upload is None else upload.file.read(MOST_BYTES + 1)
    if not content:
        raise InputError(
            "statement-file-missing", "a file is missing", help="give both: the statement and its signature"
        )
    return content


def _shown(error: ConsentryError, field: str) -> dict[str, str]:
    """Return an error for a form, with the field that it is about.

    Raises:
        ConsentryError: it is no refusal of what was typed.
    """
    require_refusal(error)
    prefix = "concern-" if field.startswith("concern-") else ""
    of_areas = ("order-scope", "statement-areas", "policy-unknown-area")
    of_field = {**dict.fromkeys(of_areas, "areas"), "case-text": "reference"}
    where = prefix + of_field[error.code] if error.code in of_field and field != "statement" else field
    return {"message": error.message, "help": error.help, "field": where, "code": error.code}
