"""A member's own pages: every state of a use, what was said, and that nobody sees what is another's."""

from __future__ import annotations

import time

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.network import fresh
from end_to_end.telling import told_then
from end_to_end.test_story import NOW
from service.at_work import POLICY, in_thread
from service.members import HOSTILE, NEW_POST, Come, main_of, no, read, shown, token_for, yes
from service.visitor import Visitor, words

place = member.place


@pytest.mark.parametrize(
    ("person", "said", "can_choose"),
    [
        ("us", "On Your content may be used", True),
        ("empty", "We know of no content by you", True),
        ("de", "The use is not offered in the EU, Iceland, Liechtenstein, Norway and Switzerland", False),
        ("kid", "Off Nothing of yours is used, because of your age", False),
        ("noage", "We do not know how old you are", False),
        ("nowhere", "We do not know for sure where you live", False),
        ("gone", "Your account is closed", False),
        ("stranger", "The platform has told us nothing about you yet", False),
    ],
)
def test_every_state_says_what_it_is(
    place: tuple[Deployment, Come, str], person: str, said: str, can_choose: bool
) -> None:
    _, come, _ = place
    visitor = come(person)
    page = visitor.get("/me")
    assert page.status_code == 200
    assert said in words(page)
    assert ('name="answer"' in page.text) is can_choose
    assert len(page.content) < 100_000
    for path in ("/me/items", "/me/history", "/me/uses", "/me/check?purpose=train-genai"):
        assert visitor.get(path).status_code == 200, path
    answer = visitor.post("/me/choices", {"purpose": "train-genai", "answer": "no"})
    assert (answer.status_code == 303) is can_choose


