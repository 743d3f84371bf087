"""A member's own pages: coming in, every state of a use, saying no and yes, and that nobody sees what is another's."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consentry.accounts.member_link import LinkKeys, claims_for
from consentry.bootstrap import Deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach, Visibility
from consentry.release.snapshot import Use
from end_to_end.network import RawItem, RawPerson, fresh, write_corpus, write_people
from end_to_end.test_story import BEFORE, NOW
from service.at_work import POLICY, in_thread, said
from service.visitor import Visitor, words

NEW_POST = Use(Purpose.TRAIN_GENAI, Category.POST, Visibility.PUBLIC)
VERSION = "what-we-use/1"
HOSTILE = "<script>alert(1)</script>'\"><img src=x onerror=alert(1)>"
PEOPLE = (
    RawPerson(id="us"),
    RawPerson(id="us2"),
    RawPerson(id="gb", country="GB"),
    RawPerson(id="de", country="DE"),
    RawPerson(id="kid", age="minor"),
    RawPerson(id="noage", age=None),
    RawPerson(id="nowhere", country=None),
    RawPerson(id="empty"),
    RawPerson(id="gone", account="closed"),
    RawPerson(id="one", country="CA"),
    RawPerson(id="other", country="CA", same_as="one"),
)
ITEMS = (
    RawItem(id="u1", author="us", created=BEFORE),
    RawItem(id="u2", author="us", category="comment", created=BEFORE + 5, involves=("us2",)),
    RawItem(id=HOSTILE, author="us", category="direct-message", created=BEFORE + 9),
    RawItem(id="v1", author="us2", created=BEFORE),
    RawItem(id="g1", author="gb", created=BEFORE),
    RawItem(id="d1", author="de", created=BEFORE),
    RawItem(id="k1", author="kid", created=BEFORE),
    RawItem(id="n1", author="noage", created=BEFORE),
    RawItem(id="w1", author="nowhere", created=BEFORE),
)
Come = Callable[..., Visitor]


def token_for(deployment: Deployment, person: str, **changed: Any) -> str:
    control, settings = deployment.control, deployment.settings
    claims = claims_for(person, audience=settings.audience, now=control.desk.parts.clock(), facts={})
    return LinkKeys(settings.home / "keys").signed({**claims, **changed})


@pytest.fixture
def place() -> Iterator[tuple[Deployment, Come, str]]:
    with fresh() as (folder, deployment):
        control = deployment.control
        control.statements.register_corpus(write_corpus(folder, [ITEMS[:4], ITEMS[4:]]))
        control.statements.load_people(write_people(folder / "people", PEOPLE))
        control.statements.publish(shipped()[POLICY], POLICY)
        release = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, at=NOW).manifest.release
        control.models.register("drafts", releases=[release])
        with in_thread(deployment) as ask:

            def come(person: str, **facts: Any) -> Visitor:
                visitor = Visitor(ask.url)
                answer = visitor.get(f"/me/enter?token={token_for(deployment, person, **facts)}")
                assert answer.status_code == 303, words(answer)
                assert answer.headers["location"].startswith("/me")
                assert "token" not in answer.headers["location"]
                return visitor

            yield deployment, come, ask.url


def no(visitor: Visitor, **more: str) -> str:
    answer = visitor.post("/me/choices", {"purpose": "train-genai", "answer": "no", **more})
    assert answer.status_code == 303, words(answer)
    return str(answer.headers["location"])


def shown(visitor: Visitor, purpose: str = "train-genai") -> dict[str, str]:
    """Return the field in which the forms about a use say how everything stands when the pages are opened."""
    pages = [visitor.get("/me").text, visitor.get(f"/me/items?purpose={purpose}").text]
    forms = [form for page in pages for form in re.findall(r'(?s)<form [^>]*action="/me/choices".*?</form>', page)]
    found = [re.findall(r'name="shown" value="([^"]*)"', form) for form in forms if f'value="{purpose}"' in form]
    return {"shown": " ".join(html.unescape(text) for each in found for text in each)}


def read(visitor: Visitor) -> dict[str, str]:
    """Return the fields of somebody who has looked at how it stands, and has read what the page shows before a yes."""
    found = re.search(r'name="version" value="([^"]*)"', visitor.get("/me").text)
    return shown(visitor) | ({"read": "yes", "version": html.unescape(found[1])} if found else {})


def yes(visitor: Visitor, **more: str) -> str:
    answer = visitor.post("/me/choices", {"purpose": "train-genai", "answer": "yes", **read(visitor), **more})
    assert answer.status_code == 303, words(answer)
    return str(answer.headers["location"])


def one_item(item: str, number: int, answer: str) -> dict[str, str]:
    return {f"corpus-{number}": "network", f"item-{number}": item, f"answer-{number}": answer}


def main_of(text: str) -> str:
    return text[text.index("<main") : text.index("</main>")]


def test_a_member_comes_in_once_by_a_link(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    visitor = come("us", name="Ada <b>", back="https://example.com/settings", locale="fr-CA")
    page = visitor.get("/me")
    assert "Ada &lt;b&gt;" in page.text
    assert 'href="https://example.com/settings"' in page.text
    assert '<html lang="fr"' in visitor.get("/me?lang=fr").text
    token = token_for(deployment, "us")
    assert Visitor(url).get(f"/me/enter?token={token}").status_code == 303
    again = Visitor(url)
    answer = again.get(f"/me/enter?token={token}")
    assert answer.status_code == 422
    assert "It was used before" in words(answer)
    assert "Go back to the settings of the platform and click again" in words(answer)
    assert not again.is_signed_in


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"exp": 1_600_000_000}, "It is too old"),
        ({"aud": "elsewhere"}, "It is for another site"),
        ({"jti": "x"}, "The platform made it in a wrong way"),
    ],
)
def test_a_link_that_is_not_good(place: tuple[Deployment, Come, str], changed: dict[str, Any], said: str) -> None:
    deployment, _, url = place
    visitor = Visitor(url)
    answer = visitor.get(f"/me/enter?token={token_for(deployment, 'us', **changed)}")
    assert answer.status_code == 422
    assert said in words(answer)
    assert not visitor.is_signed_in


def test_without_a_session_the_page_says_where_to_come_from(place: tuple[Deployment, Come, str]) -> None:
    _, _, url = place
    for path in ("/me", "/me/items", "/me/history", "/me/uses", "/me/check"):
        answer = Visitor(url).get(path)
        assert answer.status_code == 401
        assert "Open this page from the platform" in words(answer)
    answer = Visitor(url).post("/me/choices", {"purpose": "train-genai", "answer": "no"})
    assert answer.status_code == 401
    assert "Nothing was saved" in words(answer)


def test_who_is_in_the_session_is_a_pseudonym(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    come("a-very-recognisable-id")
    for file in deployment.settings.home.rglob("*"):
        if file.is_file():
            assert b"a-very-recognisable-id" not in file.read_bytes(), file


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


def test_saying_no_is_one_step_and_holds_at_once(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    assert deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    visitor = come("us")
    location = no(visitor)
    assert not deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    assert deployment.control.people.may("us2", NEW_POST, policy=POLICY)["allowed"]
    position = int(location.partition("=")[2])
    (event,) = deployment.control.desk.parts.ledger.read(position, position + 1)
    assert isinstance(event.body, ChoiceMade)
    assert event.body.person == deployment.person("us")
    assert event.body.choice.reach is Reach.EVERYTHING
    page = words(visitor.get(location))
    assert "Saved: you said no" in page
    assert f"Number of this choice {position}" in page
    assert "Your items have left 1 collection" in page
    assert "1 AI model learned from it and is marked" in page
    assert 'role="status"' in visitor.get(location).text
    assert "Off You said no" in page
    assert no(visitor) == "/me?unchanged=train-genai", "said again, it says nothing new"


def test_a_receipt_to_keep(place: tuple[Deployment, Come, str], tmp_path: Path) -> None:
    deployment, come, _ = place
    visitor = come("us")
    location = no(visitor)
    position = location.partition("=")[2]
    assert f"/me/receipts/{position}" in visitor.get(location).text
    assert f"/me/receipts/{position}" in visitor.get("/me/history").text
    answer = visitor.get(f"/me/receipts/{position}")
    assert answer.headers["content-disposition"] == f'attachment; filename="receipt-{position}.json"'
    (tmp_path / "receipt.json").write_bytes(answer.content)
    said(deployment.settings.home, "receipt", "verify", str(tmp_path / "receipt.json"))
    text = visitor.get(f"/me/receipts/{position}?form=text").text
    assert "What you said: You said no" in text
    assert visitor.get("/me/receipts/0").status_code == 404


def test_a_no_says_before_what_it_will_do(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    visitor = come("us")
    page = words(visitor.get("/me/check?purpose=train-genai"))
    assert "2 items that may be used now are left out" in page
    assert "2 items leave 1 collection" in page
    assert "1 AI model learned from it" in page
    page = words(visitor.get("/me/check?purpose=train-genai&category=comment"))
    assert "1 item that may be used now is left out" in page or "1 items that may be used" in page
    assert "Say no" in page
    assert visitor.get("/me/check?purpose=nonsense").status_code == 409
    no(visitor, reach="future")
    page = words(visitor.get("/me"))
    assert "It holds for what you create from then on" in page


def test_what_somebody_else_in_it_said_stays_theirs(place: tuple[Deployment, Come, str]) -> None:
    _, come, _ = place
    no(come("us2"))
    page = words(come("us").get("/me"))
    assert "1 of 3 items may be used" in page
    assert "Somebody else appears in it whose content may not be used" in page
    items = words(come("us").get("/me/items"))
    assert "You said no" not in items


def test_saying_yes_asks_for_the_notice(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    control = deployment.control
    text = f"We use posts.\n\nYou can say no. {HOSTILE}".encode()
    control.notices.write("what-we-use", text, languages=["en"], channel="mail", audience="members")
    visitor = come("us", notice="what-we-use")
    no(visitor)
    page = visitor.get("/me")
    assert "We use posts." in words(page)
    assert "<script" not in page.text
    form = {"purpose": "train-genai", "answer": "yes", "version": VERSION, **shown(visitor)}
    answer = visitor.post("/me/choices", form)
    assert answer.status_code == 422
    assert "<title>Error: " in answer.text
    assert "Tick that you have read the notice" in words(answer)
    assert 'value="yes" checked' in answer.text.replace("\n", " "), "what was chosen is kept"
    assert not control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    control.notices.write("what-we-use", b"We use more now.", languages=["en"], channel="mail", audience="all")
    answer = visitor.post("/me/choices", {**form, "read": "yes"})
    assert answer.status_code == 422
    assert "The notice has changed" in words(answer)
    page = visitor.follow(visitor.post("/me/choices", {**form, "read": "yes", "version": VERSION[:-1] + "2"}))
    assert "Saved: you said yes" in words(page)
    assert "Notice you read version 2 of" in words(page)
    assert control.people.may("us", NEW_POST, policy=POLICY)["allowed"]


def test_the_notice_is_read_in_the_language_of_the_page(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    told = {"channel": "mail", "audience": "all"}
    others = {"cy": b"Defnyddiwn negeseuon."}
    deployment.control.notices.write("what-we-use", b"We use posts.", languages=["en"], others=others, **told)
    visitor = come("us", notice="what-we-use")
    no(visitor)
    page = visitor.get("/me?lang=cy")
    assert '<div class="prose" lang="cy" dir="auto"><p>Defnyddiwn negeseuon.</p>' in page.text
    assert "Does dim testun ohono yn eich iaith chi" not in words(page)
    page = visitor.get("/me?lang=de")
    assert '<div class="prose" lang="en" dir="auto"><p>We use posts.</p>' in page.text
    assert "Davon gibt es keinen Text in Ihrer Sprache. Er erscheint in dieser: Englisch" in words(page)
    page = visitor.get("/me?lang=en")
    assert "We use posts." in words(page)
    assert "no text of it in your language" not in words(page)
    (use,) = visitor.get("/me?format=json&lang=de").json()["uses"]
    assert use["notice"]["language"] == "en"


def test_without_an_answer_nothing_is_saved(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    head = deployment.control.desk.parts.ledger.head()
    for form in ({"purpose": "train-genai"}, {"purpose": "train-genai", "answer": "perhaps"}):
        answer = come("us").post("/me/choices", form)
        assert answer.status_code == 422
        assert "Choose yes or no" in words(answer)
    assert come("us").post("/me/choices", {"purpose": "nonsense", "answer": "no"}).status_code == 409
    assert deployment.control.desk.parts.ledger.head() == head


def test_kind_by_kind(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = {"purpose": "train-genai", "what": "kinds", "kind-comment": "no", "kind-post": "yes"}
    page = visitor.follow(visitor.post("/me/choices", form))
    assert "Saved: you said no" in words(page)
    assert "Comments" in words(page)
    assert deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    comment = NEW_POST._replace(category=Category.COMMENT)
    assert not deployment.control.people.may("us", comment, policy=POLICY)["allowed"]
    visitor.post("/me/choices", {**form, "kind-comment": "yes", **read(visitor)})
    assert deployment.control.people.may("us", comment, policy=POLICY)["allowed"]
    # What no rule permits cannot be switched on.
    answer = visitor.post("/me/choices", {**form, "kind-comment": "yes", "kind-direct-message": "yes"})
    assert answer.headers["location"] == "/me?unchanged=train-genai"


def test_item_by_item(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    page = visitor.get("/me/items")
    assert HOSTILE not in page.text
    assert "u1" in words(page)
    assert "v1" not in words(page)
    assert page.text.index("u2") < page.text.index("u1"), "newest first"
    assert page.text.count('value="yes" checked') == 2, "what may be used, and nothing else, has an answer"
    form = {"purpose": "train-genai", "what": "items"} | one_item("u1", 1, "no") | one_item("u2", 2, "yes")
    page = visitor.follow(visitor.post("/me/choices", form))
    assert "Saved: you said no" in words(page)
    assert "Training of AI that writes texts and makes pictures: 1 item" in words(page)
    assert "Keep your receipt" in words(page)
    assert page.text.count('value="no" checked') == 1
    assert "1 of 3 items may be used" in words(visitor.get("/me"))
    assert deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"], "it is about one item"
    head = deployment.control.desk.parts.ledger.head()
    assert "Nothing to save" in words(visitor.follow(visitor.post("/me/choices", form)))
    assert deployment.control.desk.parts.ledger.head() == head, "said again, it says nothing new"
    turned = {**form, "answer-1": "yes", "answer-2": "no", **shown(visitor)}
    page = visitor.follow(visitor.post("/me/choices", turned))
    assert words(page).index("Saved: you said no") < words(page).index("Saved: taken back"), "both are told"
    assert len(set(re.findall(r'"/me/receipts/(\d+)"', page.text))) == 2
    assert visitor.follow(visitor.post("/me/choices", {**form, "answer-2": "yes", **shown(visitor)})).status_code == 200
    assert "1 of 3 items may be used" in words(visitor.get("/me"))
    visitor.post("/me/choices", {**form, "answer-1": "yes", **shown(visitor)})
    assert "2 of 3 items may be used" in words(visitor.get("/me"))
    listed = words(visitor.get("/me/items?category=comment")).partition("Item May AI learn from it?")[2]
    assert "Comments" in listed
    assert "Posts" not in listed


@pytest.mark.parametrize("item", ["v1", "nonsense", "", "u1\x00"])
def test_an_item_of_somebody_else_cannot_be_chosen(place: tuple[Deployment, Come, str], item: str) -> None:
    deployment, come, _ = place
    head = deployment.control.desk.parts.ledger.head()
    form = {"purpose": "train-genai", "what": "items"} | one_item("u1", 1, "no") | one_item(item, 2, "no")
    assert come("us").post("/me/choices", form).status_code == 404
    assert come("us").post("/me/choices", {**form, "corpus-2": "other"}).status_code == 404
    assert deployment.control.desk.parts.ledger.head() == head


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


def test_coming_in_again_ends_the_session_before(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    old = dict(visitor.cookies)
    visitor.get(f"/me/enter?token={token_for(deployment, 'us')}")
    assert visitor.cookies != old
    visitor.cookies = old
    assert visitor.get("/me").status_code == 401


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
    visitor.post("/me/choices", {"purpose": "train-ai", "answer": "back", **shown(visitor, "train-ai")})
    assert "On Your content may be used" in words(visitor.get("/me"))


def test_consent_is_asked_with_nothing_chosen_before(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    text = shipped()["opt-in-only"].replace('purposes = ["train-ai"]', 'purposes = ["train-genai"]')
    text = text.replace('purpose = "train-genai-text", ', "")
    deployment.control.statements.publish(text, "opt-in-only")
    visitor = come("us")
    page = visitor.get("/me")
    assert "Off Nothing is used unless you say yes" in words(page)
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
    assert "Not yet Your content is not used before you had time to say no" in page
    assert "after you were told and had time to say no" in page
    now = control.desk.parts.clock()
    control.notices.serve("genai-2025", [deployment.person("gb")], at=now - 86_400)
    page = words(visitor.get("/me"))
    assert "unless you say no" in page
    no(visitor)
    assert "Off You said no" in words(visitor.get("/me"))


def test_whoever_was_erased_is_told_so(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    no(come("us"))
    deployment.control.statements.erase([deployment.person("us")])
    page = come("us").get("/me")
    assert 'name="answer"' not in page.text
    assert "nothing of yours is used" in words(page)


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


def test_the_command_makes_a_link(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    link = json.loads(said(deployment.settings.home, "--json", "account", "member-link", "us", "--url", url))["link"]
    visitor = Visitor(url)
    assert visitor.get(link.removeprefix(url)).status_code == 303
    assert visitor.is_signed_in


EMBEDDING = Path(__file__).parents[2] / "docs" / "embedding.md"


def test_the_plain_example_of_the_document_signs_in(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    keys = LinkKeys(deployment.settings.home / "keys")
    keys.shared()
    block = EMBEDDING.read_text("utf-8").partition("<!-- plain:")[2].partition("```text\n")[2].partition("```")[0]
    environment = {
        **os.environ,
        "PERSON": "us",
        "AUDIENCE": deployment.settings.audience,
        "KEY_FILE": str(keys.folder / "link.key"),
        "SITE": url,
    }
    done = subprocess.run(
        ["sh", "-eu", "-c", block], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"303 {url}/me", done.stderr


def test_the_python_example_of_the_document_signs_in(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    block = EMBEDDING.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    namespace: dict[str, Any] = {}
    exec(compile(block, str(EMBEDDING), "exec", dont_inherit=True), namespace)
    key = LinkKeys(deployment.settings.home / "keys").shared()
    link = namespace["member_link"](deployment.settings.audience, "us", key=key, name="Ada")
    visitor = Visitor(url)
    assert visitor.get(link[link.index("/me/enter") :]).status_code == 303
    assert "Hello Ada" in words(visitor.get("/me"))


def test_a_look_up_is_shown_to_the_person_and_to_nobody_else(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    assert "Nobody at the platform has looked" in words(come("us").get("/me/history"))
    deployment.control.look_ups.look_up("us", reason=f"asked by mail {HOSTILE}", by="sam")
    page = come("us").get("/me/history")
    assert "sam looked at what is known of you here. Reason given: asked by mail" in words(page)
    assert "<script" not in page.text
    assert "asked by mail" not in come("gb").get("/me/history").text


def test_a_link_does_not_put_somebody_in_the_place_of_somebody_else(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("gb")
    path = f"/me/enter?token={token_for(deployment, 'us')}"
    answer = visitor.get(path)
    assert answer.status_code == 422
    assert "Somebody else is signed in in this browser" in words(answer)
    assert visitor.get("/me").status_code == 200, "whoever was signed in still is"
    visitor.post("/sign-out")
    assert visitor.get(path).status_code == 303, "the link was not used up"
    assert visitor.get(f"/me/enter?token={token_for(deployment, 'us')}").status_code == 303, "the same person again"
