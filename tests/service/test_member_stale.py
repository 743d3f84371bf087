"""A page that was opened before somebody changed their mind elsewhere takes nothing back: no yes of it is recorded."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import httpx2
import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.control_plane.asker import Asker
from consentry.errors import ConflictError
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, ChoiceState, Purpose, Reach
from consentry.service.languages import LANGUAGES
from service.at_work import POLICY
from service.members import NEW_POST, Come, no, read, shown, yes
from service.test_member_reach import as_shown, said_since
from service.visitor import Visitor, words

place = member.place
GPC = {"sec-gpc": "1"}
CHANGED = "Changed since you opened the page"
NOT_SAVED = "Something has changed since you opened this page, so your yes is not saved."
USE = {"purpose": "train-genai"}
KINDS = USE | {"what": "kinds"}


def whole(page: httpx2.Response) -> dict[str, str]:
    """Return what a browser sends of the form about all of a use if nobody touches it."""
    form = re.search(r'(?s)<form method="post" action="/me/choices" class="prose">.*?</form>', page.text)
    assert form is not None
    found = {}
    for tag in re.findall(r"<input [^>]+>", form[0]):
        of = {name: unescape(value) for name, value in re.findall(r'([a-z]+)="([^"]*)"', tag)}
        if of["type"] == "hidden" or " checked" in tag:
            found[of["name"]] = of["value"]
    return found


def may(deployment: Deployment, person: str = "us", category: Category = Category.POST) -> bool:
    return bool(deployment.control.people.may(person, NEW_POST._replace(category=category), policy=POLICY)["allowed"])


def imported(deployment: Deployment, state: ChoiceState, *categories: Category, person: str = "us") -> None:
    """Have the platform pass on what somebody said there."""
    at = deployment.control.desk.parts.clock()
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=state, at=at, categories=frozenset(categories))
    made = ChoiceMade(person=deployment.person(person), choice=choice, source=Source.IMPORT)
    deployment.control.statements.choose([made])


def item_of(form: dict[str, str], item: str) -> str:
    """Return the number of the row of an item."""
    (number,) = [name.removeprefix("item-") for name, value in form.items() if value == item]
    return number


REFUSALS: dict[str, Callable[[Deployment, Visitor], object]] = {
    "in another window": lambda _, visitor: no(visitor),
    "on the platform": lambda deployment, _: imported(deployment, ChoiceState.REFUSED),
    "by a signal": lambda _, visitor: visitor.get("/me", **GPC),
}


@pytest.mark.parametrize("way", REFUSALS)
def test_a_refusal_is_not_taken_back_by_an_old_page(place: tuple[Deployment, Come, str], way: str) -> None:
    deployment, come, _ = place
    visitor = come("us")
    page = visitor.get("/me")
    old, old_kinds, old_items = whole(page), as_shown(page, "kinds"), as_shown(visitor.get("/me/items"), "items")
    assert old["answer"] == old_kinds["kind-post"] == "yes"
    REFUSALS[way](deployment, visitor)
    head = deployment.ledger.head()
    for form in (old, old_kinds, old_items):
        visitor.post("/me/choices", form | {"read": "yes", "version": read(visitor)["version"]})
    answer = visitor.post("/me/choices", old)
    assert answer.status_code == 409
    assert NOT_SAVED in words(answer)
    assert "Training of AI that writes texts and makes pictures: now no" in words(answer)
    assert 'id="train-genai-no" name="answer" value="no" checked' in answer.text, "it shows what stands"
    assert said_since(deployment, head) == []
    assert not may(deployment)
    # Looked at again, a yes is a yes.
    new = whole(answer) | {"answer": "yes", "read": "yes"}
    assert visitor.post("/me/choices", new).status_code == 303
    assert may(deployment)


def test_saving_one_kind_sends_no_yes_to_another(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    old = as_shown(visitor.get("/me"), "kinds")
    visitor.post("/me/choices", KINDS | {"kind-post": "no", "reach": "untrained"})
    head = deployment.ledger.head()
    answer = visitor.post("/me/choices", old | {"kind-comment": "no"})
    (said,) = said_since(deployment, head)
    assert (said.state, said.categories) == (ChoiceState.REFUSED, frozenset({Category.COMMENT}))
    page = visitor.follow(answer)
    assert "Saved: you said no" in words(page)
    assert f"{CHANGED} It was changed elsewhere" in words(page)
    assert "Posts: now no" in re.sub(" +:", ":", words(page))
    assert not may(deployment)
    assert not may(deployment, category=Category.COMMENT)


def test_saving_one_item_sends_no_yes_to_another(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    old = as_shown(visitor.get("/me/items"), "items")
    one, other = item_of(old, "u1"), item_of(old, "u2")
    visitor.post("/me/choices", old | {f"answer-{one}": "no"})
    head = deployment.ledger.head()
    page = visitor.follow(visitor.post("/me/choices", old | {f"answer-{other}": "no"}))
    (said,) = said_since(deployment, head)
    assert (said.state, said.items) == (ChoiceState.REFUSED, frozenset({deployment.item("network", "u2")}))
    assert "u1 : now no" in words(page)
    assert page.text.count('value="no" checked') == 2


def test_a_yes_to_what_was_refused_anew_is_not_recorded(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", KINDS | {"kind-post": "no", "reach": "future"})
    old = as_shown(visitor.get("/me"), "kinds")
    assert old["kind-post"] == "no"
    visitor.post("/me/choices", KINDS | {"kind-post": "no", "reach": "everything"})
    head = deployment.ledger.head()
    answer = visitor.post("/me/choices", old | {"kind-post": "yes", "kind-comment": "no", "read": "yes"})
    assert answer.status_code == 409
    assert "Your no is saved; below it shows how everything else stands now." in words(answer)
    assert "Posts: now no" in re.sub(" +:", ":", words(answer))
    (said,) = said_since(deployment, head)
    assert (said.state, said.categories) == (ChoiceState.REFUSED, frozenset({Category.COMMENT}))
    assert 'id="train-genai-post-no" name="kind-post" value="no" checked' in answer.text


def test_a_yes_to_one_kind_is_recorded_whatever_was_said_of_another(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", KINDS | {"kind-post": "no"})
    old = as_shown(visitor.get("/me"), "kinds")
    visitor.post("/me/choices", KINDS | {"kind-comment": "no"})
    page = visitor.follow(visitor.post("/me/choices", old | {"kind-post": "yes", "read": "yes"}))
    assert "Saved: you said yes" in words(page)
    assert "Comments: now no" in re.sub(" +:", ":", words(page))
    assert may(deployment)
    assert not may(deployment, category=Category.COMMENT)


def test_a_no_that_nobody_touched_takes_no_yes_back_and_one_that_was_chosen_is_recorded(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", KINDS | {"kind-post": "no"})
    old = as_shown(visitor.get("/me"), "kinds")
    visitor.post("/me/choices", KINDS | {"kind-post": "yes", **read(visitor)})
    assert may(deployment)
    page = visitor.follow(visitor.post("/me/choices", old | {"kind-comment": "no"}))
    assert may(deployment)
    assert "Posts: now yes" in re.sub(" +:", ":", words(page))
    old = as_shown(page, "kinds")
    imported(deployment, ChoiceState.ALLOWED, Category.POST)
    assert visitor.post("/me/choices", old | {"kind-post": "no"}).status_code == 303
    assert not may(deployment), "who chooses no is believed, however old the page"


def test_the_no_of_an_old_page_about_all_of_a_use_is_recorded(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    no(visitor)
    old = whole(visitor.get("/me"))
    assert old["answer"] == "no"
    yes(visitor)
    assert may(deployment)
    assert visitor.post("/me/choices", old).status_code == 303
    assert not may(deployment), "it is the one answer of its form: whoever saves it says it"


def test_an_old_page_makes_no_refusal_reach_less_far(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    no(visitor, reach="future")
    old = whole(visitor.get("/me"))
    assert (old["answer"], old["reach"]) == ("no", "future")
    no(visitor, reach="everything")
    head = deployment.ledger.head()
    page = visitor.follow(visitor.post("/me/choices", old))
    assert said_since(deployment, head) == []
    assert CHANGED in words(page)
    assert visitor.post("/me/choices", whole(page) | {"reach": "future"}).status_code == 422
    assert said_since(deployment, head) == [], "also on a new page that takes a yes"


def test_a_kind_is_not_taken_out_of_a_refusal_of_everything(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", KINDS | {"kind-post": "no"})
    old = as_shown(visitor.get("/me"), "kinds")
    no(visitor)
    head = deployment.ledger.head()
    answer = visitor.post("/me/choices", old | {"kind-post": "yes", "read": "yes"})
    assert answer.status_code == 409
    assert "now nothing to choose" in words(answer)
    assert said_since(deployment, head) == []


def test_new_rules_that_ask_take_no_yes_from_an_old_page(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    old, kinds = whole(visitor.get("/me")), as_shown(visitor.get("/me"), "kinds")
    items = as_shown(visitor.get("/me/items"), "items")
    text = shipped()["opt-in-only"].replace('purposes = ["train-ai"]', 'purposes = ["train-genai"]')
    deployment.control.statements.publish(text.replace('purpose = "train-genai-text", ', ""), "opt-in-only")
    head = deployment.ledger.head()
    has_read = {"read": "yes", "version": read(visitor)["version"]}
    for form in (old, kinds, items):
        visitor.post("/me/choices", form | has_read)
    assert said_since(deployment, head) == [], "what stood there before was no consent"
    assert NOT_SAVED in words(visitor.post("/me/choices", old | has_read))


@pytest.mark.parametrize(
    "form",
    [{"answer": "no"}, {"what": "kinds", "kind-post": "no", "kind-comment": "yes"}],
    ids=["all", "kinds"],
)
def test_a_no_is_saved_where_the_use_was_suspended_meanwhile(
    place: tuple[Deployment, Come, str], form: dict[str, str]
) -> None:
    deployment, come, _ = place
    visitor = come("gb")
    page = visitor.get("/me")
    old = (as_shown(page, "kinds") if "what" in form else whole(page)) | form
    scope = Scope(areas=frozenset({"UK"}))
    deployment.control.orders.suspend(scope, case="ico", origin=Origin.AUTHORITY_REQUEST, reference="a letter")
    head = deployment.ledger.head()
    answer = visitor.post("/me/choices", old)
    assert answer.status_code == 422
    assert "This cannot be chosen now" in words(answer)
    assert "Your no is saved all the same" in words(answer)
    assert "Saved: you said no" in words(answer)
    (said,) = said_since(deployment, head)
    assert said.state is ChoiceState.REFUSED
    again = visitor.post("/me/choices", old)
    assert "Your no is saved" not in words(again), "said again it says nothing new"
    assert len(said_since(deployment, head)) == 1


def test_about_somebody_who_was_erased_nothing_is_recorded(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    old = whole(visitor.get("/me"))
    deployment.control.statements.erase([deployment.person("us")])
    head = deployment.ledger.head()
    assert visitor.post("/me/choices", old | {"answer": "no"}).status_code == 422
    assert said_since(deployment, head) == []


def test_a_yes_that_is_on_no_page_is_not_recorded(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    no(visitor)
    head = deployment.ledger.head()
    has_read = {name: value for name, value in read(visitor).items() if name != "shown"}
    for said in ({}, {"shown": "answer=no@9999"}, {"shown": "answer=yes@-1"}, {"shown": "\0 = @@ answer"}):
        assert visitor.post("/me/choices", USE | {"answer": "yes"} | has_read | said).status_code == 409
    assert said_since(deployment, head) == []
    assert visitor.post("/me/choices", USE | {"answer": "yes"} | has_read | shown(visitor)).status_code == 303


def test_a_refusal_between_looking_and_recording_stands(
    place: tuple[Deployment, Come, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    no(visitor)
    form = USE | {"answer": "yes"} | read(visitor)
    agree = deployment.control.own_choices.agree

    def refused_first(*args: object, **named: object) -> list[int]:
        imported(deployment, ChoiceState.REFUSED)
        return agree(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(deployment.control.own_choices, "agree", refused_first)
    answer = visitor.post("/me/choices", form)
    assert answer.status_code == 409
    assert NOT_SAVED in words(answer)
    assert 'id="train-genai-no" name="answer" value="no" checked' in answer.text
    assert not may(deployment)


def test_agreeing_looks_again_at_the_head(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, _ = place
    control, person = deployment.control, deployment.person("us")
    at = control.desk.parts.clock()
    agreed = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.ALLOWED, at=at)
    refused = Choice(purpose=Purpose.TRAIN_AI, state=ChoiceState.REFUSED, reach=Reach.FUTURE, at=at)
    since = control.desk.present().position
    position = control.own_choices.choose(person, refused)
    with pytest.raises(ConflictError, match="choice-changed"):
        control.own_choices.agree(person, [agreed], notice=None, since=since)
    (recorded,) = control.own_choices.agree(person, [agreed], notice="n", since=since, beside=[position])
    assert isinstance(found := control.own_settings.asker(person), Asker)
    assert recorded in [each.position for each in found.own]


def test_a_no_is_saved_whatever_a_yes_beside_it_lacks(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    control = deployment.control
    control.notices.write("what-we-use", b"We use posts.", languages=["en"], channel="mail", audience="members")
    visitor = come("us", notice="what-we-use")
    kinds = {"purpose": "train-genai", "what": "kinds"}
    visitor.post("/me/choices", {**kinds, "kind-post": "no"})
    answer = visitor.post("/me/choices", {**kinds, "kind-post": "yes", "kind-comment": "no", **shown(visitor)})
    assert answer.status_code == 422
    assert "Your no is saved; the yes is not" in words(answer)
    assert "Saved: you said no" in words(answer)
    for category in (Category.COMMENT, Category.POST):
        assert not control.people.may("us", NEW_POST._replace(category=category), policy=POLICY)["allowed"]


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_changed_is_said_in_every_language(place: tuple[Deployment, Come, str], code: str) -> None:
    _, come, _ = place
    visitor = come("us")
    old = as_shown(visitor.get("/me"), "kinds")
    visitor.post("/me/choices", KINDS | {"kind-post": "no"})
    answer = visitor.post("/me/choices", old | {"kind-comment": "no"})
    page = visitor.get(f"{answer.headers['location']}&lang={code}")
    assert (CHANGED in words(page)) is (code == "en")
    for name in ("nonsense", "train-genai/kind-nonsense", "train-genai", "/kind-post", "train-genai/answer"):
        assert visitor.get(f"/me?changed={name}").status_code == 200
