"""Papers of a case as they are shown: their text where they are text, and what an authority filed in words."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import Path, Query
from fastapi.responses import Response

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.errors import InputError
from consentry.ledger.statement_events import StatementFiled
from consentry.oversight.authority_statement import KEPT_FORMAT, AuthorityStatement
from consentry.oversight.order import in_words
from consentry.oversight.paper import Paper, PaperKind
from consentry.public_key import key_id, verify_signature
from consentry.service.languages import N_
from consentry.service.listing import Column, Listing

Place = Annotated[int, Path(ge=0, le=1 << 53)]
"""A position in the ledger: of the event that names a paper."""
Part = Annotated[int, Query(ge=0, le=1000)]
"""Which of the papers that an event names."""
MOST_SHOWN = 200_000
"""Characters. What is longer is taken away as a file."""
WITH_AUTHORITIES = frozenset({PaperKind.REPORT, PaperKind.STATEMENT})
"""What went between the operator and an authority: for those who may read reports, not for all who may see a case."""
TIMELINE = Listing(
    name="timeline",
    columns=(
        Column("position", N_("Position"), kind="number"),
        Column("at", N_("When"), kind="time"),
        Column("kind", N_("What"), chosen_from=True),
        Column("about", N_("About")),
        Column("paper", N_("Paper")),
    ),
    sort="-position",
)
"""What was said of a case, each with the paper that it names: for staff and for authorities."""
_ENDINGS = ((b"%PDF-", "pdf"), (b"\x89PNG", "png"), (b"PK\x03\x04", "zip"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What an authority filed: the statement in words, and how it was signed.

    Attributes:
        signed_with: the id of the key; None: nobody signed it.
        holds: whether the signature is by this key, of these bytes.
    """

    statement: AuthorityStatement
    scope: str
    signed_with: str | None
    holds: bool


def may_read(who: Principal, kind: PaperKind) -> bool:
    """Return whether somebody who may see a case may read such a paper of it."""
    return kind not in WITH_AUTHORITIES or who.may(Action.REPORT_READ)


def said_to(who: Principal, timeline: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return what was said of a case, without what authorities filed if somebody may not read that.

    Every page, list and answer with a timeline gets it from here. That a report was delivered is no secret among those
    who see a case: the case lists its reports.
    """
    return [each for each in timeline if each["kind"] != StatementFiled.KIND or may_read(who, PaperKind.STATEMENT)]


def shown(kind: str, content: bytes) -> dict[str, Any]:
    """Return what the page of a paper shows of it: its text, what an authority filed with it, and its size."""
    return {"text": text_of(content), "filed": filed_of(kind, content), "size": len(content)}


def as_document(case: str, paper: Paper, *, content: bytes) -> dict[str, Any]:
    """Return what the page of a paper shows, for programs."""
    kind, filed = str(paper.kind), filed_of(paper.kind, content)
    said = None
    if filed is not None:
        said = {
            "statement": json.loads(filed.statement.to_bytes()),
            "signed_with": filed.signed_with,
            "holds": filed.holds,
        }
    return {"case": case, **asdict(paper), **shown(kind, content), "kind": kind, "filed": said}


def text_of(content: bytes) -> str | None:
    """Return a document as text; None if it is none, or too long to be shown."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) <= MOST_SHOWN and "\0" not in text else None


def filed_of(kind: str, content: bytes) -> Filed | None:
    """Return what a kept statement says; None if the document is no such thing."""
    if kind != PaperKind.STATEMENT:
        return None
    try:
        kept = json.loads(content)
        if kept["format"] != KEPT_FORMAT:
            return None
        signed, key, signature = (_bytes(kept, name) for name in ("statement", "key", "signature"))
        statement = AuthorityStatement.from_bytes(signed or b"")
    except (ValueError, KeyError, TypeError, InputError):
        return None
    holds = key is not None and verify_signature(key, signature=signature or b"", content=signed or b"")
    return Filed(
        statement=statement,
        scope="" if statement.orders else in_words(statement.scope),
        signed_with=None if key is None else key_id(key),
        holds=holds,
    )


def as_file(content: bytes, *, name: str) -> Response:
    """Return a paper to be taken away as it is kept. No browser opens it here, whatever is in it."""
    named = {"content-disposition": f'attachment; filename="{name}.{_ending(content)}"'}
    return Response(content, media_type="application/octet-stream", headers=named)


def _bytes(kept: Mapping[str, Any], name: str) -> bytes | None:
    return None if kept[name] is None else base64.b64decode(kept[name], validate=True)


def _ending(content: bytes) -> str:
    known = next((ending for begins, ending in _ENDINGS if content.startswith(begins)), None)
    return known or ("bin" if text_of(content) is None else "json" if content.startswith(b"{") else "txt")
