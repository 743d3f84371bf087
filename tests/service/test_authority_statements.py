"""What an authority files: concerns, and statements that count by its signature alone."""

from __future__ import annotations

import json

import pytest

from consentry.errors import ConsentryError, StateError
from consentry.ledger.oversight_events import Origin
from consentry.ledger.statement_events import Says
from consentry.oversight.authority_statement import FRESH_S, AuthorityStatement, Signatory
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from end_to_end.case_steps import narrow
from service.authorities import CNIL, ICO, Office, Scene, statement, suspend
from service.staff import HOSTILE
from service.visitor import words


def test_a_concern_opens_a_case_and_suspends_nothing(scene: Scene) -> None:
    ico = scene.visitor("ico")
    form = {"concern-case": "ico-posts", "concern-reference": HOSTILE, "concern-areas": "gb", "concern-text": HOSTILE}
    answer = ico.follow(ico.post("/authority/concern", form))
    assert "Your concern was written down" in words(answer)
    assert "concern raised" in words(answer)
    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text
    assert scene.control.orders.every() == []
    assert scene.control.cases.get("ico-posts").by == "ico"
    assert scene.visitor("anpd").get("/authority/cases/ico-posts").status_code == 404


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"concern-case": "posts", "concern-areas": "UK"}, "no case `posts` concerns `ico`"),
        ({"concern-case": "ico-posts", "concern-areas": "BR"}, "not only about the jurisdictions"),
        ({"concern-case": "ico-posts", "concern-areas": ""}, "not only about the jurisdictions"),
        ({"concern-case": "ico-posts", "concern-areas": "ATLANTIS"}, "unknown area"),
        ({"concern-case": "ico-posts", "concern-areas": "UK", "concern-reference": ""}, "the reference is missing"),
    ],
)
def test_a_wrong_concern_keeps_what_was_typed(scene: Scene, form: dict[str, str], said: str) -> None:
    typed = {"concern-reference": "letter 8", "concern-text": f"words {HOSTILE}", **form}
    answer = scene.visitor("ico").post("/authority/concern", typed)
    assert answer.status_code == 422
    assert said in words(answer)
    assert "words &lt;script&gt;" in answer.text
    assert "<title>Error:" in answer.text
    assert scene.control.cases.every() == []


def test_a_name_says_nothing_about_cases_of_others(scene: Scene) -> None:
    suspend(scene.control, "ico-but-brazil", "BR")
    ico = scene.visitor("ico")
    form = {"concern-reference": "x", "concern-areas": "UK"}
    known = ico.post("/authority/concern", {**form, "concern-case": "ico-but-brazil"})
    unknown = ico.post("/authority/concern", {**form, "concern-case": "nobody-has-this"})
    assert words(known).replace("ico-but-brazil", "…") == words(unknown).replace("nobody-has-this", "…")


def test_a_signed_suspension_holds_until_the_authority_signs_again(scene: Scene) -> None:
    ico = scene.visitor("ico")
    made = ico.get("/authority/draft?says=suspend&case=ico-1&reference=decision+7&areas=UK&purposes=train-ai")
    assert made.status_code == 200, words(made)
    files = {"statement": made.content, "signature": ICO.secret.sign(made.content)}
    answer = ico.follow(ico.send("/authority/statement", files))
    assert "Your order is in force" in words(answer)
    assert "Sign that it may be lifted" in words(answer)
    (order,) = scene.control.orders.every()
    assert (order.origin, order.by, order.scope.purposes) == (Origin.AUTHORITY, "ico", frozenset({Purpose.TRAIN_AI}))
    kept = json.loads(
        scene.control.desk.parts.objects.get(scene.control.cases.get("ico-1").statements[0].body.document)
    )
    assert kept["signature"]
    assert kept["key"]

    _, _, obstacles, _ = scene.control.cases.register_of("ico-1")
    assert [each.about for each in obstacles if each.kind == "authority"] == ["ico-1.1"]
    assert scene.control.cases.lift("ico-1", by="anna", reference="reply")
    with pytest.raises(StateError) as refused:
        scene.control.cases.withdraw("ico-1", by="anna", reference="reply")
    assert refused.value.code == "case-authority-unsigned"
    with pytest.raises(StateError) as refused:
        scene.control.cases.narrow("ico-1", Scope(areas=frozenset({"GB-SCT"})), by="anna", reference="reply")
    assert refused.value.code == "case-authority-unsigned"

    made = ico.get("/authority/draft?says=may-be-lifted&case=ico-1&reference=decision+8")
    files = {"statement": made.content, "signature": ICO.secret.sign(made.content)}
    assert "may be lifted" in words(ico.follow(ico.send("/authority/statement", files)))
    _, _, obstacles, _ = scene.control.cases.register_of("ico-1")
    assert "authority" not in [each.kind for each in obstacles]


