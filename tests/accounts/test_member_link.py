"""The link with which a platform sends a member: what is good, and everything that is not."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from consentry.accounts.member_link import LinkKeys, claims_for
from consentry.errors import IntegrityError, StateError

NOW, SITE = 1_700_000_000, "https://consentry.example"


@pytest.fixture
def keys(tmp_path: Path) -> LinkKeys:
    return LinkKeys(tmp_path)


def claims(**changed: Any) -> dict[str, Any]:
    made = {**claims_for("u-17", audience=SITE, now=NOW, facts={"name": "Ada"}), **changed}
    return {name: value for name, value in made.items() if value is not None}


def code(keys: LinkKeys, token: str) -> str:
    with pytest.raises(StateError) as caught:
        keys.read(token, audience=SITE, now=NOW)
    assert "u-17" not in f"{caught.value} {caught.value.help}"
    return caught.value.code


def test_a_link_says_who_it_is(keys: LinkKeys) -> None:
    said = claims(back="https://example.com/settings", nbf=NOW + 30)
    found = keys.read(keys.signed(said), audience=SITE, now=NOW)
    assert found.person == "u-17"
    assert found.facts == {"name": "Ada", "back": "https://example.com/settings"}
    assert "u-17" not in repr(found)
    assert (keys.folder / "link.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"exp": NOW - 31}, "sign-in-link-expired"),
        ({"exp": NOW + 400}, "sign-in-link-incomplete"),
        ({"exp": None}, "sign-in-link-incomplete"),
        ({"exp": "soon"}, "sign-in-link-incomplete"),
        ({"exp": True}, "sign-in-link-incomplete"),
        ({"nbf": NOW + 31}, "sign-in-link-incomplete"),
        ({"nbf": "now"}, "sign-in-link-incomplete"),
        ({"nbf": True}, "sign-in-link-incomplete"),
        ({"aud": "https://other.example"}, "sign-in-link-elsewhere"),
        ({"aud": ["https://other.example"]}, "sign-in-link-elsewhere"),
        ({"aud": None}, "sign-in-link-elsewhere"),
        ({"sub": None}, "sign-in-link-incomplete"),
        ({"sub": ""}, "sign-in-link-incomplete"),
        ({"sub": 17}, "sign-in-link-incomplete"),
        ({"sub": "u" * 513}, "sign-in-link-incomplete"),
        ({"jti": None}, "sign-in-link-incomplete"),
        ({"jti": "short"}, "sign-in-link-incomplete"),
    ],
)
def test_what_a_link_must_say(keys: LinkKeys, changed: dict[str, Any], expected: str) -> None:
    assert code(keys, keys.signed(claims(**changed))) == expected


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_link_that_the_platform_did_not_sign_opens_nothing(keys: LinkKeys) -> None:
    good = keys.signed(claims())
    head, body, signature = good.split(".")
    other = OctKey.import_key("another-key-of-at-least-32-characters")
    forged = [
        "",
        "x",
        "a.b.c",
        "a" * 5000,
        f"{part({'alg': 'none'})}.{body}.",
        f"{part({'alg': 'None'})}.{body}.{signature}",
        f"{part({'alg': 'HS512'})}.{body}.{signature}",
        f"{part({'alg': 'HS256', 'crit': ['x'], 'x': 1})}.{body}.{signature}",
        f"{head}.{part(claims(sub='u-18'))}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-2]}",
        jwt.encode({"alg": "HS256"}, claims(), other),
        jwt.encode({"alg": "HS256", "jwk": other.as_dict(private=True)}, claims(), other),
        jwt.encode({"alg": "HS256", "jku": "https://keys.example", "kid": "../link.key"}, claims(), other),
        jwt.encode({"alg": "HS512"}, claims(), OctKey.import_key(keys.shared()), algorithms=["HS512"]),
        f"{part({'alg': 'HS256'})}.{part([1])}.{signature}",
        "é.ü.ß",
    ]
    assert {code(keys, token) for token in forged} == {"sign-in-link-damaged"}
    keys.read(good, audience=SITE, now=NOW)


@pytest.mark.parametrize(
    "facts",
    [
        {"back": "http://example.com"},
        {"back": "javascript:alert(1)"},
        {"back": "https://user@evil.example"},
        {"back": "https://[x"},
        {"name": "a\x07b"},
        {"name": "n" * 201},
        {"name": 5},
        {"locale": "../en"},
        {"notice": "No Name"},
    ],
)
def test_what_cannot_be_shown_is_left_out(keys: LinkKeys, facts: dict[str, Any]) -> None:
    made = {**claims(), **facts}
    shown = keys.read(keys.signed(made), audience=SITE, now=NOW).facts
    assert not set(facts) & set(shown)


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("algorithm", ["Ed25519", "EdDSA"])
def test_a_platform_that_keeps_its_key_to_itself(keys: LinkKeys, algorithm: str) -> None:
    secret = Ed25519PrivateKey.generate()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = secret.public_key().public_bytes(serialization.Encoding.PEM, form)
    (keys.folder / "link.pub").write_bytes(public)
    pem = secret.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    token = jwt.encode({"alg": algorithm}, claims(), OKPKey.import_key(pem), algorithms=[algorithm])
    assert keys.read(token, audience=SITE, now=NOW).person == "u-17"
    # What everybody may know is no secret to sign with, and the shared key is good no more.
    confused = jwt.encode({"alg": "HS256"}, claims(), OctKey.import_key(re.sub(rb"-.*-|\s", b"", public)))
    assert code(keys, confused) == "sign-in-link-damaged"
    assert code(keys, keys.signed(claims())) == "sign-in-link-damaged"


@pytest.mark.parametrize(("name", "content"), [("link.key", "short"), ("link.pub", "no key")])
def test_a_damaged_key_is_told(keys: LinkKeys, name: str, content: str) -> None:
    (keys.folder / name).write_text(content)
    with pytest.raises(IntegrityError, match=name):
        keys.read("a.b.c", audience=SITE, now=NOW)
