"""Receipts: one that is as it was given verifies, for ever; any other does not, and says why."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.digests import canonical_json, digest
from consentry.errors import InputError, IntegrityError
from consentry.ledger.envelope import draft
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.storage import Ed25519Signer
from consentry.transparency.receipt import (
    FORMAT,
    NoticeRead,
    Opening,
    Place,
    PolicyInForce,
    Receipt,
    check_receipt,
    issue,
    key_id_of,
)
from consentry.transparency.receipt_text import in_words

GOLDEN = Path(__file__).parent / "golden"
SIGNER, STRANGER = Ed25519Signer(b"k" * 32), Ed25519Signer(b"s" * 32)
SAID = ChoiceMade(
    person="0" * 31 + "1",
    choice=Choice(
        purpose=Purpose.TRAIN_GENAI,
        state=ChoiceState.REFUSED,
        reach=Reach.EVERYTHING,
        at=1_790_000_000,
        categories=frozenset({Category.POST, Category.IMAGE}),
    ),
    source=Source.SETTINGS,
    notice="genai-2026",
)
DRAFT = draft(SAID, recorded_at=1_790_000_005, salt=b"z" * 32)
RECEIPT = Receipt(
    about={
        "what": "choice",
        "purpose": "train-genai",
        "state": "refused",
        "reach": "everything",
        "categories": ["image", "post"],
        "items": 0,
        "made_at": 1_790_000_000,
        "source": "settings",
    },
    effective_at=1_790_000_005,
    ledger=Place(id="5" * 32, position=41, kind="choice.made", version=1, commitment=DRAFT.commitment.hex()),
    policies=(PolicyInForce(name="september-2026", version="1", digest=digest(b"policy")),),
    notice=NoticeRead(notice="genai-2026", version=3),
    opening=Opening(salt=base64.b64encode(b"z" * 32).decode(), document=base64.b64encode(DRAFT.document).decode()),
)
CONTENT = issue(RECEIPT, SIGNER)
CODES = {
    "receipt-damaged",
    "receipt-of-another-key",
    "receipt-proof-unknown",
    "receipt-signature-wrong",
    "receipt-version-unknown",
}


def check(content: bytes, signer: Ed25519Signer = SIGNER) -> Receipt:
    return check_receipt(content, public_key=signer.public_pem)


def code(content: bytes, signer: Ed25519Signer = SIGNER) -> str:
    with pytest.raises(IntegrityError) as caught:
        check(content, signer)
    assert caught.value.help
    return caught.value.code


def signed(change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a receipt that was changed by somebody without the key."""
    body = json.loads(CONTENT)
    change(body)
    return canonical_json(body)


def test_what_was_given_verifies() -> None:
    assert check(CONTENT) == RECEIPT
    assert key_id_of(CONTENT) == SIGNER.key_id
    bare = RECEIPT.without_opening()
    assert check(issue(bare, SIGNER)) == bare
    assert b'opening":null' in issue(bare, SIGNER)
    assert issue(RECEIPT, SIGNER) == CONTENT, "the same event gives the same receipt"


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.json")))
def test_receipts_that_were_given_once_verify_for_ever(name: str) -> None:
    content = (GOLDEN / f"{name}.json").read_bytes()
    receipt = check_receipt(content, public_key=(GOLDEN / "key.pem").read_bytes())
    assert in_words(receipt, key_id=key_id_of(content)) == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_the_format_is_pinned() -> None:
    assert (GOLDEN / "choice.json").read_bytes() == CONTENT


def test_no_byte_may_differ() -> None:
    codes = set()
    for place in range(len(CONTENT)):
        for flip in (0x01, 0x20, 0x80):
            changed = bytearray(CONTENT)
            changed[place] ^= flip
            codes.add(code(bytes(changed)))
    assert codes <= CODES - {"receipt-proof-unknown"}


def test_no_part_may_be_missing_and_nothing_may_follow() -> None:
    for length in range(len(CONTENT)):
        assert code(CONTENT[:length]) == "receipt-damaged"
    for after in (b" ", b"\n", b"\0", CONTENT):
        assert code(CONTENT + after) == "receipt-damaged"


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from leaves(value[key], (*path, key))
    yield path


@pytest.mark.parametrize("path", [path for path in leaves(json.loads(CONTENT)) if path])
@pytest.mark.parametrize("value", [None, "x", 7, [], {}, "gone"])
def test_no_field_may_be_another(path: tuple[Any, ...], value: Any) -> None:
    def change(body: dict[str, Any]) -> None:
        inside: Any = body
        for key in path[:-1]:
            inside = inside[key]
        if value == "gone":
            del inside[path[-1]]
        else:
            inside[path[-1]] = value

    changed = signed(change)
    assert changed == CONTENT or code(changed) in CODES


def test_whoever_signs_it_anew_is_not_the_deployment() -> None:
    forged = issue(replace(RECEIPT, effective_at=1), STRANGER)
    assert code(forged) == "receipt-of-another-key"
    assert code(CONTENT, STRANGER) == "receipt-of-another-key"
    body = json.loads(forged)
    body["signature"]["keyid"] = SIGNER.key_id
    assert code(canonical_json(body)) == "receipt-signature-wrong"


def test_an_opening_that_opens_something_else_is_refused() -> None:
    other = draft(replace(SAID, person="0" * 32), recorded_at=1_790_000_005, salt=b"z" * 32)
    swapped = Opening(
        salt=RECEIPT.opening.salt if RECEIPT.opening else "", document=base64.b64encode(other.document).decode()
    )
    assert code(issue(replace(RECEIPT, opening=swapped), SIGNER)) == "receipt-damaged"
    assert code(issue(replace(RECEIPT, effective_at=1), SIGNER)) == "receipt-damaged"
    assert code(issue(replace(RECEIPT, about={**RECEIPT.about, "reach": "future"}), SIGNER)) == "receipt-damaged"
    assert code(issue(replace(RECEIPT, opening=Opening(salt="?", document="?")), SIGNER)) == "receipt-damaged"


def test_what_a_newer_version_gave_is_refused_as_such() -> None:
    later = FORMAT.replace("v1", "v2")
    assert code(signed(lambda body: body.update(format=later))) == "receipt-version-unknown"
    unknown: tuple[Any, ...] = ({"type": "tlog-proof@v9"}, {}, None, "x", [])
    for proof in unknown:
        assert code(canonical_json({**json.loads(CONTENT), "proof": proof})) == "receipt-proof-unknown"
    assert code(signed(lambda body: body.update(more=1))) == "receipt-damaged"


def test_what_is_no_key_is_refused() -> None:
    for key in (b"", b"x", SIGNER.public_key, SIGNER.public_pem[:-30]):
        with pytest.raises(InputError) as caught:
            check_receipt(CONTENT, public_key=key)
        assert caught.value.code == "signing-key-unreadable"


@given(st.binary(max_size=200))
def test_no_bytes_are_too_strange(content: bytes) -> None:
    assert code(content) in CODES


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.sampled_from(["receipt", "signature", "format", "proof"]))
def test_no_json_is_too_strange(value: Any, member: str) -> None:
    body = json.loads(CONTENT)
    body[member] = value
    assert code(json.dumps(body, separators=(",", ":"), sort_keys=True).encode()) in CODES


def test_deep_nesting_is_no_receipt() -> None:
    assert code(b"[" * 100_000) == "receipt-damaged"
    assert code(b'{"format":"consentry/receipt/v1","receipt":' + b"[" * 50_000) == "receipt-damaged"