def test_lifting_needs_the_signature_of_whoever_issued_it(scene: Scene) -> None:
    for office in (ICO, CNIL):
        made = statement(scene.control, office)
        scene.control.authority.file(made.to_bytes(), office.secret.sign(made.to_bytes()), who=office.signatory)
    suspend(scene.control, "cnil-1", "UK")
    with pytest.raises(ConsentryError) as refused:
        statement(scene.control, ICO, Says.MAY_BE_LIFTED, "cnil-1")
    assert refused.value.code == "statement-orders"
    made = statement(scene.control, CNIL, Says.MAY_BE_LIFTED, "cnil-1")
    forged = AuthorityStatement(
        says=made.says, to=made.to, by="ico", case=made.case, reference="x", at=made.at, orders=made.orders
    ).to_bytes()
    with pytest.raises(ConsentryError) as refused:
        scene.control.authority.file(forged, ICO.secret.sign(forged), who=ICO.signatory)
    assert refused.value.code == "statement-orders"
    assert scene.control.cases.get("cnil-1").unsigned() == {"cnil-1.1": ("cnil",)}


def test_a_later_order_needs_a_later_signature(scene: Scene) -> None:
    for says in (Says.SUSPEND, Says.MAY_BE_LIFTED, Says.SUSPEND):
        made = statement(scene.control, ICO, says)
        if says is Says.SUSPEND:
            made = AuthorityStatement.from_bytes(
                made.to_bytes().replace(b"decision 7", f"decision {len(scene.control.orders.every())}".encode())
            )
        scene.control.authority.file(made.to_bytes(), ICO.secret.sign(made.to_bytes()), who=ICO.signatory)
    assert scene.control.cases.get("ico-1").unsigned() == {"ico-1.2": ("ico",)}


def _changed(content: bytes, **values: object) -> bytes:
    from consentry.digests import canonical_json

    return canonical_json({**json.loads(content), **values})


def test_statements_that_are_forged_altered_or_replayed_are_refused(scene: Scene) -> None:
    control = scene.control
    good = statement(control, ICO).to_bytes()
    now = json.loads(good)["at"]

    def refused(content: bytes, *, signed_by: Office = ICO, who: Signatory = ICO.signatory) -> str:
        with pytest.raises(ConsentryError) as found:
            control.authority.file(content, signed_by.secret.sign(content), who=who)
        return found.value.code

    assert refused(good, signed_by=CNIL) == "statement-signature"
    with pytest.raises(ConsentryError) as found:
        control.authority.file(good + b" ", ICO.secret.sign(good), who=ICO.signatory)
    assert found.value.code == "statement-signature"
    assert refused(good, who=Signatory(handle="ico", areas=ICO.areas)) == "statement-no-key"
    assert refused(good + b" ") == "statement-unreadable"
    assert refused(b"\xff") == "statement-unreadable"
    assert refused(b"[" * 50_000) == "statement-unreadable"
    assert refused(_changed(good, extra=1)) == "statement-unreadable"
    assert refused(_changed(good, says="everything")) == "statement-unreadable"
    assert refused(_changed(good, at="now")) == "statement-unreadable"
    assert refused(_changed(good, by="cnil")) == "statement-of-another"
    assert refused(_changed(good, to="sha256:" + "0" * 64)) == "statement-for-another"
    assert refused(_changed(good, at=now - FRESH_S - 60)) == "statement-not-fresh"
    assert refused(_changed(good, at=now + 3600)) == "statement-not-fresh"
    assert refused(_changed(good, orders=["ico-1.1"])) == "statement-orders"
    assert refused(_changed(good, scope={**json.loads(good)["scope"], "areas": ["BR"]})) == "statement-areas"
    assert refused(_changed(good, scope={**json.loads(good)["scope"], "areas": []})) == "statement-areas"
    assert refused(_changed(good, case="somebody-elses")) == "case-unknown"
    assert refused(_changed(good, case="ico-1", says="may-be-lifted")) == "statement-orders"
    assert control.orders.every() == []
    control.authority.file(good, ICO.secret.sign(good), who=ICO.signatory)
    assert refused(good) == "statement-filed-before"
    assert len(control.orders.every()) == 1


def test_a_signed_statement_with_a_file_missing_is_refused(scene: Scene) -> None:
    answer = scene.visitor("ico").send("/authority/statement", {"statement": b"{}"})
    assert answer.status_code == 422
    assert "a file is missing" in words(answer)


def test_nobody_else_makes_an_order_of_an_authority(scene: Scene) -> None:
    with pytest.raises(ConsentryError) as refused:
        scene.control.orders.suspend(Scope(), case="c", origin=Origin.AUTHORITY, reference="x")
    assert refused.value.code == "order-unsigned"


def test_a_smaller_order_in_place_of_an_authoritys_is_its_own_too(scene: Scene) -> None:
    control = scene.control
    for says in (Says.SUSPEND, Says.MAY_BE_LIFTED):
        made = statement(control, ICO, says).to_bytes()
        control.authority.file(made, ICO.secret.sign(made), who=ICO.signatory)
    smaller = Scope(areas=frozenset({"GB-SCT"}))
    assert narrow(scene.deployment, smaller, told=["gb"], case="ico-1", by=("anna", "ben"), reference="reply").done
    assert control.cases.get("ico-1").unsigned() == {"ico-1.2": ("ico",)}
