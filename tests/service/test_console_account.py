"""Accounts and keys of programs: who makes and ends them, and the page of an account with its roles and key."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consentry.accounts.access import Role
from consentry.errors import ConflictError, InputError
from consentry.public_key import key_id, read_public_key
from consentry.transparency.download import opened
from service.staff import HOSTILE, Office, may, office
from service.visitor import PASSWORD, Visitor, words


@pytest.fixture
def own() -> Iterator[Office]:
    with office(filled=False) as made:
        yield made


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    with office(filled=False) as made:
        yield made


def pem(secret: Ed25519PrivateKey) -> bytes:
    return secret.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_the_page_is_for_administrators_and_is_reached_from_the_list(place: Office) -> None:
    assert may(place.statuses("/console/accounts/olga")) == {"ada"}
    ada = place.visitor("ada")
    assert 'href="/console/accounts/olga"' in ada.get("/console/accounts").text
    assert "privacy-officer" in words(ada.get("/console/accounts/olga"))
    assert ada.get("/console/accounts/nobody").status_code == 404
    for handle in ("olga", "ico", ""):
        visitor = place.visitor(handle)
        for step in ("roles", "key"):
            assert visitor.post(f"/console/accounts/sue/{step}", {"roles": "administrator"}).status_code in (401, 403)


def test_roles_are_changed_and_sessions_end(own: Office) -> None:
    ada, sue = own.visitor("ada"), own.visitor("sue")
    assert sue.get("/console/overview").status_code == 200
    changed = ada.post("/console/accounts/sue/roles", {"roles": ["auditor", "ml-engineer"]})
    assert "It is changed" in words(ada.follow(changed))
    assert sue.get("/console/overview").status_code == 303, "signed out"
    with own.deployment.admission() as admission:
        assert admission.get("sue").roles == {Role.AUDITOR, Role.ML_ENGINEER}
    (row,) = ada.get("/console/accounts?q=sue&format=json").json()["accounts"]
    assert row["roles"] == ["auditor", "ml-engineer"]


@pytest.mark.parametrize(
    ("handle", "form", "said"),
    [
        ("ada", {"roles": "privacy-officer"}, "Nobody changes what they themselves may do"),
        ("sue", {}, "The account has no role"),
        ("sue", {"roles": "king"}, "There is no such role"),
        ("sue", {"roles": "member"}, "An account cannot be member"),
        ("sue", {"roles": "platform"}, "An account cannot be platform"),
        ("sue", {"roles": "authority", "areas": "UK"}, "An authority stays one, and nobody becomes one"),
        ("sue", {"roles": "support", "areas": "UK"}, "An authority has jurisdictions, and nobody else has"),
        ("ico", {"roles": "support"}, "An authority stays one, and nobody becomes one"),
        ("ico", {"roles": "authority", "areas": ""}, "An authority has jurisdictions"),
        ("ico", {"roles": "authority", "areas": "ATLANTIS"}, "is no jurisdiction"),
        ("ico", {"roles": ["authority", "auditor"], "areas": "UK"}, "An authority cannot be anything else as well"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    place: Office, handle: str, form: dict[str, object], said: str
) -> None:
    with place.deployment.admission() as admission:
        before = admission.get(handle)
        answer = place.visitor("ada").post(f"/console/accounts/{handle}/roles", form)
        assert answer.status_code == 422
        assert said in words(answer).replace("`", "")
        assert admission.get(handle) == before


def test_an_authority_is_given_other_jurisdictions(own: Office) -> None:
    ada = own.visitor("ada")
    assert ada.post("/console/accounts/ico/roles", {"roles": "authority", "areas": "uk, ch"}).status_code == 303
    with own.deployment.admission() as admission:
        assert admission.get("ico").areas == {"UK", "CH"}


def test_two_who_change_an_account_at_a_time_do_not_undo_each_other(own: Office) -> None:
    with own.deployment.admission() as admission:
        plain = admission._store.change_account

        def late(*args: object, **named: object) -> bool:
            admission._store.change_account = plain  # type: ignore[method-assign]
            admission.disable("sue")
            return plain(*args, **named)  # type: ignore[arg-type]

        admission._store.change_account = late  # type: ignore[method-assign]
        with pytest.raises(ConflictError):
            admission.change_roles("sue", roles=frozenset({Role.AUDITOR}))
        assert admission.get("sue").disabled
        assert admission.get("sue").roles == {Role.SUPPORT}


def test_the_key_of_an_authority_is_taken_from_a_file_or_as_text(own: Office) -> None:
    ada = own.visitor("ada")
    first, second = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    assert "none yet" in words(ada.get("/console/accounts/ico"))
    assert ada.send("/console/accounts/ico/key", {"file": pem(first)}).status_code == 303
    raw = first.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert key_id(raw) in ada.get("/console/accounts/ico").text
    done = ada.follow(ada.post("/console/accounts/ico/key", {"key": pem(second).decode()}))
    assert "The key counts from now on" in words(done)
    assert key_id(raw) not in done.text
    made = own.visitor("ico").get("/authority/draft?says=suspend&case=ico-1&reference=decision&areas=UK")
    for secret, status in ((first, 422), (second, 303)):
        files = {"statement": made.content, "signature": secret.sign(made.content)}
        assert own.visitor("ico").send("/authority/statement", files).status_code == status


def test_an_authority_sees_every_key_that_was_ever_registered_for_it(own: Office) -> None:
    ada, ico = own.visitor("ada"), own.visitor("ico")
    assert "None is registered" in words(ico.get("/authority"))
    first, second = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    for secret in (first, second, first):
        ada.send("/console/accounts/ico/key", {"file": pem(secret)})
    ids = [key_id(each.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)) for each in (first, second)]
    shown = ico.get("/authority").text
    assert [shown.count(each) for each in ids] == [3, 1], "also one that was there for a moment"
    public = read_public_key((own.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())
    said = opened(ico.get("/authority?format=signed").content, public)["signing_key"]
    assert said["key"] == ids[0]
    assert [each["key"] for each in said["changes"]] == [ids[0], ids[1], ids[0]]
    assert all(own.deployment.control.desk.parts.clock() - each["at"] < 600 for each in said["changes"])


def test_what_is_no_key_or_for_no_authority_is_refused(place: Office) -> None:
    ada = place.visitor("ada")
    other = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = pem(Ed25519PrivateKey.generate())
    for handle, content in (("ico", other), ("ico", b"x" * 10_000), ("ico", b""), ("sue", good)):
        assert ada.send(f"/console/accounts/{handle}/key", {"file": content}).status_code == 422, handle
    wrong = ada.post("/console/accounts/ico/key", {"key": HOSTILE})
    assert wrong.status_code == 422
    assert "<script>alert" not in wrong.text
    with place.deployment.admission() as admission:
        assert admission.public_key("ico") is None
        with pytest.raises(InputError):
            admission.set_public_key("sue", b"x" * 32)


# Accounts and keys


def test_accounts_are_made_changed_and_closed(own: Office) -> None:
    ada = own.visitor("ada")
    made = ada.post("/console/accounts", {"handle": "nora", "roles": "support"})
    password = re.search(r"<code>([\w-]{39})</code>", made.text)
    assert password is not None
    assert password[1] not in ada.get("/console/accounts").text, "shown once"
    nora = own.visitor()
    assert nora.post("/sign-in", {"handle": "nora", "password": password[1]}).status_code == 303
    wrong = ada.post("/console/accounts", {"handle": HOSTILE, "roles": "support"})
    assert wrong.status_code == 422
    assert "<script>alert" not in wrong.text
    assert ada.post("/console/accounts", {"handle": "bob", "roles": "member"}).status_code == 422
    assert ada.post("/console/accounts", {"handle": "bob", "roles": "king"}).status_code == 422
    wrong = ada.post("/console/accounts", {"handle": "bob", "roles": "authority", "areas": "United Kingdom"})
    assert 'href="#areas"' in wrong.text
    assert ada.post("/console/accounts/ada/disable").status_code == 422
    assert ada.post("/console/accounts/nora/disable").status_code == 303
    assert nora.get("/console/overview").status_code == 303
    assert "closed" in words(ada.get("/console/accounts"))


def test_keys_are_made_and_revoked(own: Office) -> None:
    ada = own.visitor("ada")
    made = ada.post("/console/keys", {"name": "trainer", "roles": "workload"})
    secret = re.search(r"<code>(ck_[\w-]+)</code>", made.text)
    assert secret is not None
    assert secret[1] not in ada.get("/console/keys").text
    assert own.ask("GET", "/v1/leases", token=secret[1]).status == 200
    assert ada.post("/console/keys", {"name": "boss", "roles": "privacy-officer"}).status_code == 422
    assert ada.post("/console/keys", {"name": "old", "roles": "workload", "expires": "2001-01-01"}).status_code == 422
    (row,) = ada.get("/console/keys?format=json").json()["keys"]
    assert row["made_by"] == "ada"
    assert ada.post(f"/console/keys/{row['ident']}/revoke").status_code == 303
    assert own.ask("GET", "/v1/leases", token=secret[1]).status == 401


@pytest.mark.parametrize("path", ["/console/accounts", "/console/keys"])
def test_only_administrators_change_accounts_and_keys(place: Office, path: str) -> None:
    for handle in ("olga", "paul", "ico", ""):
        assert place.visitor(handle).post(path, {"handle": "eve", "name": "eve"}).status_code in (401, 403)


def test_a_password_is_offered_to_those_alone_who_have_one_here(place: Office) -> None:
    with place.deployment.admission() as admission:
        admission.add("wanda", roles=frozenset({Role.SUPPORT}), password=PASSWORD)
        admission.add("cnil", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"FR"}), password=PASSWORD)
    for handle, page in (("wanda", "/console/overview"), ("cnil", "/authority")):
        visitor = Visitor(place.ask.url)
        visitor.post("/sign-in", {"handle": handle, "password": PASSWORD})
        assert "Your password" in words(visitor.get(page))
        assert "get a new password" in words(visitor.get("/console/sessions"))
    for handle, page in (("olga", "/console/overview"), ("ada", "/console/accounts"), ("ico", "/authority")):
        assert "password" not in words(place.visitor(handle).get(page)).partition("Your sessions")[0]
        assert "tell whoever runs the service" in words(place.visitor(handle).get("/console/sessions"))
        assert place.visitor(handle).get("/console/password").status_code == 409, "signs in elsewhere"
