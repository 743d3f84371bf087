"""Notices: what people are told, in which version, to how many it was served, and how long they have to object.

Writing a version, saying who can still be told, and recording who was. Ids of people come in a form, never in an
address; they become pseudonyms at once, and the only thing that holds them again is the list that whoever sent them is
handed back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError, InputError
from consentry.ledger.state import Published
from consentry.oversight.language import as_written
from consentry.oversight.notice import Version
from consentry.policy.choice import SECONDS_PER_DAY
from consentry.policy.vocabulary import Purpose
from consentry.service.gate import Control, Deployed
from consentry.service.languages import LANGUAGES, N_
from consentry.service.listing import Column, Listing
from consentry.service.pages.console_frame import REFUSED, SEE_OTHER, Staff, day_of, kept, said, told
from consentry.service.plain_words import PURPOSES
from consentry.service.problems import status_of
from consentry.service.site import page

ROUTER = APIRouter()
Reading = Annotated[Principal, Depends(Staff(Action.NOTICE_READ))]
Writing = Annotated[Principal, Depends(Staff(Action.NOTICE_WRITE))]
Text = Annotated[str, Form()]
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,6}")
"""What looks like the code of a language; whether it is one, the verb says."""
_NOTHING = kept(notice="", text="", languages="en", channel="", audience="")
_SERVINGS_SHOWN = 20
_OTHER = "text-"
"""Before the code of a language: the field for the same text in it."""
_NOTICES = Listing(
    name="notices",
    columns=(
        Column("notice", N_("Notice")),
        Column("versions", N_("Versions"), kind="number"),
        Column("languages", N_("Languages"), kind="list"),
        Column("servings", N_("Servings"), kind="number"),
        Column("people", N_("People, each time counted"), kind="number"),
        Column("last", N_("Last served"), kind="time"),
    ),
    sort="notice",
)
_SERVINGS = Listing(
    name="servings",
    columns=(
        Column("at", N_("When"), kind="time"),
        Column("version", N_("Version"), kind="number"),
        Column("people", N_("People"), kind="number"),
        Column("state", N_("Time to object"), kind="state", chosen_from=True),
        Column("until", N_("Until"), kind="time"),
        Column("position", N_("Position"), kind="number"),
    ),
    sort="-position",
)


async def _others(request: Request) -> dict[str, str]:
    """Return what was typed into the fields for other languages, by their codes."""
    form = await request.form()
    given = {name.removeprefix(_OTHER): each for name, each in form.items() if name.startswith(_OTHER)}
    return {
        code: each.replace("\r\n", "\n")
        for code, each in given.items()
        if isinstance(each, str) and each and _LANGUAGE.fullmatch(code)
    }


Others = Annotated[dict[str, str], Depends(_others)]


@ROUTER.get("/console/notices")
def notices(request: Request, control: Control, *, _: Reading) -> Response:
    """List all notices."""
    rows = [
        {
            "notice": each.notice,
            "versions": len(each.versions),
            "languages": list(each.newest.body.languages) if each.newest is not None else [],
            "servings": len(each.servings),
            "people": each.people,
            "last": each.servings[-1].at if each.servings else None,
        }
        for each in control.notices.every()
    ]
    return _NOTICES.answer(request, rows, template="console/notices.html")


@ROUTER.get("/console/write-notice")
def form(
    request: Request, control: Control, *, _: Writing, notice: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Show the form for the next version of a notice, filled with the newest one if there is one."""
    known = {each.notice: each.newest for each in control.notices.every()}
    newest = known.get(notice)
    given = {**_NOTHING, "notice": notice} if newest is None else _given(control, notice, newest=newest)
    others = {} if newest is None else _other_texts(control, newest)
    return _form(request, given, others)


@ROUTER.post("/console/write-notice")
def write(
    *,
    request: Request,
    control: Control,
    who: Writing,
    notice: Text = "",
    text: Text = "",
    languages: Text = "",
    channel: Text = "",
    audience: Text = "",
    others: Others,
) -> Response:
    """Store the text of a notice as its next version."""
    given = kept(notice=notice, text=text, languages=languages, channel=channel, audience=audience)
    return said(
        lambda: control.notices.write(
            notice.strip(),
            text.replace("\r\n", "\n").encode(),
            languages=_languages(languages),
            channel=channel.strip(),
            audience=audience.strip(),
            by=who.handle,
            others={code: each.encode() for code, each in others.items() if each.strip()},
        ),
        to=f"/console/notices/{quote(notice.strip(), safe='')}?done=written",
        again=lambda problem: _form(request, given, others, problem=problem),
    )


@ROUTER.get("/console/notices/{notice}")
def one(request: Request, control: Control, *, notice: str, who: Reading) -> Response:
    """Show the texts of a notice, whom it was served to, and which rules and cases wait for it."""
    return _show(request, control, who, notice=notice)


@ROUTER.get("/console/notices/{notice}/servings")
def servings(request: Request, control: Control, *, notice: str, who: Reading) -> Response:
    """List every time a notice was served: to how many, in which version, and until when they can object."""
    found, now = control.notices.get(notice), control.desk.parts.clock()
    days = _longest(_waiting(control, who, notice=notice))
    rows = [
        {
            "at": each.at,
            "version": each.version,
            "people": each.people,
            "until": (until := each.at + days * SECONDS_PER_DAY),
            "state": "over" if until <= now else "open",
            "position": each.position,
        }
        for each in found.servings
    ]
    return _SERVINGS.answer(request, rows, template="console/servings.html", notice=notice)


