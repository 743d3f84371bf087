"""The documents of a case: read and taken away by staff, and by an authority those that it may read."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consentry.accounts.access import Action, scope_of
from consentry.accounts.access import Scope as Reach
from consentry.errors import NotFoundError
from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.oversight.paper import PaperKind
from consentry.public_key import read_public_key
from consentry.service.papers import MOST_SHOWN, filed_of, text_of
from consentry.transparency.download import opened
from service.staff import HOSTILE, STAFF, Office, office
from service.visitor import Visitor, words

CASE = "ico-posts"
EVIDENCE = f"The posts of May were deleted. {HOSTILE}"
NOTICE = "What we use\n\nYou can say no at any time."
WORDS = "Posts of people in Wales were used before they were told."


@pytest.fixture
def own() -> Iterator[Office]:
    """A case that an authority opened, with a document of every kind."""
    with office() as made:
        concern = {"case": CASE, "reference": "letter 7", "areas": "UK", "text": WORDS}
        filed = made.visitor("ico").post(
            "/authority/concern", {f"concern-{name}": each for name, each in concern.items()}
        )
        assert filed.status_code == 303, words(filed)
        control = made.deployment.control
        control.orders.suspend(
            Scope(areas=frozenset({"UK"})), case=CASE, origin=Origin.AUTHORITY_REQUEST, reference="letter 8", by="olga"
        )
        control.conditions.add(
            ConditionAdded(
                case=CASE, condition="deleted", title="The posts of May are gone", owner="olga", due=4_000_000_000,
                check=None, policy=None, parameters=(), by="olga",
            )
        )  # fmt: skip
        control.conditions.meet(CASE, "deleted", evidence=EVIDENCE.encode(), by="olga")
        control.notices.write("told", NOTICE.encode(), languages=["en"], channel="mail", audience="members", by="olga")
        control.cases.require_notice(CASE, "told", days=30, by="olga")
        person = made.deployment.person("gb")
        control.notices.serve("told", [person], at=control.desk.parts.clock())
        control.reports.schedule(CASE, "first", title="What was done", due=2_000_000_000, by="olga")
        report = control.reports.generate(CASE, "first")
        control.reports.deliver(CASE, "first", position=report["position"], by="olga")
        yield made


def positions(made: Office) -> dict[str, int]:
    return {str(each.kind): each.position for each in made.deployment.control.cases.papers(CASE)}


@pytest.mark.parametrize(("handle", "base"), [("ico", "/authority"), ("audrey", "/console"), ("olga", "/console")])
def test_every_document_has_a_name_that_leads_to_its_text(own: Office, handle: str, base: str) -> None:
    visitor = own.visitor(handle)
    shown = visitor.get(f"{base}/cases/{CASE}")
    found = positions(own)
    assert set(found) == set(PaperKind)
    named = {
        "statement": ("concern: letter 7", WORDS),
        "evidence": ("The posts of May are gone", "The posts of May were deleted."),
        "notice": ("told, version 1", "You can say no at any time."),
        "report": ("What was done", "consentry/case-report/v5"),
    }
    for kind, (name, text) in named.items():
        address = f"{base}/cases/{CASE}/papers/{found[kind]}"
        assert re.search(rf'<a href="{address}">[^<]*', shown.text), kind
        assert name in shown.text
        page = visitor.get(address)
        assert page.status_code == 200
        assert text in words(page), kind
        assert "<script>alert" not in page.text
    assert "sha256:" not in words(shown).partition("Timeline")[2], "a digest says nothing to anybody"


def test_the_timelines_name_every_kind_of_event_in_words(own: Office) -> None:
    for handle, base in (("ico", "/authority"), ("audrey", "/console")):
        told = words(own.visitor(handle).get(f"{base}/cases/{CASE}"))
        assert "filed" in told
        assert not re.search(r"\b(case|statement|order|condition|notice|report)\.[a-z-]+\b", told), handle


@pytest.mark.parametrize(("handle", "base"), [("ico", "/authority"), ("audrey", "/console")])
def test_a_document_is_taken_away_byte_by_byte_and_opened_by_no_browser(own: Office, handle: str, base: str) -> None:
    answer = own.visitor(handle).get(f"{base}/cases/{CASE}/papers/{positions(own)['evidence']}?format=file")
    assert answer.content == EVIDENCE.encode()
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_an_authority_takes_a_document_away_signed(own: Office) -> None:
    address = f"/authority/cases/{CASE}/papers/{positions(own)['evidence']}"
    signed = own.visitor("ico").get(f"{address}?format=signed").content
    key = read_public_key((own.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())
    document = opened(signed, key)
    assert base64.b64decode(document["content"]) == EVIDENCE.encode()
    assert (document["case"], document["kind"]) == (CASE, "evidence")


def test_a_position_leads_to_documents_of_its_case_only(own: Office) -> None:
    own.deployment.control.cases.open("other", title="Another", reference="x", by="olga")
    found = positions(own)
    for handle, base in (("ico", "/authority"), ("audrey", "/console")):
        visitor = own.visitor(handle)
        for position in (*found.values(), 0, 1 << 50):
            assert visitor.get(f"{base}/cases/other/papers/{position}").status_code == 404
        for position in (0, max(found.values()) + 1, 1 << 50):
            assert visitor.get(f"{base}/cases/{CASE}/papers/{position}").status_code == 404
    assert own.visitor("sue").get(f"/console/cases/{CASE}/papers/{found['evidence']}").status_code == 403


def test_reports_and_statements_are_for_those_who_may_read_reports(own: Office) -> None:
    mel, found = own.visitor("mel"), positions(own)
    shown = mel.get(f"/console/cases/{CASE}")
    assert shown.status_code == 200
    for kind, position in found.items():
        address = f"/console/cases/{CASE}/papers/{position}"
        may = kind not in {"report", "statement"}
        assert (address in shown.text) == may, kind
        for asked in (address, f"{address}?format=file"):
            assert mel.get(asked).status_code == (200 if may else 403), asked
    assert mel.get(f"/console/cases/{CASE}/reports/first.json").status_code == 403


@pytest.mark.parametrize(
    "where",
    [
        f"/console/cases/{CASE}",
        f"/console/cases/{CASE}/timeline",
        f"/console/cases/{CASE}/timeline?format=csv",
        f"/console/cases/{CASE}/timeline?format=json",
        f"/console/cases/{CASE}/timeline.json",
        f"/v1/cases/{CASE}/timeline",
        f"/v1/cases/{CASE}/timeline?limit=1000",
    ],
)
def test_a_timeline_says_what_authorities_filed_to_those_who_may_read_it(own: Office, where: str) -> None:
    filed = {"Statement filed by an authority", "statement.filed"}
    for handle, role in STAFF.items():
        answer = own.visitor(handle).get(where)
        everything = frozenset({role})
        if scope_of(Action.CASE_READ, everything) is not Reach.ALL:
            assert answer.status_code == 403, handle
            continue
        assert answer.status_code == 200, handle
        timeline = answer.text.partition("<h2>Timeline</h2>")[2] or answer.text
        said = any(each in timeline for each in filed)
        assert said == (scope_of(Action.REPORT_READ, everything) is Reach.ALL), handle
        assert "letter 8" in timeline, "an order is for everybody who sees the case"


def test_a_report_that_was_delivered_is_not_taken_away_by_an_order_for_another_country(own: Office) -> None:
    control, ico = own.deployment.control, own.visitor("ico")
    before = ico.get(f"/authority/reports/{CASE}/first")
    assert before.status_code == 200
    control.orders.suspend(
        Scope(areas=frozenset({"BR"})), case=CASE, origin=Origin.BINDING_ORDER, reference="carta", by="olga"
    )
    document = json.loads(base64.b64decode(json.loads(ico.get(f"/authority/reports/{CASE}/first").content)["payload"]))
    assert document == json.loads(base64.b64decode(json.loads(before.content)["payload"]))
    (row,) = ico.get("/authority/reports?format=json").json()["reports"]
    assert (row["title"], row["state"]) == ("What was done", "delivered")
    seen = control.authority_view.case(CASE, frozenset({"UK"}))
    assert [each["kind"] for each in seen["timeline"]].count("report.delivered") == 1
    assert control.authority_view.start(frozenset({"UK"}))["reports"][0]["delivered"] is not None


def test_a_later_report_of_a_case_about_others_as_well_leaves_the_earlier_one_where_it_is(own: Office) -> None:
    control, ico, anpd = own.deployment.control, own.visitor("ico"), frozenset({"BR"})
    before = control.authority_view.report(CASE, "first", areas=frozenset({"UK"}))
    control.orders.suspend(
        Scope(areas=frozenset({"BR"})), case=CASE, origin=Origin.BINDING_ORDER, reference="carta", by="olga"
    )
    control.reports.schedule(CASE, "second", title="Of both", due=2_000_000_000, by="olga")
    for name in ("first", "second"):
        control.reports.deliver(CASE, name, position=None, by="olga")
    assert control.authority_view.report(CASE, "first", areas=frozenset({"UK"})) == before
    assert ico.get(f"/authority/reports/{CASE}/second").status_code == 404
    rows = {each["report"]: each for each in ico.get("/authority/reports?format=json").json()["reports"]}
    assert rows["second"]["title"] is None, "it may speak of others"
    assert rows["second"]["state"] == "delivered, not shown here", "it is owed no more"
    seen = control.authority_view.case(CASE, frozenset({"UK"}))
    assert [each["kind"] for each in seen["timeline"]].count("report.delivered") == 1
    assert [each["kind"] for each in seen["papers"]].count("report") == 1
    for name in ("first", "second"):
        with pytest.raises(NotFoundError, match="no such report"):
            control.authority_view.report(CASE, name, areas=anpd)


def test_a_report_of_when_nobody_knew_what_a_case_was_about_is_shown_to_nobody_later(own: Office) -> None:
    control, name = own.deployment.control, "by-hand"
    control.cases.open(name, title="Something", reference="x", by="olga")
    control.reports.schedule(name, "first", title="What was done", due=2_000_000_000, by="olga")
    control.reports.deliver(name, "first", position=None, by="olga")
    for area in ("UK", "BR"):
        control.orders.suspend(
            Scope(areas=frozenset({area})), case=name, origin=Origin.BINDING_ORDER, reference="letter", by="olga"
        )
    with pytest.raises(NotFoundError, match="no such report"):
        control.authority_view.report(name, "first", areas=frozenset({"UK"}))


def test_of_a_case_about_others_as_well_an_authority_reads_its_statements_and_reports_of_before(own: Office) -> None:
    own.deployment.control.orders.suspend(
        Scope(areas=frozenset({"BR"})), case=CASE, origin=Origin.BINDING_ORDER, reference="carta", by="olga"
    )
    ico, found = own.visitor("ico"), positions(own)
    shown = ico.get(f"/authority/cases/{CASE}")
    for kind, position in found.items():
        address = f"/authority/cases/{CASE}/papers/{position}"
        may = kind in {"statement", "report"}
        assert (address in shown.text) == may
        for asked in (address, f"{address}?format=file", f"{address}?format=signed"):
            assert ico.get(asked).status_code == (200 if may else 404), asked


def test_who_gave_the_evidence_is_not_said_to_an_authority(own: Office) -> None:
    key = read_public_key((own.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())
    ico = own.visitor("ico")
    document = opened(ico.get(f"/authority/cases/{CASE}?format=signed").content, key)
    assert "olga" not in json.dumps(document) + words(ico.get(f"/authority/cases/{CASE}"))


def test_a_signature_is_checked_where_a_statement_is_read(own: Office) -> None:
    secret = Ed25519PrivateKey.generate()
    with own.deployment.admission() as admission:
        admission.set_public_key("ico", secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    ico = own.visitor("ico")
    made = ico.get("/authority/draft?says=suspend&case=ico-2&reference=decision+9&areas=UK&purposes=train-ai")
    ico.send("/authority/statement", {"statement": made.content, "signature": secret.sign(made.content)})
    (paper,) = own.deployment.control.cases.papers("ico-2")
    for handle, base in (("ico", "/authority"), ("olga", "/console")):
        said = words(own.visitor(handle).get(f"{base}/cases/ico-2/papers/{paper.position}"))
        assert "suspend: decision 9" in said
        assert "checks key sha256:" in said
        assert "UK; train-ai" in said
    content = own.deployment.control.cases.paper("ico-2", paper.position)[1]
    kept = json.loads(content)
    forged = json.dumps({**kept, "signature": base64.b64encode(b"\0" * 64).decode()}).encode()
    filed = filed_of("statement", forged)
    assert filed is not None
    assert not filed.holds


def test_what_is_no_text_is_only_taken_away(own: Office) -> None:
    control = own.deployment.control
    control.conditions.reopen(CASE, "deleted", reason="not all of them", by="olga")
    control.conditions.meet(CASE, "deleted", evidence=b"%PDF-1.7\xff\xfe", by="petra")
    last = max(each.position for each in control.cases.papers(CASE) if each.kind is PaperKind.EVIDENCE)
    for handle, base in (("ico", "/authority"), ("audrey", "/console")):
        visitor = own.visitor(handle)
        address = f"{base}/cases/{CASE}/papers/{last}"
        assert "Take it away to read it" in words(visitor.get(address))
        assert visitor.get(f"{address}?format=file").headers["content-disposition"].endswith('.pdf"')
    assert text_of(b"x" * (MOST_SHOWN + 1)) is None
    assert text_of(b"a\0b") is None
    assert filed_of("statement", b"[]") is None
    assert filed_of("evidence", b"{}") is None


def test_nobody_who_is_not_signed_in_reads_a_document(own: Office) -> None:
    for base in ("/authority", "/console"):
        answer = Visitor(own.ask.url).get(f"{base}/cases/{CASE}/papers/{positions(own)['evidence']}", accept="*/*")
        assert answer.status_code == 401


def test_a_notice_has_a_document_for_each_of_its_texts(own: Office) -> None:
    control = own.deployment.control
    control.notices.write(
        "told", NOTICE.encode(), languages=["en"], channel="mail", audience="members", others={"cy": b"Cewch wrthod."}
    )
    control.notices.serve("told", [own.deployment.person("gb")], at=control.desk.parts.clock())
    position = max(each.position for each in control.cases.papers(CASE) if each.kind is PaperKind.NOTICE)
    key = read_public_key((own.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())
    for handle, base in (("ico", "/authority"), ("audrey", "/console")):
        visitor = own.visitor(handle)
        shown = visitor.get(f"{base}/cases/{CASE}").text
        address = f"{base}/cases/{CASE}/papers/{position}"
        assert f'"{address}?part=1"' in shown
        assert "You can say no" in words(visitor.get(address))
        welsh = visitor.get(f"{address}?part=1")
        assert "Cewch wrthod." in words(welsh)
        assert "version 2, cy" in words(welsh)
        (file,) = re.findall(r'href="(\?format=file[^"]*)"', welsh.text)
        assert visitor.get(address + file.replace("&amp;", "&")).content == b"Cewch wrthod."
        assert visitor.get(f"{address}?part=2").status_code == 404
    signed = own.visitor("ico").get(f"/authority/cases/{CASE}/papers/{position}?format=signed&part=1").content
    assert base64.b64decode(opened(signed, key)["content"]) == b"Cewch wrthod."
