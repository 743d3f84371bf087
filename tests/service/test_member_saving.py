"""What a member is told before and after saving, in numbers and with receipts, and what they take away."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.control_plane.own_content import Aim
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.policy_parser import load
from consentry.policy.vocabulary import Category, ChoiceState, Purpose
from consentry.service.languages import LANGUAGES, translations
from consentry.service.pages.member import _effects
from consentry.service.pages.member_blocks import blocks
from end_to_end.test_story import NOW
from service.members import HOSTILE, Come, no, one_item, read
from service.visitor import Visitor, words

place = member.place


def test_a_no_and_a_yes_in_one_save_are_both_told_with_their_receipts(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    form = {"purpose": "train-genai", "what": "kinds"}
    visitor.post("/me/choices", {**form, "kind-comment": "no", "kind-post": "yes"})
    page = visitor.follow(
        visitor.post("/me/choices", {**form, "kind-comment": "yes", "kind-post": "no", **read(visitor)})
    )
    text = words(page)
    assert text.index("Saved: you said no") < text.index("Saved: you said yes")
    positions = sorted(set(re.findall(r'"/me/receipts/(\d+)"', page.text)))
    assert len(positions) == 2
    for position in positions:
        assert visitor.get(f"/me/receipts/{position}").status_code == 200
    location = f"/me?saved={positions[0]}&saved={positions[1]}"
    assert "Saved: " not in words(come("us2").get(location)), "what is somebody else's is not shown"
    for nonsense in ("x", "-1", "9" * 40, "²"):
        assert (
            visitor.get(
                "/me",
            ).status_code
            == visitor.get(f"/me?saved={nonsense}").status_code
            == 200
        )


def test_what_each_reach_does_stands_beside_it_in_numbers(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    page = visitor.get("/me")
    text = words(page)
    assert "2 items leave 1 collection that was already made for training" in text
    assert "1 AI model learned from it and is marked" in text
    assert "What you have now is used as before" in text
    assert re.search(r'name="reach" value="everything" checked', page.text)
    page = visitor.follow(visitor.post("/me/choices", {"purpose": "train-genai", "answer": "no", "reach": "future"}))
    assert "Only what you create from now on" in words(page)
    assert re.search(r'name="reach" value="future" checked', page.text), "what was chosen is what is shown"
    head = deployment.control.desk.parts.ledger.head()
    visitor.post("/me/choices", {"purpose": "train-genai", "answer": "no", "reach": "future"})
    assert deployment.control.desk.parts.ledger.head() == head


def test_what_a_no_to_one_kind_does_is_a_click_away(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    link = re.search(r'href="(/me/check\?purpose=train-genai&amp;category=comment)"', visitor.get("/me").text)
    assert link is not None
    page = visitor.get(link[1].replace("&amp;", "&"))
    assert "Comments" in words(page)
    assert "1 item leaves 1 collection" in words(page)


def test_what_a_no_to_each_item_does_stands_beside_it(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    rows = visitor.get("/me/items").text.split("<tr>")
    for item in ("u1", "u2"):
        (row,) = [each for each in rows if f'value="{item}"' in each]
        text = re.sub(r"\s+", " ", row)
        assert "1 item leaves 1 collection that was already made for training." in text
        assert "1 AI model learned from it." in text
    (other,) = [each for each in rows if "alert(1)" in each]
    assert "leaves" not in other, "it is never used"


def test_items_and_kinds_show_what_they_do_before_they_are_saved(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    head = deployment.control.desk.parts.ledger.head()
    form = {"purpose": "train-genai", "what": "items"} | one_item("u1", 1, "no") | one_item("u2", 2, "yes")
    page = visitor.post("/me/check", form)
    text = words(page)
    assert page.status_code == 200
    assert "Training of AI that writes texts and makes pictures: 1 item" in text
    assert "1 item leaves 1 collection that was already made for training" in text
    assert "1 AI model learned from it and is marked" in text
    assert "What you have now is used as before" in text, "each reach says what it does"
    assert deployment.control.desk.parts.ledger.head() == head, "nothing is recorded by looking"
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    assert {**form, "whose": fields["whose"]} == fields
    saved = visitor.follow(visitor.post("/me/choices", {**fields, "reach": "untrained"}))
    assert "How far back Everything that is not yet in a collection" in words(saved)
    kinds = {"purpose": "train-genai", "what": "kinds", "kind-comment": "no", "kind-post": "no"}
    text = words(visitor.post("/me/check", kinds))
    assert "Posts, Comments" in text
    assert "2 items leave 1 collection" in text
    text = words(visitor.post("/me/check", {**form, "answer-1": "no", "answer-2": "yes"}))
    assert "There is no new no in what you chose" in text
    assert visitor.post("/me/check", {"purpose": "train-genai", "answer": ""}).headers["location"] == "/me"
    assert visitor.post("/me/check", form | one_item("v1", 3, "no")).status_code == 404


def test_each_kind_says_in_numbers_what_a_no_does(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    rows = visitor.get("/me").text.split("<tr>")
    (comments,) = [each for each in rows if 'name="kind-comment"' in each]
    assert "1 item leaves" in comments
    assert "1 AI model learned from it." in comments
    (pictures,) = [each for each in rows if 'name="kind-poll-answer"' in each]
    assert "leaves" not in pictures, "they have none"


def test_many_effects_at_once_are_those_of_each(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, _ = place
    content, person = deployment.control.own_content, deployment.person("us")
    aims = {
        "all": Aim(purpose=Purpose.TRAIN_GENAI),
        "below": Aim(purpose=Purpose.TRAIN_GENAI_TEXT),
        "comments": Aim(purpose=Purpose.TRAIN_GENAI, categories=frozenset({Category.COMMENT})),
        "pictures": Aim(purpose=Purpose.TRAIN_GENAI, categories=frozenset({Category.IMAGE})),
        "one": Aim(purpose=Purpose.TRAIN_GENAI, items=frozenset({deployment.item("network", "u1")})),
        "none": Aim(purpose=Purpose.TRAIN_GENAI, items=frozenset({"0" * 32})),
    }
    assert content.effects(person, aims) == {name: content.effect(person, aim) for name, aim in aims.items()}
    assert content.effects(person, {}) == {}


def test_the_page_is_there_for_programs(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    position = int(no(visitor, reach="future").partition("=")[2])
    page = visitor.get("/me")
    assert '<link rel="alternate" type="application/json" href="?format=json">' in page.text
    answer = visitor.get("/me?format=json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    (use,) = answer.json()["uses"]
    assert (use["purpose"], use["situation"], use["answer"]) == ("train-genai", "off", "no")
    assert use["refusals"] == [{"at": use["since"], "position": position, "reach": "future", "mine": True}]
    assert (use["items"], use["places"], use["established"]) == (3, ["US"], True)
    assert use["legal_bases"] == ["legitimate-interests"]
    assert use["signal"] == "refuse"
    assert {each["category"]: each["items"] for each in use["kinds"] if each["items"]} == {
        "post": 1,
        "comment": 1,
        "direct-message": 1,
    }
    assert visitor.get("/me", accept="application/json").json() == answer.json()
    assert "accept" in visitor.get("/me").headers["vary"]
    (stopped,) = come("de").get("/me?format=json").json()["uses"]
    assert (stopped["situation"], stopped["can_choose"]) == ("stopped", False)
    assert "EU" in stopped["obstacles"][0]["areas"]
    for path in ("/me/items", "/me/history", "/me/uses"):
        text = visitor.get(path).text
        assert 'rel="alternate" type="application/json"' in text
        assert visitor.get(f"{path}?format=json").json()
    assert Visitor(visitor.url).get("/me", accept="application/json").status_code == 401
    assert deployment.control.desk.parts.ledger.head() == position + 1, "nothing is recorded by looking"


def test_whoever_is_not_known_is_told_only_that(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    text = words(come("stranger").get("/me"))
    assert "The platform has told us nothing about you yet" in text
    assert "your age" not in text
    assert "We do not know how old you are" not in text
    assert "We do not know for sure where you live" not in text
    assert "We do not know how old you are" in words(come("noage").get("/me"))


def test_with_very_many_releases_the_numbers_are_a_click_away(
    place: tuple[Deployment, Come, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, come, _ = place
    for module in ("member", "member_items"):
        monkeypatch.setattr(f"consentry.service.pages.{module}.AFFORDABLE", 0)
    visitor = come("us")
    page = visitor.get("/me")
    assert "See in numbers what a no does, or choose how far back" in words(page)
    assert "items leave" not in words(page)
    choices = page.text.split('action="/me/choices"')
    forms = [*choices[1:], visitor.get("/me/items").text.partition('action="/me/choices"')[2]]
    assert len(forms) == 3, "of the whole use, of kinds and of items"
    for form in forms:
        for reach in ("everything", "untrained", "future"):
            assert f'name="reach" value="{reach}"' in form, "nobody is given a reach that they could not see"


def test_a_use_that_nobody_can_choose_costs_the_others_no_numbers(
    place: tuple[Deployment, Come, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, _, _ = place
    found = blocks(deployment.control, deployment.person("us"), from_notice="")
    (use,) = [each for each in found if each.purpose == "train-genai"]
    releases = len(deployment.control.own_content.concerned(use.purpose))
    monkeypatch.setattr("consentry.service.pages.member.AFFORDABLE", releases)
    fixed = replace(use, policy="")
    assert releases > 0
    effects, kinds = _effects(deployment.control, deployment.person("us"), [fixed, use])
    assert list(effects) == ["train-genai"]
    assert set(kinds["train-genai"]) == {"post", "comment"}


def test_a_member_takes_everything_away(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    no(visitor)
    said_before = visitor.get("/me/history?format=json").json()["choices"]
    assert [(each["answer"], each["use"], each["how_far"]) for each in said_before] == [
        ("refused", "train-genai", "everything")
    ]
    items = visitor.get("/me/items?format=json&purpose=train-genai").json()["items"]
    assert [each["id"] for each in items] == [HOSTILE, "u2", "u1"]
    assert {each["used"] for each in items} == {False}
    uses = visitor.get("/me/uses?format=json").json()
    assert uses["releases"][0]["removed"] == 2
    assert [each["model"] for each in uses["models"]] == ["drafts"]
    for path in ("/me/history", "/me/items", "/me/uses"):
        answer = visitor.get(f"{path}?format=csv")
        assert answer.headers["content-type"].startswith("text/csv")
        assert len(answer.text.splitlines()) > 1
        assert Visitor(visitor.url).get(f"{path}?format=json").status_code == 401


def test_a_long_history_comes_in_pages(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=NOW)
    made = ChoiceMade(person=deployment.person("us"), choice=choice, source=Source.IMPORT)
    deployment.control.statements.choose([made] * 120)
    page = come("us").get("/me/history")
    assert "Page 1 of 3" in words(page)
    assert len(page.content) < 100_000
    assert page.text.count("<li>\n<h2>") == 50
    assert "Page 3 of 3" in words(come("us").get("/me/history?page=3"))


def test_a_receipt_as_a_text_is_in_the_language_of_the_person_and_in_plain_words(
    place: tuple[Deployment, Come, str],
) -> None:
    _, come, _ = place
    visitor = come("us")
    path = f"/me/receipts/{no(visitor).partition('=')[2]}?form=text"
    english = visitor.get(path).text
    assert "Use: Training of AI that writes texts and makes pictures" in english
    for code in LANGUAGES:
        answer = visitor.get(f"{path}&lang={code}")
        assert answer.headers["content-language"] == code
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert not re.search("train-genai|commitment|untrained|refused", answer.text)
        lines = answer.text.splitlines()
        assert len(lines) == len(english.splitlines())
        if code == "en":
            continue
        assert not set(lines) & set(english.splitlines())
        assert lines[0].removeprefix("\u200f") == translations(code).gettext("Receipt")
        # A line from the right starts with its mark, and what is in Latin letters stands for itself.
        assert all(line.startswith("\u200f") is (code == "ar") for line in lines)
        assert ("\u2066" in answer.text) is (code == "ar")
        assert answer.text.count("\u2066") == answer.text.count("\u2069")


def test_what_a_rule_says_of_itself_is_said_in_the_language_of_the_page(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    text = shipped()["november-2025"]
    deployment.control.statements.publish(text, "november-2025")
    rule = load(text, "november-2025").rule("members-told-and-waited-for")
    visitor = come("gb")
    assert "Not yet" in words(visitor.get("/me"))
    for code in LANGUAGES:
        said, written = rule.why_for(code)
        assert written == code
        for page in (visitor.get(f"/me?lang={code}"), Visitor(url).get(f"/transparency?lang={code}")):
            assert f'<span lang="{code}" dir="auto">{said}</span>' in unescape(page.text)
    english = "\n".join(line for line in text.splitlines() if not line.startswith("why.cy"))
    deployment.control.statements.publish(english, "november-2025")
    assert f'<span lang="en" dir="auto">{rule.why}</span>' in visitor.get("/me?lang=cy").text


def test_a_history_is_narrowed_sorted_and_taken_away_as_it_is_asked_for(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    person = deployment.person("us")
    for state in (ChoiceState.REFUSED, ChoiceState.ALLOWED, ChoiceState.REFUSED):
        choice = Choice(purpose=Purpose.TRAIN_GENAI, state=state, at=NOW)
        deployment.control.statements.choose([ChoiceMade(person=person, choice=choice, source=Source.IMPORT)])
    us = come("us")
    every = us.get("/me/history?format=json").json()["choices"]
    newest_first = [row["position"] for row in every]
    assert newest_first == sorted(newest_first, reverse=True)
    turned = us.get("/me/history?sort=position&format=json").json()["choices"]
    assert turned == every[::-1]
    narrowed = us.get("/me/history?answer=allowed&format=json").json()["choices"]
    assert [row["answer"] for row in narrowed] == ["allowed"]
    page = us.get("/me/history?answer=allowed")
    assert page.text.count("<li>\n<h2>") == 1
    assert 'href="?answer=allowed&amp;format=csv"' in page.text
    assert "Nothing fits" in words(us.get("/me/history?answer=nothing"))


def test_many_look_ups_come_in_pages_and_as_files(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    for number in range(60):
        deployment.control.look_ups.look_up("us", reason=f"ticket {number}", by="sam")
    us = come("us")
    said = words(us.get("/me/history"))
    assert ("ticket 59" in said, "ticket 0 " in said) == (True, False), "the newest, and a link to all"
    assert 'href="/me/look-ups"' in us.get("/me/history").text
    assert "Page 1 of 2" in words(us.get("/me/look-ups"))
    assert "ticket 0" in words(us.get("/me/look-ups?page=2"))
    rows = us.get("/me/look-ups?format=json").json()["look_ups"]
    assert [row["reason"] for row in rows] == [f"ticket {number}" for number in range(59, -1, -1)]
    deployment.control.look_ups.look_up("us", reason="by letter", by="sam")
    assert [row["reason"] for row in us.get("/me/look-ups?q=letter&format=json").json()["look_ups"]] == ["by letter"]
    assert us.get("/me/look-ups?format=csv").headers["content-type"].startswith("text/csv")
    assert "Nobody at the platform has looked" in words(come("gb").get("/me/look-ups"))


def test_many_collections_come_in_pages(place: tuple[Deployment, Come, str], monkeypatch: pytest.MonkeyPatch) -> None:
    deployment, come, _ = place
    verbs = deployment.control.own_content
    (one,) = verbs.releases(deployment.person("us"))[:1]
    many = [{**one, "release": f"collection-{number}"} for number in range(60)]
    monkeypatch.setattr(verbs, "releases", lambda _: many)
    page = come("us").get("/me/uses")
    assert "Page 1 of 2" in words(page)
    assert ("collection-49<" in page.text, "collection-50<" in page.text) == (True, False)
    assert "collection-59" in words(come("us").get("/me/uses?page=2"))
    assert len(come("us").get("/me/uses?format=json").json()["releases"]) == 60


@pytest.mark.parametrize(("again", "recorded"), [("everything", 1), ("future", 0)])
def test_a_no_to_a_kind_that_reaches_further_than_the_one_that_stands_is_recorded(
    place: tuple[Deployment, Come, str], again: str, recorded: int
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = {"purpose": "train-genai", "what": "kinds", "kind-post": "no", "reach": "future"}
    assert visitor.post("/me/choices", form).status_code == 303
    head = deployment.ledger.head()
    visitor.post("/me/choices", form | {"reach": again})
    said = [event.body for event in deployment.ledger.read(head) if isinstance(event.body, ChoiceMade)]
    assert [str(each.choice.reach) for each in said] == [again] * recorded