def test_a_suspension_takes_the_switch_away(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("gb")
    assert 'name="answer"' in visitor.get("/me").text
    scope = Scope(areas=frozenset({"UK"}))
    deployment.control.orders.suspend(scope, case="ico-2024", origin=Origin.AUTHORITY_REQUEST, reference="inner words")
    page = visitor.get("/me")
    assert 'name="answer"' not in page.text
    assert "A data protection authority has asked the platform to stop this use" in words(page)
    assert "Where it holds: United Kingdom" in words(page)
    assert "inner words" not in page.text, "what staff wrote is theirs"
    assert "On Your content may be used" in words(come("us").get("/me"))


def test_two_members_never_see_each_other(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    ada, bob = come("us", name="Ada"), come("us2", name="Bob")
    location = no(ada)
    position = location.partition("=")[2]
    assert "Saved: " not in words(bob.get(location))
    assert bob.get(f"/me/receipts/{position}").status_code == 404
    assert "You have said nothing yet" in words(bob.get("/me/history"))
    for path in ("/me", "/me/items", "/me/history", "/me/uses"):
        mine, theirs = bob.get(path), ada.get(path)
        assert "Ada" not in mine.text
        assert "Bob" not in theirs.text
        for other in ("u1", "u2", "alert(1)"):
            assert other not in main_of(mine.text)
        assert "v1" not in main_of(theirs.text)
    assert bob.get("/me").headers["cache-control"] == "no-store"
    assert deployment.control.people.may("us2", NEW_POST, policy=POLICY)["allowed"]


def test_history_says_what_was_said_and_where(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    assert "You have said nothing yet" in words(visitor.get("/me/history"))
    no(visitor)
    yes(visitor)
    page = visitor.get("/me/history").text
    said_there = page[page.index('<ol class="steps">') :]
    assert said_there.index(">Yes<") < said_there.index(">No<"), "newest first"
    assert "on this page or in your settings" in page


def test_what_another_account_refused_counts_and_is_told(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    no(come("other"))
    page = words(come("one").get("/me"))
    assert "You said no with another account of yours" in page
    assert not deployment.control.people.may("one", NEW_POST, policy=POLICY)["allowed"]


def test_a_no_to_all_training_counts_here_and_can_be_taken_back(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    choice = Choice(purpose=Purpose.TRAIN_AI, state=ChoiceState.REFUSED, at=NOW)
    made = ChoiceMade(person=deployment.person("us"), choice=choice, source=Source.IMPORT)
    deployment.control.statements.choose([made])
    visitor = come("us")
    page = words(visitor.get("/me"))
    assert "You said no to “Training of AI models of any kind”" in page
    assert "Take back what I said" in page
    back = {"purpose": "train-ai", "answer": "back", **read(visitor), **shown(visitor, "train-ai")}
    visitor.post("/me/choices", back)
    assert "On Your content may be used" in words(visitor.get("/me"))


def test_consent_is_asked_with_nothing_chosen_before(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    text = shipped()["opt-in-only"].replace('purposes = ["train-ai"]', 'purposes = ["train-genai"]')
    text = text.replace('purpose = "train-genai-text", ', "")
    deployment.control.statements.publish(text, "opt-in-only")
    visitor = come("us")
    page = visitor.get("/me")
    assert "Off Nothing is used unless you say yes" in words(come("empty").get("/me"))
    assert "Off Nothing of yours goes into a new collection unless you say yes" in words(page), "one holds some"
    assert "Consent: it is used only if you say yes" in words(page)
    assert " checked" not in page.text
    yes(visitor)
    assert "You said yes on" in words(visitor.get("/me"))
    no(visitor)
    assert "Off You said no" in words(visitor.get("/me"))


def test_whoever_waits_for_a_notice_can_say_no_before(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    control = deployment.control
    control.statements.publish(shipped()["november-2025"], "november-2025")
    visitor = come("gb")
    page = words(visitor.get("/me"))
    assert "Not yet Nothing of yours goes into a new collection before you had time to say no" in page, "one holds some"
    assert "after you were told and had time to say no" in page
    now = control.desk.parts.clock()
    told_then(deployment, "genai-2025", [deployment.person("gb")], at=now - 86_400)
    page = words(visitor.get("/me"))
    assert "unless you say no" in page
    no(visitor)
    assert "Off You said no" in words(visitor.get("/me"))


def test_whoever_was_erased_is_told_so(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    no(come("us"))
    deployment.control.statements.erase([deployment.person("us")])
    visitor = come("us")
    page = visitor.get("/me")
    assert 'name="answer"' not in page.text
    assert "nothing of yours is used" in words(page)
    assert "What you said before stays" not in words(page)
    assert "You have said nothing yet" not in words(visitor.get("/me/history"))
    uses = words(visitor.get("/me/uses"))
    assert "it cannot be told any more which collections held them" in uses
    assert not any(each in uses for each in ("No collection holds", "No AI model has learned"))
    assert deployment.control.people.uses_of("us")["erased"]


def test_uses_are_told_in_numbers(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    page = words(come("us").get("/me/uses"))
    assert "it learned from 2 items of yours" in page
    assert "Private messages: 1. The rules leave this out." in page
    assert "No collection holds anything by you" in words(come("empty").get("/me/uses"))


def test_a_page_comes_quickly(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    visitor.get("/me")
    started = time.perf_counter()
    for _ in range(5):
        assert visitor.get("/me").status_code == 200
    assert time.perf_counter() - started < 5, "a tenth of this is what it takes; machines of tests are busy"


def test_nothing_is_decided_yet() -> None:
    with fresh() as (_, deployment), in_thread(deployment) as ask:
        visitor = Visitor(ask.url)
        visitor.get(f"/me/enter?token={token_for(deployment, 'us')}")
        for path in ("/me", "/me/items"):
            assert "Nothing is decided here about training AI" in words(visitor.get(path))
        assert "No collection holds anything by you" in words(visitor.get("/me/uses"))


def test_a_look_up_is_shown_to_the_person_and_to_nobody_else(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    assert "Nobody at the platform has looked" in words(come("us").get("/me/history"))
    deployment.control.look_ups.look_up("us", reason=f"asked by mail {HOSTILE}", by="sam")
    page = come("us").get("/me/history")
    assert "sam looked at what is known of you here. Reason given: asked by mail" in words(page)
    assert "<script" not in page.text
    assert "asked by mail" not in come("gb").get("/me/history").text


def test_at_every_receipt_it_is_said_how_to_check_it(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    for page in (visitor.get(no(visitor)), visitor.get("/me/history")):
        assert "Whoever has the file can check it without us" in words(page)
        assert 'href="/transparency#receipts"' in page.text
