"""An identity comes back as it was written, or is refused; each part that does not fit has an error of its own."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.digests import canonical_json, digest_json
from consentry.errors import IntegrityError
from consentry.identity import Identity, require_ledger, require_pseudonym_key, require_signing_key

IDENTITY = Identity(ledger="1" * 32, pseudonym_key="2" * 32, signing_key="sha256:" + "3" * 64)


def code_of(attempt: Callable[[], object]) -> str:
    with pytest.raises(IntegrityError) as caught:
        attempt()
    assert len(caught.value.help) > 10
    return caught.value.code


@given(st.text(), st.text(), st.text())
def test_what_was_written_is_read(ledger: str, pseudonym_key: str, signing_key: str) -> None:
    identity = Identity(ledger=ledger, pseudonym_key=pseudonym_key, signing_key=signing_key)
    try:
        content = identity.to_bytes()
    except ValueError:
        return  # half a character
    assert Identity.from_bytes(content) == identity


def test_every_damaged_byte_is_noticed() -> None:
    whole = IDENTITY.to_bytes()
    for at in range(len(whole)):
        for changed in (whole[at] ^ 1, whole[at] ^ 0x80):
            content = whole[:at] + bytes([changed]) + whole[at + 1 :]
            assert code_of(lambda content=content: Identity.from_bytes(content)) == "identity-damaged"  # type: ignore[misc]
        assert code_of(lambda at=at: Identity.from_bytes(whole[:at])) == "identity-damaged"  # type: ignore[misc]


def signed(body: dict[str, object]) -> bytes:
    return canonical_json({**body, "check": digest_json(body)})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b"\xff\xfe",
        signed({"format": 1}),
        signed({"format": 1, "ledger": "1", "pseudonym_key": "2"}),
        signed({"format": 1, "ledger": "1", "pseudonym_key": "2", "signing_key": "3", "more": "4"}),
        signed({"ledger": "1", "pseudonym_key": "2", "signing_key": "3"}),
    ],
)
def test_what_is_no_identity_is_damaged(content: bytes) -> None:
    assert code_of(lambda: Identity.from_bytes(content)) == "identity-damaged"


def test_a_newer_format_is_named() -> None:
    body = {name: value for name, value in json.loads(IDENTITY.to_bytes()).items() if name != "check"}
    assert code_of(lambda: Identity.from_bytes(signed({**body, "format": 2, "more": "0"}))) == "identity-format"


def test_each_part_has_an_error_of_its_own() -> None:
    require_ledger("1", "1")
    require_pseudonym_key("1", "1")
    require_signing_key("1", "1")
    assert code_of(lambda: require_ledger("1", "2")) == "ledger-of-another-deployment"
    assert code_of(lambda: require_ledger("1", None)) == "ledger-of-another-deployment"
    assert code_of(lambda: require_pseudonym_key("1", "2")) == "key-of-another-deployment"
    assert code_of(lambda: require_signing_key("1", "2")) == "signing-key-of-another-deployment"
