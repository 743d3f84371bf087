"""Who shows a key that is not good is told so, and nothing about the key."""

from __future__ import annotations

from starlette.requests import Request

from consentry.service.gate import unknown


def asked(*headers: tuple[bytes, bytes]) -> Request:
    return Request({"type": "http", "headers": list(headers)})


def test_a_key_that_is_not_good_is_named_as_such() -> None:
    errors = [
        unknown(asked((b"authorization", value))) for value in (b"Bearer never-made", b"Bearer revoked", b"Basic x")
    ]
    assert {each.message for each in errors} == {"this key is unknown or revoked"}
    assert {each.code for each in errors} == {"access-unknown"}
    assert unknown(asked()).message == "this needs somebody who is signed in"
