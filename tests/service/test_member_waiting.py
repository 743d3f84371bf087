"""What a member sees and can say while nothing is used yet: before the days of a notice are over, or before a yes."""

from __future__ import annotations

import re

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.control_plane.own_content import Aim
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from consentry.release.situation import Situation
from end_to_end.network import RawItem, write_items
from end_to_end.telling import told_then
from service.at_work import POLICY
from service.members import Come, no, one_item, read, shown
from service.visitor import words

place = member.place
DAY = 86_400
WAITING, CONSENT = "november-2025", "opt-in-only"


def decides(deployment: Deployment, name: str) -> None:
    """Let a set decide about the one use of the page that nothing permits yet."""
    text = shipped()[name].replace('purposes = ["train-ai"]', 'purposes = ["train-genai"]')
    deployment.control.statements.publish(text.replace('purpose = "train-genai-text", ', ""), name)


def told_days_ago(deployment: Deployment, days: int, *people: str) -> None:
    at = deployment.control.desk.parts.clock() - days * DAY
    told_then(deployment, "genai-2025", [deployment.person(each) for each in people], at=at)


def test_while_a_notice_runs_every_item_has_an_answer_and_the_day(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    decides(deployment, WAITING)
    visitor = come("gb")
    page = visitor.get("/me/items")
    assert "Not yet: you have not been told about this use." in words(page)
    told_days_ago(deployment, 1, "gb")
    page = visitor.get("/me/items")
    assert page.text.count('name="answer-1"') == 2
    assert 'value="yes" checked' in page.text
    assert re.search(r"Not yet: from [\w, ]*20\d\d, unless you say no.", words(page))
    assert "Nothing permits this use" not in words(page)
    assert "Nothing permits this use" not in words(visitor.get("/me"))
    assert re.search(r"1: Not yet: from [\w, ]*20\d\d", words(visitor.get("/me")))
    (item,) = visitor.get("/me/items?format=json").json()["items"]
    assert (item["used"], item["reason"]) == (False, "waiting")
    assert item["begins"] > deployment.control.desk.parts.clock()
    form = {"purpose": "train-genai", "what": "items"} | one_item("g1", 1, "no")
    page = visitor.follow(visitor.post("/me/choices", form))
    assert "Saved: you said no" in words(page)
    assert 'value="no" checked' in page.text


def test_when_the_days_are_over_it_is_used(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    decides(deployment, WAITING)
    told_days_ago(deployment, 31, "gb")
    visitor = come("gb")
    assert "Not yet" not in words(visitor.get("/me/items"))
    (item,) = visitor.get("/me/items?format=json").json()["items"]
    assert (item["used"], item["reason"], item["begins"]) == (True, None, None)
    person = deployment.person("gb")
    (use,) = [each for each in deployment.control.own_settings.uses(person) if each.purpose is Purpose.TRAIN_GENAI]
    assert use.stands.situation is Situation.ON
    (served,) = deployment.control.desk.newest.state.notices
    assert use.stands.begins == served.at + 30 * DAY, "it is used since then, not since the set was put in force"


@pytest.mark.parametrize("person", ["kid", "noage", "nowhere"])
def test_what_time_does_not_bring_is_not_promised(place: tuple[Deployment, Come, str], person: str) -> None:
    deployment, come, _ = place
    decides(deployment, WAITING)
    told_days_ago(deployment, 1, person)
    page = come(person).get("/me/items")
    assert 'type="radio"' not in page.text
    assert "Not yet" not in words(page)


def test_what_a_no_does_while_a_notice_runs_is_said_for_the_time_after(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    decides(deployment, WAITING)
    told_days_ago(deployment, 1, "gb")
    visitor = come("gb")
    for path in ("/me", "/me/check?purpose=train-genai", "/me/check?purpose=train-genai&category=post"):
        text = words(visitor.get(path))
        assert "1 item would be used once you were told and had time to say no. It is left out." in text
        assert "What you have now is used all the same, once you were told" in text
        assert "used as before" not in text
        assert "0 items" not in text
    effect = deployment.control.own_content.effect(deployment.person("gb"), Aim(purpose=Purpose.TRAIN_GENAI))
    assert (effect.next_release, effect.due, effect.asked_for) == (0, 1, 0)
    no(visitor, reach="future")
    assert "Off in part You said no to new content only." in words(visitor.get("/me"))
    assert "1: Not yet: from" in words(visitor.get("/me")), "what was there before is used all the same"
    no(visitor)
    assert "Not yet" not in words(visitor.get("/me/items"))


def test_what_has_no_date_is_not_said_to_be_used_all_the_same(place: tuple[Deployment, Come, str]) -> None:
    """A no to later content holds for it as well, as nobody knows that it is older."""
    deployment, come, _ = place
    decides(deployment, WAITING)
    base, person = deployment.control.desk.opened("network").base, deployment.person("gb")
    write_items(base / "items" / "2.parquet", [RawItem(id="g2", author="gb")])
    deployment.control.statements.register_corpus(base / "corpus.toml")
    visitor, aim = come("gb"), Aim(purpose=Purpose.TRAIN_GENAI)
    later = words(visitor.get("/me")).partition("Only what you create from now on")[2]
    assert "1 item is left out from the next collection on: nobody knows when it was made." in later
    assert "What you have now is used all the same" in later, "the other item is"
    effect = deployment.control.own_content.effect(person, aim)
    assert (effect.undated, effect.due, effect.due_undated) == (0, 2, 1)
    no(visitor, reach="future")
    assert deployment.control.own_content.effect(person, aim).due == 1
    form = {"purpose": "train-genai", "what": "items"} | one_item("g1", 1, "no")
    visitor.post("/me/choices", form)
    told_days_ago(deployment, 31, "gb")
    assert not [each for each in visitor.get("/me/items?format=json").json()["items"] if each["used"]]


def test_before_a_yes_every_item_is_asked_about(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    decides(deployment, CONSENT)
    visitor = come("gb")
    page = visitor.get("/me/items")
    assert page.text.count('name="answer-1"') == 2
    assert " checked" not in page.text, "nothing is chosen before"
    assert "You have not said yes." in words(page)
    assert "Nothing permits this use" not in words(page)
    text = words(visitor.get("/me"))
    assert "1: You have not said yes." in text
    assert "Nothing permits this use" not in text
    assert "1 item is used only if you say yes. It stays left out." in text
    assert "used as before" not in text


def test_a_yes_to_one_item_is_about_that_one(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    decides(deployment, CONSENT)
    visitor = come("us2")
    assert "You have not said yes." in words(visitor.get("/me/items"))
    form = {"purpose": "train-genai", "what": "items"} | one_item("v1", 1, "yes") | shown(visitor)
    answer = visitor.post("/me/choices", form)
    assert answer.status_code == 422, "it is a yes: there is something to read before"
    assert "Tick that you have read" in words(answer)
    assert "Not saved yet" not in words(answer), "they were signed in"
    assert 'name="answer-1" value="yes" checked' in answer.text, "what was chosen is kept"
    assert 'name="read"' in visitor.get("/me/items").text
    form |= read(visitor)
    page = visitor.follow(visitor.post("/me/choices", form))
    assert "Saved: you said yes" in words(page)
    assert 'value="yes" checked' in page.text
    head = deployment.control.desk.parts.ledger.head()
    assert "Nothing to save" in words(visitor.follow(visitor.post("/me/choices", form)))
    assert deployment.control.desk.parts.ledger.head() == head, "said again, it says nothing new"
    (event,) = deployment.control.desk.parts.ledger.read(head - 1, head)
    assert isinstance(event.body, ChoiceMade)
    assert event.body.choice.items == {deployment.item("network", "v1")}
    assert event.body.choice.state is ChoiceState.ALLOWED
    page = visitor.follow(visitor.post("/me/choices", {**form, "answer-1": "no"}))
    assert 'value="no" checked' in page.text
    page = visitor.follow(visitor.post("/me/choices", form | shown(visitor)))
    assert "Saved: you said yes" in words(page), "a yes takes the no back"
    (item,) = visitor.get("/me/items?format=json").json()["items"]
    assert item["used"]


def test_somebody_else_who_did_not_agree_is_no_answer_of_theirs(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    decides(deployment, CONSENT)
    visitor = come("us")
    rows = visitor.get("/me/items").text.split("<tr>")
    (both,) = [each for each in rows if "u2</span>" in each]
    assert "radio" not in both
    assert "Somebody else appears in it" in both
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.ALLOWED, at=deployment.control.desk.parts.clock())
    made = ChoiceMade(person=deployment.person("us2"), choice=choice, source=Source.IMPORT)
    deployment.control.statements.choose([made])
    rows = visitor.get("/me/items").text.split("<tr>")
    (both,) = [each for each in rows if 'value="u2"' in each]
    assert "You have not said yes." in both


@pytest.mark.parametrize("policy", [POLICY, CONSENT])
def test_where_nobody_wrote_a_notice_the_rules_are_read_and_named(
    place: tuple[Deployment, Come, str], policy: str
) -> None:
    deployment, come, _ = place
    decides(deployment, policy)
    visitor = come("us2")
    no(visitor)
    answer = visitor.post("/me/choices", {"purpose": "train-genai", "answer": "yes", **shown(visitor)})
    assert answer.status_code == 422, "a yes asks for what it is about to be read"
    published = deployment.control.own_settings.deciding(Purpose.TRAIN_GENAI)
    assert published is not None
    document = deployment.control.desk.document(published.digest)
    assert document.title in words(answer)
    assert document.rules[0].why in words(answer)
    form = {"purpose": "train-genai", "answer": "yes", **read(visitor)}
    assert form["version"] == f"{policy}/{document.version}/{published.digest}"
    other = {**form, "version": form["version"][:-1] + "x"}
    assert "The notice has changed" in words(visitor.post("/me/choices", other))
    page = visitor.follow(visitor.post("/me/choices", form))
    assert f"Rules you read version {document.version}" in words(page)
    assert f"Rules you read: version {document.version}" in words(visitor.get("/me/history"))
    assert visitor.get("/me/history?format=json").json()["choices"][0]["notice"] == form["version"]
    head = deployment.control.desk.parts.ledger.head()
    (event,) = deployment.control.desk.parts.ledger.read(head - 1, head)
    assert isinstance(event.body, ChoiceMade)
    assert event.body.notice == form["version"]
    text = visitor.get(f"/me/receipts/{event.position}?form=text").text
    assert f"Rules you read: {policy}, version {document.version}" in text
    assert form["version"] in visitor.get(f"/me/receipts/{event.position}").text
    assert "not kept here" not in text
    (use,) = visitor.get("/me?format=json").json()["uses"]
    assert use["notice"] is None, "it is no notice"
