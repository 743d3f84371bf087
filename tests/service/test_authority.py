"""What an authority sees and files: what concerns its jurisdictions, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.cli.main import cli
from consentry.control_plane.plane import ControlPlane
from consentry.errors import ConsentryError, IntegrityError, StateError
from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.oversight_events import Origin
from consentry.ledger.statement_events import Says
from consentry.oversight.authority_statement import FRESH_S, AuthorityStatement, Signatory
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from consentry.public_key import read_public_key
from consentry.transparency.download import opened
from end_to_end.network import fresh
from end_to_end.test_cases import narrow
from service.at_work import in_thread, prepare
from service.visitor import Visitor, words

PASSWORD = "correct horse battery staple"
HOSTILE = "<script>alert(1)</script>'\"><img src=x>"
PAGES = (
    "/authority",
    "/authority/cases",
    "/authority/orders",
    "/authority/releases",
    "/authority/models",
    "/authority/notices",
    "/authority/reports",
    "/authority/file",
)


@dataclass
class Office:
    """An authority with its key."""

    handle: str
    areas: frozenset[str]
    secret: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def public(self) -> bytes:
        return self.secret.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def signatory(self) -> Signatory:
        return Signatory(handle=self.handle, areas=self.areas, key=self.public)


ICO, ANPD, CNIL = Office("ico", frozenset({"UK"})), Office("anpd", frozenset({"BR"})), Office("cnil", frozenset({"FR"}))


@dataclass
class Scene:
    deployment: Deployment
    url: str
    release: str

    @property
    def control(self) -> ControlPlane:
        return self.deployment.control

    def visitor(self, handle: str) -> Visitor:
        made = Visitor(self.url)
        answer = made.post("/sign-in", {"handle": handle, "password": PASSWORD})
        assert answer.status_code == 303, words(answer)
        return made

    def key(self) -> bytes:
        return read_public_key((self.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())


@pytest.fixture
def scene() -> Iterator[Scene]:
    with fresh() as (folder, deployment):
        release = prepare(folder, deployment)
        with deployment.admission() as admission:
            for office in (ICO, ANPD, CNIL):
                admission.add(office.handle, roles=frozenset({Role.AUTHORITY}), areas=office.areas, password=PASSWORD)
                admission.set_public_key(office.handle, office.public)
            admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password=PASSWORD)
        with in_thread(deployment) as ask:
            yield Scene(deployment, ask.url, release)


def suspend(control: ControlPlane, case: str, *areas: str, reference: str = "letter") -> None:
    scope = Scope(areas=frozenset(areas), purposes=frozenset({Purpose.TRAIN_GENAI}))
    control.orders.suspend(scope, case=case, origin=Origin.AUTHORITY_REQUEST, reference=reference)


def statement(control: ControlPlane, office: Office, says: Says = Says.SUSPEND, case: str = "") -> AuthorityStatement:
    scope = Scope() if says is Says.MAY_BE_LIFTED else Scope(areas=office.areas)
    return control.authority.draft(
        says, who=office.signatory, case=case or f"{office.handle}-1", reference="decision 7", scope=scope
    )


def test_signing_in_leads_an_authority_to_its_pages(scene: Scene) -> None:
    made = Visitor(scene.url)
    answer = made.post("/sign-in", {"handle": "ico", "password": PASSWORD})
    assert answer.headers["location"] == "/authority"
    assert "No case concerns you" in words(made.follow(answer))
    officer = Visitor(scene.url).post("/sign-in", {"handle": "olga", "password": PASSWORD})
    assert officer.headers["location"] == "/console"


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_are_for_authorities_only(scene: Scene, path: str) -> None:
    assert scene.visitor("ico").get(path).status_code == 200
    assert scene.visitor("olga").get(path).status_code == 403
    assert Visitor(scene.url).get(path, accept="*/*").status_code == 401


def test_staff_file_nothing_for_an_authority(scene: Scene) -> None:
    officer = scene.visitor("olga")
    assert officer.post("/authority/concern", {"concern-case": "olga-1"}).status_code == 403
    assert officer.send("/authority/statement", {"statement": b"x", "signature": b"y"}).status_code == 403


def test_what_is_about_others_only_is_nowhere(scene: Scene) -> None:
    suspend(scene.control, "secret-brazil", "BR", reference="carta de Brasilia")
    scene.control.reports.schedule("secret-brazil", "first", title="Relatorio", due=2_000_000_000, by="anna")
    scene.control.reports.deliver("secret-brazil", "first", position=None, by="anna")
    scene.control.cases.require_notice("secret-brazil", "aviso-brasil", days=3, by="anna")
    ico = scene.visitor("ico")
    for path in (*PAGES, *(f"{page}?format=signed" for page in PAGES[:-1])):
        text = ico.get(path).text + json.dumps(_document(ico.get(path).content, scene))
        for word in ("brazil", "Brasilia", "Relatorio", "aviso", '"BR"'):
            assert word not in text, (path, word)
    for path in ("/authority/cases/secret-brazil", "/authority/reports/secret-brazil/first"):
        for asked in (path, f"{path}?format=signed"):
            guessed, made_up = ico.get(asked), ico.get(asked.replace("secret-brazil", "no-such-case"))
            assert guessed.status_code == made_up.status_code == 404
            assert guessed.text == made_up.text.replace("no-such-case", "secret-brazil")
    assert "secret-brazil" in scene.visitor("anpd").get("/authority").text


def _document(content: bytes, scene: Scene) -> object:
    try:
        return opened(content, scene.key())
    except IntegrityError:
        return None


def test_texts_of_a_notice_are_named_in_each_of_their_languages(scene: Scene) -> None:
    control, told = scene.control, {"channel": "mail", "audience": "all"}
    suspend(control, "in-the-uk", "UK", reference="letter")
    control.cases.require_notice("in-the-uk", "told", days=3, by="anna")
    people = [scene.deployment.person("gb")]
    for others in ({}, {"cy": b"Testun"}):
        control.notices.write("told", b"Text", languages=["en", "ar"], others=others, **told)
        control.notices.serve("told", people, at=control.desk.parts.clock())
    said = words(scene.visitor("ico").get("/authority/cases/in-the-uk"))
    assert "told, version 1" in said
    assert "told, version 2, en, ar" in said
    assert "en, ar, cy" in said


def test_a_case_of_several_jurisdictions_tells_each_only_its_part(scene: Scene) -> None:
    suspend(scene.control, "both", "BR", reference="carta de Brasilia")
    suspend(scene.control, "both", "EEA", "UK", reference="letter from Wilmslow")
    scene.control.conditions.add(
        ConditionAdded(
            case="both", condition="window", title="Brazilian window", owner="anna", due=None, check=None, policy=None,
            parameters=(), by="anna",
        )
    )  # fmt: skip
    answer = scene.visitor("ico").get("/authority/cases/both")
    assert answer.status_code == 200
    assert "letter from Wilmslow" in answer.text
    assert "both.2" in answer.text
    for word in ("Brasilia", "Brazilian", "both.1", "BR"):
        assert word not in words(answer), word
    assert "about other jurisdictions as well" in words(answer)
    assert "both" in scene.visitor("cnil").get("/authority").text


def test_staff_are_not_named(scene: Scene) -> None:
    suspend(scene.control, "ours", "UK")
    scene.control.cases.begin_review("ours", by="anna-of-legal")
    for path in ("/authority/cases/ours", "/authority/cases/ours?format=signed"):
        answer = scene.visitor("ico").get(path)
        assert answer.status_code == 200
        document = json.dumps(_document(answer.content, scene))
        assert "anna-of-legal" not in answer.text + document


def test_counts_are_of_their_jurisdictions_only(scene: Scene) -> None:
    found = scene.control.authority_view.releases(frozenset({"UK"}))
    assert [each["there"]["used"] for each in found["releases"]] == [1]
    assert scene.control.authority_view.releases(frozenset({"FR"}))["releases"] == []
    assert scene.release in scene.visitor("ico").get("/authority/releases").text
    assert scene.release not in scene.visitor("cnil").get("/authority/releases").text


def test_a_download_verifies_is_the_same_again_and_every_changed_byte_is_noticed(scene: Scene) -> None:
    suspend(scene.control, "ours", "UK")
    ico, key = scene.visitor("ico"), scene.key()
    for path in (*PAGES[:-1], "/authority/cases/ours"):
        content = ico.get(f"{path}?format=signed").content
        assert content == ico.get(f"{path}?format=signed").content
        assert opened(content, key)["areas"] == ["UK"]
    content = ico.get("/authority/cases/ours?format=signed").content
    for at in range(len(content)):
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        with pytest.raises(IntegrityError):
            opened(changed, key)
    with pytest.raises(IntegrityError):
        opened(content + b"\n", key)
    with pytest.raises(IntegrityError, match="not signed by key"):
        opened(content, ICO.public)
    assert read_public_key(ico.get("/authority/key.pem").content) == key


def test_a_delivered_report_is_taken_away_signed(scene: Scene) -> None:
    suspend(scene.control, "ours", "UK")
    scene.control.reports.schedule("ours", "first", title="What was done", due=2_000_000_000, by="anna")
    ico = scene.visitor("ico")
    assert ico.get("/authority/reports/ours/first").status_code == 404
    made = scene.control.reports.generate("ours", "first")
    scene.control.reports.deliver("ours", "first", position=made["position"], by="anna")
    assert opened(ico.get("/authority/reports/ours/first").content, scene.key()) == made


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
        ({"concern-case": "ico-posts", "concern-areas": "UK", "concern-reference": ""}, "the reference is no line"),
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


def test_models_are_seen_by_those_whose_content_they_were_trained_on(scene: Scene) -> None:
    scene.control.leases.grant(scene.release, job="job-1", model="drafts")
    found = scene.control.authority_view.models(frozenset({"UK"}))["models"]
    assert [(each["model"], each["releases"]) for each in found] == [("drafts", {scene.release: 1})]
    assert "drafts" in scene.visitor("ico").get("/authority/models").text
    assert "drafts" not in scene.visitor("cnil").get("/authority/models").text
    for office, known in ((ICO, True), (CNIL, False)):
        scope = Scope(areas=office.areas, models=frozenset({"drafts"}))
        if known:
            made = scene.control.authority.draft(
                Says.SUSPEND, who=office.signatory, case="ico-2", reference="x", scope=scope
            )
            assert made.scope == scope
            continue
        with pytest.raises(ConsentryError) as refused:
            scene.control.authority.draft(Says.SUSPEND, who=office.signatory, case="cnil-2", reference="x", scope=scope)
        assert refused.value.code == "order-unknown-model"
        assert "ico" not in str(refused.value)


def test_a_smaller_order_in_place_of_an_authoritys_is_its_own_too(scene: Scene) -> None:
    control = scene.control
    for says in (Says.SUSPEND, Says.MAY_BE_LIFTED):
        made = statement(control, ICO, says).to_bytes()
        control.authority.file(made, ICO.secret.sign(made), who=ICO.signatory)
    smaller = Scope(areas=frozenset({"GB-SCT"}))
    assert narrow(scene.deployment, smaller, told=["gb"], case="ico-1", by=("anna", "ben"), reference="reply").done
    assert control.cases.get("ico-1").unsigned() == {"ico-1.2": ("ico",)}


def test_a_download_is_checked_where_there_is_no_deployment(scene: Scene, tmp_path: Path) -> None:
    content = scene.visitor("ico").get("/authority?format=signed").content
    file, key = tmp_path / "start.signed.json", tmp_path / "signing.pub.pem"
    key.write_bytes((scene.deployment.settings.home / "keys" / "signing.pub.pem").read_bytes())

    def verify() -> tuple[int, str]:
        line = ["--home", str(tmp_path / "none"), "authority", "verify", str(file), "--key", str(key)]
        done = CliRunner().invoke(cli, line, standalone_mode=False, catch_exceptions=False)
        return done.return_value, done.stdout

    file.write_bytes(content)
    status, said = verify()
    assert status == 0, said
    assert "unchanged" in said
    file.write_bytes(content.replace(b'"sig":"', b'"sig":"A', 1))
    assert verify()[0] == 3
    file.write_bytes(b"[" * 100_000)
    assert verify()[0] == 3
    assert not (tmp_path / "none").exists()