@ROUTER.post("/console/notices/{notice}/serve")
def serve(
    *,
    request: Request,
    deployment: Deployed,
    who: Writing,
    notice: str,
    people: Text = "",
    day: Text = "",
    purpose: Text = "",
    do: Text = "serve",
) -> Response:
    """Record who was told; or hand out who can still be told, which records nothing."""
    control = deployment.control
    ids = list(dict.fromkeys(line.strip() for line in people.splitlines() if line.strip()))
    try:
        if do == "audience":
            found, _ = control.notices.audience(ids, purpose=_purpose(purpose))
            named = {"content-disposition": 'attachment; filename="can-be-told.txt"'}
            return Response("".join(f"{each}\n" for each in found), media_type="text/plain", headers=named)
        at = day_of(day, what="day", end=True)
        control.notices.serve(
            notice, [deployment.person(each) for each in ids], at=control.desk.parts.clock() if at is None else at
        )
    except ConsentryError as error:
        if status_of(error) != REFUSED:
            raise
        given = kept(people=people, day=day, purpose=purpose)
        return _show(request, control, who, notice=notice, problem=told(error, field="people"), given=given)
    return RedirectResponse(f"/console/notices/{quote(notice, safe='')}?done=served", SEE_OTHER)


def _form(
    request: Request,
    given: Mapping[str, Any],
    others: Mapping[str, str],
    *,
    problem: Mapping[str, Any] | None = None,
) -> Response:
    """Show the form; it offers the languages of the pages, and those that the notice has beside them."""
    offered = {each.code: each.name for each in LANGUAGES.values()} | {
        code: code for code in others if code not in LANGUAGES
    }
    status = 200 if problem is None else REFUSED
    return page(
        request,
        "console/write_notice.html",
        status=status,
        problem=problem,
        given=given,
        others=others,
        offered=offered,
    )


def _languages(text: str) -> list[str]:
    found = text.replace(",", " ").split()
    if not found or not all(_LANGUAGE.fullmatch(each) for each in found):
        raise InputError(
            "form-word", "this is no list of languages", help="give codes such as en or cy, between commas"
        )
    return found


def _purpose(text: str) -> Purpose:
    if text not in set(Purpose):
        raise InputError("form-word", "there is no such use", help="choose from what the form offers")
    return Purpose(text)


def _other_texts(control: ControlPlane, newest: Version) -> dict[str, str]:
    """Return the texts of a version but the first, each by its language."""
    later = control.notices.texts(newest)[1:]
    codes = [(as_written(code), content) for text, content in later for code in text.languages]
    # Of two that were kept for one language before, the first is the one that people read.
    return {code: content.decode("utf-8", "replace") for code, content in reversed(codes)}


def _given(control: ControlPlane, notice: str, *, newest: Version) -> Mapping[str, str]:
    body = newest.body
    return {
        "notice": notice,
        "text": control.notices.text(newest).decode("utf-8", "replace"),
        "languages": ", ".join(dict.fromkeys(map(as_written, newest.texts[0].languages))),
        "channel": body.channel,
        "audience": body.audience,
    }


def _show(
    request: Request,
    control: ControlPlane,
    who: Principal,
    *,
    notice: str,
    problem: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Response:
    found = control.notices.get(notice)
    waiting = _waiting(control, who, notice=notice)
    days = _longest(waiting)
    return page(
        request,
        "console/notice.html",
        status=200 if problem is None else REFUSED,
        problem=problem,
        given=given or kept(people="", day="", purpose=str(Purpose.TRAIN_GENAI)),
        done=request.query_params.get("done", "") if problem is None else "",
        notice=found,
        versions=[
            (
                each,
                [
                    (", ".join(text.languages), content.decode("utf-8", "replace"))
                    for text, content in control.notices.texts(each)
                ],
            )
            for each in reversed(found.versions)
        ],
        servings=[
            {"serving": each, "until": each.at + days * SECONDS_PER_DAY}
            for each in reversed(found.servings[-_SERVINGS_SHOWN:])
        ],
        waiting=waiting,
        purposes=[(str(each), PURPOSES[each]) for each in Purpose],
        may_write=who.may(Action.NOTICE_WRITE),
        at=control.desk.parts.clock(),
    )


def _waiting(control: ControlPlane, who: Principal, *, notice: str) -> list[tuple[str, int, bool]]:
    """Return what waits for a notice: its name, for how many days, and whether it is a case."""
    cases = control.cases.every() if who.may(Action.CASE_READ) else ()
    found = [(each.case, each.notices[notice], True) for each in cases if notice in each.notices and each.over is None]
    return found + [
        (f"{published.name}: {rule.id}", rule.notice.days, False)
        for published in _in_force(control)
        for rule in control.desk.document(published.digest).rules
        if rule.notice is not None and rule.notice.notice == notice
    ]


def _longest(waiting: Sequence[tuple[str, int, bool]]) -> int:
    return max((days for _, days, _ in waiting), default=0)


def _in_force(control: ControlPlane) -> list[Published]:
    """Return the policy set in force under each name."""
    newest = {each.name: each for each in control.desk.present().state.policies}
    return list(newest.values())
