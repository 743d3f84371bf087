"""Notices: what people are told, in which version, and to how many it was served."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.control_plane.notices import by_language
from consentry.errors import NotFoundError
from consentry.oversight import notice as notices
from consentry.service.api.once import KEY, Once
from consentry.service.api.shape import (
    LARGEST_NUMBER,
    After,
    Answer,
    Body,
    Ident,
    Limit,
    Line,
    Moment,
    Named,
    Position,
    Said,
    Word,
    part,
    problems,
)
from consentry.service.gate import Control, Deployed, Needs, NeedsAll
from consentry.service.request_words import form

ROUTER = APIRouter(prefix="/v1", tags=["notices"], route_class=Once)
READS = [Depends(NeedsAll(Action.NOTICE_READ))]
Writer = Annotated[Principal, Depends(Needs(Action.NOTICE_WRITE))]
MOST_PEOPLE = 10_000
Language = Annotated[
    str,
    Field(
        pattern=form(
            r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,6}$", "must be the tag of a language, such as cy or en-GB"
        ),
        description="A tag of BCP 47. Case and underscores do not matter: `en_gb` is kept as `en-GB`.",
        examples=["cy"],
    ),
]
Content = Annotated[
    str,
    Field(min_length=1, max_length=200_000, pattern=form(r"[!-~]", "must hold a letter or a digit of ASCII")),
]


class NoticeText(Answer):
    """A text of a notice, and the languages it is in."""

    languages: list[str]
    document: str


class NoticeVersion(Answer):
    """What a notice says: one text, or one for each of its languages. `document` is the one that was written first."""

    number: int
    document: str
    languages: list[str]
    texts: list[NoticeText]
    channel: str
    audience: str
    by: str | None
    position: Position
    at: int


class Serving(Answer):
    """To how many people a notice was served at once; version 0: its text is kept elsewhere."""

    version: int
    people: int
    at: int
    position: Position


class Notice(Answer):
    """A notice, its versions and servings oldest first."""

    notice: str
    versions: list[NoticeVersion]
    servings: list[Serving]


class Notices(Answer):
    """Notices that were written or served."""

    notices: list[Notice]
    next: str | None


class WholeText(NoticeText):
    """A text of a notice, in words."""

    text: str


class VersionText(NoticeVersion):
    """A version with its texts; `text` is the one that was written first."""

    text: str
    contents: list[WholeText]


class OtherText(Body):
    """The same in another language."""

    language: Language
    text: Content


class Written(Body):
    """The next version of a notice."""

    notice: Word
    text: Content
    languages: Annotated[list[Language], Field(min_length=1, max_length=20)]
    channel: Line
    audience: Line
    others: Annotated[list[OtherText], Field(max_length=20)] = Field(
        default=[], description="The same in further languages. A member reads the one in theirs, else `text`."
    )


class Served(Body):
    """People who were told."""

    people: Annotated[list[Ident], Field(min_length=1, max_length=MOST_PEOPLE)]
    at: Moment = Field(description="When they were told.")


@ROUTER.get("/notices", dependencies=READS, responses=problems({422: "list-cursor"}))
def every(*, control: Control, limit: Limit = 100, after: After = None) -> Notices:
    """Return the notices."""
    found = part(control.notices.every(), lambda each: each.notice, limit=limit, after=after)
    return Notices(notices=[described(each) for each in found.rows], next=found.next)


@ROUTER.get("/notices/{notice}", dependencies=READS, responses=problems({404: "notice-unknown"}))
def one(notice: Named, control: Control) -> Notice:
    """Return a notice."""
    return described(control.notices.get(notice))


@ROUTER.get("/notices/{notice}/versions/{number}", dependencies=READS, responses=problems({404: "notice-unknown"}))
def text(*, notice: Named, number: Annotated[int, Path(ge=1, le=LARGEST_NUMBER)], control: Control) -> VersionText:
    """Return a version of a notice with its text."""
    for each in control.notices.get(notice).versions:
        if each.number == number:
            contents = [
                WholeText(languages=list(text.languages), document=text.document, text=_decoded(content))
                for text, content in control.notices.texts(each)
            ]
            return VersionText(**dict(_version(each)), text=contents[0].text, contents=contents)
    raise NotFoundError("notice-unknown", f"notice `{notice}` has no version `{number}`", help="GET it to see them")


@ROUTER.post(
    "/notices",
    status_code=201,
    dependencies=[KEY],
    responses=problems({409: "idempotency-running", 422: "notice-language-twice notice-language-unknown"}),
)
def write(*, body: Written, who: Writer, control: Control) -> NoticeVersion:
    """Store the text of a notice, and the same in other languages, as its next version."""
    made = control.notices.write(
        body.notice,
        body.text.encode(),
        languages=body.languages,
        channel=body.channel,
        audience=body.audience,
        by=who.handle,
        others=by_language(body.notice, ((each.language, each.text.encode()) for each in body.others)),
    )
    return _version(made)


@ROUTER.post(
    "/notices/{notice}/servings",
    status_code=201,
    dependencies=[KEY, Depends(Needs(Action.NOTICE_WRITE))],
    responses=problems({409: "idempotency-running", 422: "notice-time-to-come notice-before-text"}),
)
def serve(*, notice: Named, body: Served, deployment: Deployed) -> Said:
    """Record that people were told."""
    people = [deployment.person(each) for each in body.people]
    return Said(position=deployment.control.notices.serve(notice, people, at=body.at))


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _version(each: notices.Version) -> NoticeVersion:
    return NoticeVersion(
        number=each.number,
        document=each.body.document,
        languages=list(each.body.languages),
        texts=[NoticeText(languages=list(text.languages), document=text.document) for text in each.texts],
        channel=each.body.channel,
        audience=each.body.audience,
        by=each.body.by,
        position=each.position,
        at=each.at,
    )


def described(each: notices.Notice) -> Notice:
    """Return a notice as it is answered."""
    return Notice(
        notice=each.notice,
        versions=[_version(version) for version in each.versions],
        servings=[Serving.model_validate(serving) for serving in each.servings],
    )
