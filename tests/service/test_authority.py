"""What an authority sees and takes away: what concerns its jurisdictions, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from consentry.cli.main import cli
from consentry.errors import ConsentryError, IntegrityError
from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.statement_events import Says
from consentry.oversight.order import Scope
from consentry.public_key import read_public_key
from consentry.transparency.download import opened
from end_to_end.network import RawItem, register_other_bytes
from service.authorities import CNIL, ICO, Scene, suspend
from service.visitor import PASSWORD, Visitor, words

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


def test_what_was_served_before_a_case_was_approved_is_no_waiting_time_of_it(scene: Scene) -> None:
    """Staff go by `case.served`; an authority reads the same, wherever it looks."""
    control, ico, gb = scene.control, scene.visitor("ico"), [scene.deployment.person("gb")]
    control.notices.serve("told", gb, at=control.desk.parts.clock())
    suspend(control, "ours", "UK")
    control.cases.begin_review("ours", by="anna")
    control.cases.require_notice("ours", "told", days=30, by="anna")

    def states() -> list[tuple[int, str, bool]]:
        rows = ico.get("/authority/notices?sort=people&format=json").json()["notices"]
        return [(each["people"], each["state"], each.get("waiting_ends") is not None) for each in rows]

    before = (1, "does not count for this case", False)
    assert states() == [(0, "not served for this case yet", False), before]
    case = ico.get("/authority/cases/ours")
    assert "not served for this case yet 30 days after it is served" in words(case)
    assert "does not count for this case" in words(case)
    (notice,) = control.authority_view.case("ours", frozenset({"UK"}))["notices"]
    assert [each["waiting_ends"] for each in notice["servings"]] == [None]
    for by in ("anna", "bob"):
        control.cases.approve("ours", by=by)
    control.notices.serve("told", gb, at=control.desk.parts.clock())
    assert states() == [before, (1, "time to object", True)]
    assert "not served for this case yet" not in words(ico.get("/authority/cases/ours"))
    assert "does not count for this case" in words(ico.get("/authority/notices"))


def test_a_case_of_several_jurisdictions_tells_each_only_its_part(scene: Scene) -> None:
    suspend(scene.control, "both", "BR", reference="carta de Brasilia")
    suspend(scene.control, "both", "EEA", "UK", reference="letter from Wilmslow")
    scene.control.conditions.add(
        ConditionAdded(
            case="both", condition="window", title="Brazilian window", owner="anna", due=4_000_000_000,
            check=None, policy=None, parameters=(), by="anna",
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
    said = words(scene.visitor("ico").get("/authority/releases"))
    assert "Amendments" in said
    assert "Left since" not in said, "it is no number of items"
    assert "Of these, left since: those that it holds no more" in said


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


def test_of_a_model_the_items_that_it_read_are_counted_and_not_what_its_release_holds(scene: Scene) -> None:
    """Each row is an item: of somebody in the US, in the UK, of nobody knows whom, and in Brazil."""
    control, uk = scene.control, frozenset({"UK"})

    def train(model: str, *ranges: tuple[int, int, int]) -> None:
        lease, secret = control.leases.grant(scene.release, job=f"of-{model}", model=model)
        if ranges:
            control.leases.consumed(
                lease.lease, secret=secret, from_step=0, to_step=1, amendment=0, ranges=[list(each) for each in ranges]
            )

    train("read-none", (0, 0, 1))
    train("read-theirs", (0, 0, 2))
    train("did-not-say")
    control.models.register("whole", base=None, releases=[scene.release], leases=[], digest=None)
    control.models.register("built-on-none", base="read-none", releases=[], leases=[], digest=None)
    control.models.register("built", base="read-theirs", releases=[], leases=[], digest=None)
    found = {each["model"]: (each["items"], each["through"]) for each in control.authority_view.models(uk)["models"]}
    assert found == {
        "read-theirs": (1, []), "did-not-say": (None, []), "whole": (1, []), "built": (0, ["read-theirs"])
    }  # fmt: skip
    rows = scene.visitor("ico").get("/authority/models?format=json").json()["models"]
    assert {each["model"]: (each["in_releases"], each["items"], each["known"]) for each in rows} == {
        "read-theirs": (1, 1, "what was said"),
        "did-not-say": (1, None, "not known"),
        "whole": (1, 1, "what was said"),
        "built": (0, 0, None),
    }
    assert control.authority_view.start(uk)["trained_on"]["models"] == 4
    assert "read-none" in control.authority_view.model_names(uk), "what may have been read may be suspended"
    control.models.register("read-none", base=None, releases=[scene.release], leases=[], digest=None)
    assert len(control.authority_view.models(uk)["models"]) == 6
    register_other_bytes(scene.deployment.settings.home.parent, scene.deployment, [RawItem(id="z", author="us")])
    anew = control.authority_view.models(uk | {"CH"})["models"]  # nobody asked about those before
    (theirs,) = [each for each in anew if each["model"] == "read-theirs"]
    assert theirs["items"] == 1, "what was known of a file when it was sealed still counts"


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
