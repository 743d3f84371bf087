"""Pages for anyone: what is trained on, of an empty and of a full deployment, and nothing about anybody."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from consentry.bootstrap import open_deployment
from consentry.clock import now
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, Purpose, Visibility
from end_to_end.case_steps import narrow
from service.at_work import PEOPLE, in_thread
from service.conftest import Place
from service.staff import HOSTILE
from service.visitor import Visitor, words

PATHS = ("/", "/transparency", "/accessibility")


def test_an_empty_deployment_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_CONTROLLER_NAME", HOSTILE)
    monkeypatch.setenv("CONSENTRY_CONTROLLER_CONTACT", "privacy@example.org")
    deployment = open_deployment(tmp_path / "home", embedded=True)
    with in_thread(deployment) as ask:
        visitor = Visitor(ask.url)
        answer = visitor.get("/transparency")
        assert "Nothing is suspended." in words(answer)
        assert "No rules are in force" in words(answer)
        assert "fewer than 10" in words(answer)
        for path in PATHS:
            text = visitor.get(path).text
            assert "<script>" not in text
            assert "<img" not in text
            assert "privacy@example.org" in text
        body = visitor.get("/transparency.json").json()
        assert body["controller"] == {"name": HOSTILE, "contact": "privacy@example.org"}
        assert body["policies"] == body["suspensions"] == []
    deployment.close()


def test_a_full_deployment_tells_rules_suspensions_and_counts(place: Place) -> None:
    control = place.deployment.control
    scope = Scope(areas=frozenset({"UK", "EEA"}), purposes=frozenset({Purpose.TRAIN_GENAI}))
    control.orders.suspend(
        scope, case="secret-case", origin=Origin.AUTHORITY_REQUEST, reference=HOSTILE, by="anna-of-legal"
    )
    visitor = Visitor(place.ask.url)
    answer = visitor.get("/transparency")
    said = words(answer)
    assert "European Economic Area, United Kingdom : all content; training generative AI." in said.replace(" , ", ", ")
    assert "Private messages, passwords and sign-in details, payments and salaries are never used" in said
    assert "direct messages" in said
    assert "legitimate interests: people can object" in said
    body = visitor.get("/transparency.json", accept="application/json")
    assert '<link rel="alternate" type="application/json" href="/transparency.json">' in answer.text
    assert visitor.get("/transparency", accept="application/json").json() == body.json()
    for text in (answer.text, body.text):
        for secret in ("secret-case", "anna-of-legal", HOSTILE, place.release, "drafts"):
            assert secret not in text
    counts = body.json()["counts"]
    assert counts["releases"] == counts["models"] == counts["releases_barred"] == {"fewer_than": 10}
    assert "Of these, not used because of a suspension fewer than 10" in said
    (use,) = counts["newest"]
    assert use["purpose"] == "train-genai"
    assert all(each == {"fewer_than": 10} for each in use["items_by_category"].values())
    assert json.loads(body.content)["suspensions"][0]["areas"] == ["EEA", "UK"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_the_pages_are_whole_in_every_language(place: Place, path: str, language: str) -> None:
    answer = Visitor(place.ask.url).get(f"{path}?lang={language}")
    assert answer.status_code == 200
    assert len(re.findall("<h1", answer.text)) == 1
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script", answer.text)
    latin = re.findall(r"[\u0621-\u064a](?:</bdi>)?[,;].{9}", answer.text)
    assert latin == [], "lists in Arabic letters have signs of theirs between the words"


def test_of_two_sets_for_one_use_the_page_says_which_is_in_force(place: Place) -> None:
    control, visitor = place.deployment.control, Visitor(place.ask.url)
    control.statements.publish(shipped()["november-2025"], "november-2025")
    body = visitor.get("/transparency.json").json()
    assert [each["name"] for each in body["policies"]] == ["november-2025"]
    assert set(body["policies"][0]["in_force_for"]) == set(body["policies"][0]["purposes"])
    (earlier,) = body["earlier_policies"]
    assert (earlier["name"], earlier["newest_data"]) == ("august-2024", True)
    assert earlier["since"] <= earlier["until"] == body["policies"][0]["since"]
    said = words(visitor.get("/transparency"))
    now, _, before = said.partition("Earlier rules")
    assert "In force for: training generative AI" in now
    assert "november-2025" in now
    assert "august-2024" not in now
    assert "august-2024" in before
    assert "The newest collection for a use was made by them." in before
    control.releases.build("network", Purpose.TRAIN_GENAI, policy="november-2025")
    (earlier,) = visitor.get("/transparency.json").json()["earlier_policies"]
    assert earlier["newest_data"] is False
    control.statements.withdraw("november-2025")
    _, _, before = words(visitor.get("/transparency")).partition("Earlier rules")
    assert re.search(r"Withdrawn: this set .* version withdrawn Since \d+ \w+ \d{4}\.", before), before


def test_suspensions_that_have_ended_are_a_short_history(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    control, visitor = place.deployment.control, Visitor(place.ask.url)
    assert "Earlier suspensions" not in words(visitor.get("/transparency"))
    assert "because of a suspension" not in words(visitor.get("/transparency"))

    def suspend(case: str, scope: Scope) -> None:
        control.orders.suspend(
            scope, case=case, origin=Origin.AUTHORITY_REQUEST, reference="secret-letter", by="anna-of-legal"
        )

    suspend("given-up", Scope(areas=frozenset({"DE"}), purposes=frozenset({Purpose.TRAIN_GENAI})))
    suspend("over", Scope(areas=frozenset({"UK"}), categories=frozenset({Category.POLL_ANSWER})))
    wide = Scope(visibilities=frozenset({Visibility.PUBLIC}), created_from=0, created_before=86_400)
    suspend("smaller", wide)
    for by in ("anna-of-legal", "ben-of-legal"):
        control.cases.withdraw("given-up", by=by, reference="secret-letter")
    told = [str(person.id) for person in PEOPLE]
    smaller = replace(wide, areas=frozenset({"FR"}))
    both = ("anna-of-legal", "ben-of-legal")
    assert narrow(place.deployment, smaller, told=told, case="smaller", by=both, reference="secret-letter").done
    control.cases.begin_review("over", by="anna-of-legal")
    control.cases.require_notice("over", "we-begin-again", days=1, by="anna-of-legal")
    for by in ("anna-of-legal", "ben-of-legal"):
        control.cases.approve("over", by=by)
    control.notices.serve("we-begin-again", [place.deployment.person("gb")], at=now())
    control.desk.parts = replace(control.desk.parts, clock=lambda: now() + 3 * 86_400)
    assert control.cases.lift("over", by="anna-of-legal", reference="secret-letter") == ()
    body = visitor.get("/transparency.json").json()
    earlier = body["earlier_suspensions"]
    assert [each["ended"] for each in earlier] == ["lifted", "narrowed", "withdrawn"]
    assert [each["areas"] for each in earlier] == [["UK"], [], ["DE"]]
    assert (earlier[1]["visibilities"], earlier[1]["created_from"], earlier[1]["created_before"]) == (
        ["public"],
        0,
        86_400,
    )
    assert all(each["since"] <= each["until"] for each in earlier)
    assert body["earlier_suspensions_in_all"] == 3
    assert [each["areas"] for each in body["suspensions"]] == [["FR"]]
    page = visitor.get("/transparency")
    in_force, _, before = words(page).partition("Earlier suspensions")
    before = before.partition("The rules")[0]
    assert "United Kingdom" not in in_force
    assert "United Kingdom : answers to polls ; every use . In force from" in before.replace(";", " ;").replace(
        ". In", " . In"
    )
    assert "It was lifted." in before
    assert "Germany : all content; training generative AI." in before
    assert "It was withdrawn, because the concern was given up." in before
    assert "That could be seen by: everybody" in before
    assert "Created on or after: 1 January 1970." in before
    assert "Created before: 2 January 1970." in before
    assert "A smaller one took its place." in before
    for text in (page.text, json.dumps(body)):
        for secret in ("given-up", 'smaller"', "of-legal", "secret-letter"):
            assert secret not in text
    assert "Frühere Aussetzungen" in words(visitor.get("/transparency?lang=de"))
    assert "Vereinigtes Königreich" in words(visitor.get("/transparency?lang=de"))
    monkeypatch.setattr("consentry.control_plane.public_view.MOST_EARLIER", 2)
    suspend("new", Scope())
    body = visitor.get("/transparency.json").json()
    assert [each["ended"] for each in body["earlier_suspensions"]] == ["lifted", "narrowed"]
    assert "The last 2 of 3 that have ended." in words(visitor.get("/transparency?lang=en"))


def test_anybody_gets_the_key_that_checks_receipts_and_reads_how(place: Place, tmp_path: Path) -> None:
    visitor, control = Visitor(place.ask.url), place.deployment.control
    page = visitor.get("/transparency")
    assert 'id="receipts"' in page.text
    assert "receipt verify FILE --key signing.pub.pem" in words(page)
    told = visitor.get("/transparency.json").json()["signing_key"]
    assert told["id"] == control.desk.parts.signer.key_id
    assert told["id"] in words(page)
    assert f'href="{told["address"]}"' in page.text
    key = visitor.get(told["address"])
    assert key.headers["content-type"] == "application/x-pem-file"
    filed = visitor.post("/object", {"find": "https://example.org/1", "answer_to": "me@example.org"})
    followed = visitor.follow(filed)
    assert 'href="/transparency#receipts"' in followed.text
    receipt = visitor.get(f"{filed.headers['location'].partition('?')[0]}/receipt").content
    (tmp_path / "signing.pub.pem").write_bytes(key.content)
    (tmp_path / "mine.json").write_bytes(receipt)
    run = [sys.executable, "-m", "consentry", "--home", "nothing", "receipt", "verify", "mine.json"]
    done = subprocess.run([*run, "--key", "signing.pub.pem"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "signed and unaltered" in done.stdout
