"""Pages for anyone: what is trained on, of an empty and of a full deployment, and nothing about anybody."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from consentry.bootstrap import open_deployment
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Purpose
from service.at_work import in_thread
from service.conftest import Place
from service.visitor import Visitor, words

HOSTILE = "<script>alert(1)</script>'\"><img src=x>"
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
    for text in (answer.text, body.text):
        for secret in ("secret-case", "anna-of-legal", HOSTILE, place.release, "drafts"):
            assert secret not in text
    counts = body.json()["counts"]
    assert counts["releases"] == counts["models"] == {"fewer_than": 10}
    assert all(each == {"fewer_than": 10} for each in counts["items_by_category"].values())
    assert json.loads(body.content)["suspensions"][0]["areas"] == ["EEA", "UK"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", ["en", "fr", "ar"])
def test_the_pages_are_whole_in_every_language(place: Place, path: str, language: str) -> None:
    answer = Visitor(place.ask.url).get(f"{path}?lang={language}")
    assert answer.status_code == 200
    assert len(re.findall("<h1", answer.text)) == 1
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script", answer.text)


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
    assert "The newest data set for a use was made by them." in before
    control.releases.build("network", Purpose.TRAIN_GENAI, policy="november-2025")
    (earlier,) = visitor.get("/transparency.json").json()["earlier_policies"]
    assert earlier["newest_data"] is False
