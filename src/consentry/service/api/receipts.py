"""Receipts: the signed proof of a choice or an objection, as it is handed to the person, and what it says in words."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import Response
from pydantic import JsonValue

from consentry.accounts.access import Action
from consentry.control_plane.plane import ControlPlane
from consentry.service.api.shape import LARGEST_NUMBER, Answer, problems
from consentry.service.gate import Control, NeedsAll
from consentry.service.request_words import form
from consentry.transparency.receipt import Receipt, key_id_of
from consentry.transparency.receipt_text import in_words

ROUTER = APIRouter(prefix="/v1/receipts", tags=["receipts"], dependencies=[Depends(NeedsAll(Action.RECEIPT_READ))])
At = Annotated[int, Path(ge=0, le=LARGEST_NUMBER, description="The position in the ledger of what it is for.")]
Opening = Annotated[bool, Query(description="Whether it holds what shows that the commitment is of this person.")]


class SignedReceipt(Answer):
    """A receipt. Keep the bytes as they come: `consentry receipt verify` checks them without a server."""

    format: str
    receipt: dict[str, JsonValue]
    signature: dict[str, str]


class ReceiptText(Answer):
    """What a receipt says, as lines for the person. It is made of the receipt alone, and not signed itself."""

    position: int
    text: str


@ROUTER.get("/{position}", response_model=SignedReceipt, responses=problems({404: "receipt-nothing"}))
def one(position: At, control: Control, *, opening: Opening = True) -> Response:
    """Return the receipt for the choice or the objection at a position. It is always the same."""
    return Response(control.receipts.of(position, opening=opening), media_type="application/json")


@ROUTER.get("/{position}/text", responses=problems({404: "receipt-nothing"}))
def text(position: At, control: Control) -> ReceiptText:
    """Return what the receipt at a position says, in words."""
    return ReceiptText(position=position, text=_words(control, position))


@ROUTER.get("/of-objection/{objection}", response_model=SignedReceipt, responses=problems({404: "objection-unknown"}))
def of_objection(
    objection: Annotated[str, Path(pattern=form(r"^[0-9a-f]{32}$", "must be 32 of 0-9 and a-f"))], control: Control
) -> Response:
    """Return the receipt for an objection, as it was received, by its id."""
    return Response(control.receipts.for_objection(objection), media_type="application/json")


def _words(control: ControlPlane, position: int) -> str:
    content = control.receipts.of(position)
    return in_words(Receipt.from_json(json.loads(content)["receipt"]), key_id=key_id_of(content))
