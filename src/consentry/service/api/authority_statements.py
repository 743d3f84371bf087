"""What an authority files: statements that it signed, and drafts of them. What it sees stands on its pages.

Whoever signed in with the account of an authority asks; a key of a program is no authority.
"""

from __future__ import annotations

import base64
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator, ConfigDict, Field, JsonValue

from consentry.accounts.access import Action
from consentry.accounts.account import Principal
from consentry.accounts.admission import Admission
from consentry.ledger.statement_events import Says
from consentry.oversight.authority_statement import LONGEST_TEXT, MOST_BYTES, Signatory
from consentry.oversight.order import Scope
from consentry.service.api.once import KEY, Once
from consentry.service.api.shape import NO_NUL, Answer, Body, Line, ScopeBody, Word, problems, utf8
from consentry.service.gate import Admitting, Control, Needs
from consentry.service.request_words import form

ROUTER = APIRouter(prefix="/v1/authority", tags=["authorities"], route_class=Once)
Filer = Annotated[Principal, Depends(Needs(Action.CONCERN_FILE))]
_BASE64 = form(
    r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$", "must be bytes in Base64, padded"
)


_OF_LIFTING: dict[str, JsonValue] = {"properties": {"says": {"const": str(Says.MAY_BE_LIFTED)}}}
_WITH_SCOPE: dict[str, JsonValue] = {"required": ["scope"]}


class Draft(Body):
    """What an authority wants to say. That its orders may be lifted has no scope: the draft names them."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_OF_LIFTING, _WITH_SCOPE]})

    says: Says
    case: Word = Field(description="One that concerns the account, or a new name that begins with its own.")
    scope: ScopeBody = Field(
        default=ScopeBody(),
        examples=[{"areas": ["UK"]}],
        description="Of a concern or a suspension: it has to be said, and is never empty, which would be everything.",
    )
    reference: Line
    text: Annotated[str, Field(max_length=LONGEST_TEXT, pattern=NO_NUL), AfterValidator(utf8)] = ""


class Drafted(Answer):
    """A statement as it has to be signed, in Base64, and the orders that it names. Nothing was recorded."""

    statement: str
    digest: str
    orders: list[str]


class SignedStatement(Body):
    """The bytes of a statement and an Ed25519 signature of them by the key of the account, both in Base64."""

    statement: Annotated[str, Field(max_length=MOST_BYTES * 4 // 3 + 4, pattern=_BASE64)]
    signature: Annotated[str, Field(min_length=88, max_length=88, pattern=_BASE64)]


class FiledStatement(Answer):
    """What became of a statement: the orders that it issued or freed, and the digest under which it is kept."""

    case: str
    says: Says
    orders: list[str]
    document: str


def signatory(admission: Admission, who: Principal) -> Signatory:
    """Return the account of whoever is signed in, as far as its statements are concerned."""
    return Signatory(handle=who.handle, areas=who.areas, key=admission.public_key(who.handle))


@ROUTER.post(
    "/drafts",
    responses=problems(
        {
            404: "case-unknown",
            409: "case-over statement-filed-before",
            422: "order-scope case-name policy-unknown-area order-window-empty order-unknown-model statement-areas"
            " statement-orders",
        }
    ),
)
def draft(*, body: Draft, who: Filer, admission: Admitting, control: Control) -> Drafted:
    """Return a statement of now, to be signed as it is within seven days. Nothing is recorded."""
    if body.says is not Says.MAY_BE_LIFTED and "scope" not in body.model_fields_set:
        raise RequestValidationError([{"loc": ("body", "scope"), "msg": "Field required", "type": "missing"}])
    made = control.authority.draft(
        body.says,
        who=signatory(admission, who),
        case=body.case,
        reference=body.reference,
        scope=Scope(**dict(body.scope)),
        text=body.text,
    )
    statement = base64.b64encode(made.to_bytes()).decode()
    return Drafted(statement=statement, digest=made.digest, orders=list(made.orders))


@ROUTER.post(
    "/statements",
    status_code=201,
    # A signed statement can suspend: both have to be allowed.
    dependencies=[KEY, Depends(Needs(Action.ORDER_ISSUE))],
    responses=problems(
        {
            404: "case-unknown",
            409: "case-over statement-no-key statement-signature statement-of-another statement-for-another"
            " statement-not-fresh statement-filed-before idempotency-running",
            422: "statement-unreadable statement-text statement-orders statement-areas case-name case-text"
            " policy-unknown-area order-window-empty order-unknown-model",
        }
    ),
)
def file(*, body: SignedStatement, who: Filer, admission: Admitting, control: Control) -> FiledStatement:
    """File a signed statement: a concern, a suspension, or that own orders may be lifted. What it says is done."""
    content, signature = (base64.b64decode(each, validate=True) for each in (body.statement, body.signature))
    filed = control.authority.file(content, signature, who=signatory(admission, who))
    return FiledStatement(case=filed.case, says=filed.says, orders=list(filed.orders), document=filed.document)
