"""Global Privacy Control means what the policy set says: a no, a suggestion, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.requests import Request

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.service.pages.member_signal import record_no
from end_to_end.test_story import NOW
from service.at_work import POLICY
from service.members import NEW_POST, Come, no, one_item, read, yes
from service.visitor import words

place = member.place
GPC = {"sec-gpc": "1"}


def means(deployment: Deployment, word: str) -> None:
    text = f'{shipped()[POLICY]}\n[signals]\nglobal_privacy_control = "{word}"\n'
    deployment.control.statements.publish(text, POLICY)


def heard(deployment: Deployment, head: int) -> list[ChoiceMade]:
    events = deployment.control.desk.parts.ledger.read(head, deployment.control.desk.parts.ledger.head())
    return [event.body for event in events if isinstance(event.body, ChoiceMade)]


def test_it_counts_as_a_no_of_whoever_has_said_nothing(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    head = deployment.control.desk.parts.ledger.head()
    visitor = come("us")
    page = visitor.get("/me", **GPC)
    text = words(page)
    assert "Your browser asks that your data is not used" in text
    assert "The rules here count that as your no" in text
    assert "Saved: you said no" in text
    assert "with a signal of your browser" in text
    assert "sec-gpc" in page.headers["vary"]
    (said,) = heard(deployment, head)
    assert (said.person, said.source) == (deployment.person("us"), Source.SIGNAL)
    assert (said.choice.state, said.choice.reach) == (ChoiceState.REFUSED, Reach.UNTRAINED)
    assert not deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    assert deployment.control.people.may("us2", NEW_POST, policy=POLICY)["allowed"]
    visitor.get("/me", **GPC)
    assert len(heard(deployment, head)) == 1, "said again, it says nothing new"
    receipt = next(part for part in page.text.split('"') if part.startswith("/me/receipts/"))
    assert visitor.get(receipt).status_code == 200


def test_what_they_say_themselves_counts_more_before_and_after(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.get("/me", **GPC)
    yes(visitor)
    head = deployment.control.desk.parts.ledger.head()
    assert 'id="train-genai-yes" name="answer" value="yes" checked' in visitor.get("/me", **GPC).text
    other = come("us2")
    other.post("/me/choices", {"purpose": "train-genai", "what": "kinds", "kind-comment": "no"})
    assert deployment.control.people.may("us2", NEW_POST, policy=POLICY)["allowed"]
    other.get("/me", **GPC)
    assert deployment.control.people.may("us2", NEW_POST, policy=POLICY)["allowed"]
    comment = NEW_POST._replace(category=Category.COMMENT)
    assert not deployment.control.people.may("us2", comment, policy=POLICY)["allowed"]
    assert all(each.source is Source.SETTINGS for each in heard(deployment, head))


@pytest.mark.parametrize("person", ["de", "kid", "stranger", "gone"])
def test_where_nothing_is_used_nothing_is_recorded(place: tuple[Deployment, Come, str], person: str) -> None:
    deployment, come, _ = place
    head = deployment.control.desk.parts.ledger.head()
    page = come(person).get("/me", **GPC)
    assert page.status_code == 200
    assert "Your browser asks" not in words(page)
    assert heard(deployment, head) == []


def test_only_the_signal_itself_counts(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    head = deployment.control.desk.parts.ledger.head()
    visitor = come("us")
    for headers in ({"sec-gpc": "0"}, {"sec-gpc": "true"}, {**GPC, "sec-purpose": "prefetch"}):
        assert visitor.get("/me", **headers).status_code == 200
    assert heard(deployment, head) == []


def test_it_is_not_called_saved_where_nothing_is(place: tuple[Deployment, Come, str]) -> None:
    """Whoever is asked is no in use, and a page that is fetched ahead may be the one that is shown."""
    deployment, come, _ = place
    head = deployment.ledger.head()
    assert "It is saved" not in words(come("us").get("/me", **GPC, **{"sec-purpose": "prefetch"}))
    assert "It is saved" in words(come("us").get("/me", **GPC)), "the control"
    assert deployment.ledger.head() == head + 1
    deployment.control.statements.withdraw(POLICY)
    deployment.control.statements.publish(shipped()["opt-in-only"], "opt-in-only")
    head = deployment.ledger.head()
    page = words(come("gb").get("/me", **GPC))
    assert ("It is saved" in page, deployment.ledger.head()) == (False, head)


def test_it_may_only_choose_no_on_the_page(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    means(deployment, "suggest")
    head = deployment.control.desk.parts.ledger.head()
    visitor = come("us")
    page = visitor.get("/me", **GPC)
    assert "Your browser asks that your data is not used" in words(page)
    assert "It counts when you press Save: we save nothing on our own" in words(page)
    assert 'id="train-genai-no" name="answer" value="no" checked' in page.text
    assert "sec-gpc" in page.headers["vary"]
    assert deployment.control.desk.parts.ledger.head() == head
    assert 'id="train-genai-yes" name="answer" value="yes" checked' in visitor.get("/me").text
    no(visitor)
    yes(visitor)
    page = visitor.get("/me", **GPC)
    assert 'value="yes" checked' in page.text, "what they said themselves is not turned round"


def test_it_may_mean_nothing(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    means(deployment, "ignore")
    head = deployment.control.desk.parts.ledger.head()
    page = come("us").get("/me", **GPC)
    assert "Your browser asks" not in words(page)
    assert 'id="train-genai-yes" name="answer" value="yes" checked' in page.text
    assert deployment.control.desk.parts.ledger.head() == head


def test_another_account_of_theirs_that_refused_is_no_reason_to_say_it_again(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, come, _ = place
    choice = Choice(purpose=Purpose.TRAIN_AI, state=ChoiceState.REFUSED, at=NOW)
    made = ChoiceMade(person=deployment.person("other"), choice=choice, source=Source.IMPORT)
    deployment.control.statements.choose([made])
    head = deployment.control.desk.parts.ledger.head()
    assert "You said no with another account" in words(come("one").get("/me", **GPC))
    assert heard(deployment, head) == []


def test_a_yes_of_another_account_of_theirs_is_not_turned_round(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.ALLOWED, at=NOW)
    made = ChoiceMade(person=deployment.person("other"), choice=choice, source=Source.IMPORT)
    deployment.control.statements.choose([made])
    head = deployment.control.desk.parts.ledger.head()
    page = come("one").get("/me", **GPC)
    assert heard(deployment, head) == []
    assert "Saved: you said no" not in words(page)
    assert deployment.control.people.may("other", NEW_POST, policy=POLICY)["allowed"]


ABOUT: dict[str, dict[str, Any]] = {
    "whole use": {},
    "use above it": {"purpose": Purpose.TRAIN_AI},
    "kind": {"categories": frozenset({Category.COMMENT})},
    "item": {"items": frozenset({"0" * 32})},
}


def took_back(deployment: Deployment, person: str, about: Mapping[str, Any]) -> None:
    for state in (ChoiceState.REFUSED, ChoiceState.UNSET):
        choice = Choice(**{"purpose": Purpose.TRAIN_GENAI, "state": state, "at": NOW, **about})
        made = ChoiceMade(person=deployment.person(person), choice=choice, source=Source.IMPORT)
        deployment.control.statements.choose([made])


@pytest.mark.parametrize("about", ABOUT.values(), ids=ABOUT)
@pytest.mark.parametrize(("with_account", "looks"), [("us", "us"), ("other", "one"), ("one", "other")])
def test_whoever_took_a_no_back_has_spoken(
    place: tuple[Deployment, Come, str], about: dict[str, Any], with_account: str, looks: str
) -> None:
    deployment, come, _ = place
    took_back(deployment, with_account, about)
    head = deployment.control.desk.parts.ledger.head()
    page = come(looks).get("/me", **GPC)
    assert heard(deployment, head) == []
    assert "Saved: you said no" not in words(page)
    assert 'id="train-genai-yes" name="answer" value="yes" checked' in page.text
    assert deployment.control.people.may(looks, NEW_POST, policy=POLICY)["allowed"]
    means(deployment, "suggest")
    page = come(looks).get("/me", **GPC)
    assert 'id="train-genai-yes" name="answer" value="yes" checked' in page.text, "nor is it turned round on the page"


def test_a_no_to_one_item_that_is_taken_back_on_the_page_stays_taken_back(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    for answer in ("no", "yes"):
        form = {"purpose": "train-genai", "what": "items", **one_item("u1", 1, answer), **read(visitor)}
        assert visitor.post("/me/choices", form).status_code == 303
    head = deployment.control.desk.parts.ledger.head()
    assert "Saved: you said no" not in words(visitor.get("/me", **GPC))
    assert heard(deployment, head) == []


def test_what_another_use_is_about_says_nothing_of_this_one(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    took_back(deployment, "us", {"purpose": Purpose.SERVE})
    head = deployment.control.desk.parts.ledger.head()
    come("us").get("/me", **GPC)
    assert [each.source for each in heard(deployment, head)] == [Source.SIGNAL]


def test_tabs_that_are_opened_at_once_say_it_once(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    head = deployment.control.desk.parts.ledger.head()
    with ThreadPoolExecutor(8) as tabs:
        pages = list(tabs.map(lambda _: visitor.get("/me", **GPC), range(8)))
    assert {page.status_code for page in pages} == {200}
    assert len(heard(deployment, head)) == 1


def test_whoever_has_said_something_costs_nothing_more(
    place: tuple[Deployment, Come, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, _, _ = place
    control, person = deployment.control, deployment.person("us")
    request = Request({"type": "http", "headers": [(b"sec-gpc", b"1")]})
    (position,) = record_no(request, control, person=person)
    assert control.own_settings.history(person)[-1].position == position
    monkeypatch.setattr(type(control.own_settings), "uses", None)
    assert record_no(request, control, person=person) == []


def test_it_is_heard_while_the_use_is_suspended(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    control = deployment.control
    scope = Scope(areas=frozenset({"US", "DE"}))
    control.orders.suspend(scope, case="x", origin=Origin.OWN_DECISION, reference="r", by="ann")
    head = control.desk.parts.ledger.head()
    page = come("us").get("/me", **GPC)
    assert "Saved: you said no" in words(page)
    assert [each.source for each in heard(deployment, head)] == [Source.SIGNAL]
    come("de").get("/me", **GPC)
    assert len(heard(deployment, head)) == 1, "what is stopped without the order as well is not in use"
    for by in ("ann", "bob"):
        control.cases.withdraw("x", by=by, reference="given up")
    assert not control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
