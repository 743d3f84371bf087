"""Concerns as signed statements: on the pages, over the interface and on the command line, as strict as suspensions."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consentry.cli.main import cli
from consentry.client.api import Consentry, RefusedError
from consentry.control_plane.plane import ControlPlane
from consentry.digests import canonical_json
from consentry.errors import ConsentryError
from consentry.ledger.case_events import Step
from consentry.ledger.oversight_events import Origin
from consentry.ledger.statement_events import Says
from consentry.oversight.authority_statement import FRESH_S, AuthorityStatement, Signatory
from consentry.oversight.order import Scope
from consentry.public_key import key_id, read_public_key, verify_signature
from consentry.service.gate import COOKIE
from consentry.transparency.download import opened
from service.staff import Office, office
from service.visitor import words

UK = frozenset({"UK"})
SECRET, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
PUBLIC = SECRET.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
ICO = Signatory(handle="ico", areas=UK, key=PUBLIC)
REFERENCE = "decision 7"


@pytest.fixture
def own() -> Iterator[Office]:
    with office() as made:
        with made.deployment.admission() as admission:
            admission.set_public_key("ico", PUBLIC)
        yield made


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(ConsentryError) as caught:
        yield
    assert caught.value.code == code


def drafted(control: ControlPlane, case: str = "ico-1", reference: str = REFERENCE) -> bytes:
    scope = Scope(areas=UK)
    return control.authority.draft(Says.CONCERN, who=ICO, case=case, reference=reference, scope=scope).to_bytes()


def file(control: ControlPlane, content: bytes, *, secret: Ed25519PrivateKey = SECRET, who: Signatory = ICO) -> None:
    control.authority.file(content, secret.sign(content), who=who)


def download(own: Office, case: str = "ico-1") -> list[dict[str, Any]]:
    """Return the statements of a case as its signed download has them."""
    key = read_public_key((own.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())
    document = opened(own.visitor("ico").get(f"/authority/cases/{case}?format=signed").content, key)
    found: list[dict[str, Any]] = document["statements"]
    return found


def kept_bytes(statement: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(statement["kept"][name], validate=True)


def test_the_page_takes_a_signed_concern_and_the_download_proves_it(own: Office) -> None:
    ico = own.visitor("ico")
    made = ico.get("/authority/draft?says=concern&case=ico-1&reference=decision+7&areas=UK&text=Posts+of+May")
    assert made.status_code == 200, words(made)
    files = {"statement": made.content, "signature": SECRET.sign(made.content)}
    told = words(ico.follow(ico.send("/authority/statement", files)))
    assert "Your concern was written down" in told
    assert f"signed with key {key_id(PUBLIC)}" in told
    assert "not signed" not in told
    assert own.deployment.control.orders.every() == []
    (statement,) = download(own)
    assert (statement["says"], statement["by"], statement["signed_with"]) == ("concern", "ico", key_id(PUBLIC))
    content = kept_bytes(statement, "statement")
    assert content == made.content
    assert json.loads(content)["text"] == "Posts of May"
    assert kept_bytes(statement, "key") == PUBLIC
    assert verify_signature(PUBLIC, signature=kept_bytes(statement, "signature"), content=content)


def test_the_same_concern_counts_once_whoever_sends_it_again(own: Office) -> None:
    control, content = own.deployment.control, drafted(own.deployment.control)
    file(control, content)
    with refused("statement-filed-before"):
        file(control, content)
    again = own.visitor("ico").send("/authority/statement", {"statement": content, "signature": SECRET.sign(content)})
    assert (again.status_code, "was filed before" in words(again)) == (422, True)
    assert len(control.cases.get("ico-1").statements) == 1


def test_a_concern_that_is_forged_or_altered_is_refused(own: Office) -> None:
    control = own.deployment.control
    good = drafted(control)
    body = json.loads(good)

    def changed(**values: object) -> bytes:
        return canonical_json({**body, **values})

    for code, content in {
        "statement-unreadable": changed(extra=1),
        "statement-of-another": changed(by="cnil"),
        "statement-for-another": changed(to="sha256:" + "0" * 64),
        "statement-not-fresh": changed(at=body["at"] - FRESH_S - 60),
        "statement-orders": changed(orders=["ico-1.1"]),
        "statement-areas": changed(scope={**body["scope"], "areas": ["BR"]}),
        "case-unknown": changed(case="somebody-elses"),
    }.items():
        with refused(code):
            file(control, content)
    with refused("statement-signature"):
        file(control, good, secret=OTHER)
    with refused("statement-no-key"):
        file(control, good, who=Signatory(handle="ico", areas=UK))
    assert control.cases.every() == []


def test_without_a_signature_it_only_opens_a_case_and_is_marked(own: Office) -> None:
    ico, form = own.visitor("ico"), {"concern-case": "ico-1", "concern-reference": "call", "concern-areas": "UK"}
    told = words(ico.follow(ico.post("/authority/concern", form)))
    assert "not signed" in told
    again = ico.post("/authority/concern", form)
    assert (again.status_code, "there is a case ico-1" in words(again).replace("`", "")) == (422, True)
    content = kept_bytes(download(own)[0], "statement")
    file(own.deployment.control, content)
    with refused("statement-filed-before"):
        file(own.deployment.control, content)
    first, second = download(own)
    assert (first["signed_with"], first["kept"]["signature"], first["kept"]["key"]) == (None, None, None)
    assert (second["signed_with"], kept_bytes(second, "statement")) == (key_id(PUBLIC), content)
    shown = words(ico.get("/authority/cases/ico-1"))
    assert (shown.count("not signed"), shown.count("signed with key")) == (1, 1)


def test_whoever_approved_before_a_concern_has_to_look_again(own: Office) -> None:
    control = own.deployment.control
    control.orders.suspend(Scope(areas=UK), case="posts", origin=Origin.OWN_DECISION, reference="letter", by="olga")
    control.cases.begin_review("posts", by="olga")
    control.cases.approve("posts", by="olga")
    assert control.cases.get("posts").approved_by(Step.LIFT)
    file(control, drafted(control, "posts"))
    assert not control.cases.get("posts").approved_by(Step.LIFT)
    control.cases.prohibit("posts", reference="decision", by="olga")
    with refused("case-over"):
        drafted(control, "posts")


def test_a_program_of_an_authority_drafts_and_files(own: Office) -> None:
    with Consentry(own.ask.url, session=own.cookies["ico"]) as ico:
        content = ico.draft_statement("concern", case="ico-1", reference=REFERENCE, scope={"areas": ["UK"]}, text="May")
        assert AuthorityStatement.from_bytes(content).text == "May"
        assert own.deployment.control.cases.every() == [], "a draft records nothing"
        filed = ico.file_statement(content, SECRET.sign(content))
        assert (filed["case"], filed["says"], filed["orders"]) == ("ico-1", "concern", [])
        with refused("statement-filed-before"):
            ico.file_statement(content, SECRET.sign(content))
        content = ico.draft_statement("suspend", case="ico-1", reference=REFERENCE, scope={"areas": ["UK"]})
        with refused("statement-signature"):
            ico.file_statement(content, OTHER.sign(content))
        assert ico.file_statement(content, SECRET.sign(content))["orders"] == ["ico-1.1"]
        content = ico.draft_statement("may-be-lifted", case="ico-1", reference=REFERENCE)
        assert ico.file_statement(content, SECRET.sign(content))["orders"] == ["ico-1.1"]
        with refused("statement-areas"):
            ico.draft_statement("concern", case="ico-2", reference=REFERENCE, scope={"areas": ["BR"]})
    assert [each["says"] for each in download(own)] == ["concern", "suspend", "may-be-lifted"]


@pytest.mark.parametrize("says", ["concern", "suspend"])
def test_a_draft_says_what_it_is_about_as_an_order_does(own: Office, says: str) -> None:
    """A scope left out would be everything: whoever writes a program has to have meant it, and no authority can."""
    before = own.deployment.ledger.head()
    with Consentry(own.ask.url, session=own.cookies["ico"]) as ico:
        with pytest.raises(RefusedError, match=r"`body\.scope` is missing") as caught:
            ico.draft_statement(says, case="ico-1", reference=REFERENCE)
        assert (caught.value.status, caught.value.code) == (422, "serve-malformed")
        nothing: list[dict[str, Any]] = [{}, {"areas": [], "purposes": []}]
        for scope in nothing:
            with refused("order-scope"):
                ico.draft_statement(says, case="ico-1", reference=REFERENCE, scope=scope)
    page = own.visitor("ico").get(f"/authority/draft?says={says}&case=ico-1&reference=decision+7&areas=")
    assert (page.status_code, "an empty scope is everything" in words(page)) == (422, True)
    assert '<a href="#areas">an empty scope is everything</a>' in page.text
    assert own.deployment.ledger.head() == before


@pytest.mark.parametrize("handle", ["olga", "ada", "audrey"])
def test_nobody_else_files_over_the_interface(own: Office, handle: str) -> None:
    content = drafted(own.deployment.control)
    with Consentry(own.ask.url, session=own.cookies[handle]) as staff:
        for ask in (
            lambda: staff.draft_statement("concern", case="ico-1", reference="x", scope={"areas": ["UK"]}),
            lambda: staff.file_statement(content, SECRET.sign(content)),
        ):
            with pytest.raises(RefusedError) as caught:
                ask()
            assert (caught.value.status, caught.value.code) == (403, "access-denied")


@pytest.mark.parametrize(("statement", "signature"), [("e30", "A" * 88), ("!!!!", "A" * 88), ("e30=", "AAAA")])
def test_what_is_not_base64_is_refused(own: Office, statement: str, signature: str) -> None:
    answer = httpx2.post(
        f"{own.ask.url}/v1/authority/statements",
        json={"statement": statement, "signature": signature},
        headers={"cookie": f"{COOKIE}={own.cookies['ico']}", "sec-fetch-site": "none"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "serve-malformed")


def test_the_command_line_takes_one(own: Office, tmp_path: Path) -> None:
    home = own.deployment.settings.home

    def run(*line: str) -> str:
        done = CliRunner().invoke(cli, ["--home", str(home), "authority", *line], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    statement, signature = tmp_path / "statement.json", tmp_path / "statement.sig"
    run("draft", "ico", "concern", "--case", "ico-1", "--area", "UK", "--reference", "r", "--output", str(statement))
    signature.write_bytes(SECRET.sign(statement.read_bytes()))
    said = run("file", "ico", str(statement), str(signature))
    assert said == "The concern is in case ico-1. Nothing is suspended by it.\n"
    (found,) = download(own)
    assert found["signed_with"] == key_id(PUBLIC)
