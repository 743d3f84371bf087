"""Forms that wait together: each no goes as far back as was chosen for it; a yes is set again only where it fits."""

from __future__ import annotations

import re

import httpx2
import pytest

import service.members as member
from consentry.bootstrap import Deployment
from consentry.policy.vocabulary import Category, ChoiceState, Reach
from consentry.service.pages.member_shown import Row
from consentry.service.pages.member_unsaved import merged, still_meant
from service.members import Come, again, ended, form_of, one_item, waiting_on
from service.test_member_reach import as_shown, said_since
from service.visitor import words

place = member.place
KINDS = {"purpose": "train-genai", "what": "kinds"}
ITEMS = {"purpose": "train-genai", "what": "items"}
ALONE = "You chose how far back for some of these apart."


def sent(page: httpx2.Response, what: str) -> dict[str, str]:
    """Return what a browser sends of a form if nobody touches it, with the lists to choose from."""
    (form,) = [
        each for each in re.findall(r'(?s)<form method="post" action="/me/choices".*?</form>', page.text)
        if f'name="what" value="{what}"' in each
    ]  # fmt: skip
    lists = re.findall(r'(?s)<select [^>]*name="([^"]+)".*?</select>', form)
    chosen = re.findall(r'(?s)<select [^>]*name="([^"]+)"(?:(?!</select>).)*?value="([a-z]+)" selected', form)
    assert [name for name, _ in chosen] == lists
    return as_shown(page, what) | dict(chosen)


def test_kinds_of_several_forms_keep_their_reach(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = as_shown(visitor.get("/me"), "kinds")
    ended(visitor)
    for kind, reach in (("comment", "future"), ("post", "everything")):
        visitor.post("/me/choices", form | {f"kind-{kind}": "no", "reach": reach})
    page = again(deployment, visitor, "us")
    assert len(waiting_on(page)) == 1
    assert ALONE in words(page)
    looked = visitor.post("/me/check", sent(page, "kinds"))
    assert "What you choose here counts for all of them." in words(looked)
    head = deployment.ledger.head()
    page = visitor.follow(visitor.post("/me/choices", sent(page, "kinds") | {"kind-article": "no"}))
    said = {each.reach: set(each.categories) for each in said_since(deployment, head)}
    assert said == {Reach.FUTURE: {Category.COMMENT}, Reach.EVERYTHING: {Category.POST, Category.ARTICLE}}
    assert "Not saved yet" not in words(page)
    assert len(set(re.findall(r'"/me/receipts/(\d+)"', page.text))) == 2


def test_items_of_several_forms_keep_their_reach(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me/items"))
    form = {name: value for name, value in form.items() if not name[-1].isdigit()}
    ended(visitor)
    for number, (item, reach) in enumerate((("u1", "untrained"), ("u2", "future")), start=1):
        visitor.post("/me/choices", form | one_item(item, 1, "no") | {"number": str(number), "reach": reach})
    again(deployment, visitor, "us")
    page = visitor.get("/me/items?purpose=train-genai")
    assert ALONE in words(page)
    head = deployment.ledger.head()
    visitor.post("/me/choices", sent(page, "items"))
    said = {each.reach: set(each.items) for each in said_since(deployment, head)}
    one, other = (deployment.item("network", each) for each in ("u1", "u2"))
    assert said == {Reach.UNTRAINED: {one}, Reach.FUTURE: {other}}
    assert "Not saved yet" not in words(visitor.get("/me"))


def test_a_reach_of_its_own_can_be_changed_and_a_first_look_chooses_one_for_all(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = KINDS | {
        "kind-post": "no",
        "kind-comment": "no",
        "reach-kind-post": "future",
        "reach-kind-comment": "nonsense",
    }
    looked = visitor.post("/me/check", form)
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', looked.text))
    assert "reach-kind-post" not in hidden
    head = deployment.ledger.head()
    visitor.post("/me/choices", form | {"reach": "untrained"})
    said = {each.reach: set(each.categories) for each in said_since(deployment, head)}
    assert said == {Reach.FUTURE: {Category.POST}, Reach.UNTRAINED: {Category.COMMENT}}


def test_an_old_yes_is_not_set_again_over_a_new_no(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    visitor.post("/me/choices", KINDS | {"kind-post": "no", "reach": "future"})
    form = as_shown(visitor.get("/me"), "kinds")
    ended(visitor).post("/me/choices", form | {"kind-post": "yes", "kind-comment": "no"})
    page = again(deployment, visitor, "us")
    assert 'id="train-genai-post-yes" name="kind-post" value="yes" checked' in page.text, "all is as it was"
    come("us").post("/me/choices", KINDS | {"kind-post": "no", "reach": "everything"})
    page = visitor.get("/me")
    assert "Not saved yet" in words(page)
    assert 'id="train-genai-post-no" name="kind-post" value="no" checked' in page.text
    assert 'id="train-genai-comment-no" name="kind-comment" value="no" checked' in page.text
    assert "Posts: now no" in re.sub(" +:", ":", words(page))


def test_answers_that_nobody_touched_do_not_wait(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = as_shown(visitor.get("/me"), "kinds")
    answer = ended(visitor).post("/me/choices", form)
    assert "Your choice is not saved yet" not in words(answer), "nothing was chosen"
    visitor.post("/me/choices", form | {"kind-comment": "no"})
    again(deployment, visitor, "us")
    other = come("us")
    other.post("/me/choices", KINDS | {"kind-post": "no"})
    page = visitor.get("/me")
    head = deployment.ledger.head()
    visitor.post("/me/choices", as_shown(page, "kinds"))
    (said,) = said_since(deployment, head)
    assert (said.state, said.categories) == (ChoiceState.REFUSED, frozenset({Category.COMMENT}))


@pytest.mark.parametrize(
    ("forms", "together"),
    [
        ([{"kind-a": "no", "reach": "future"}], {"kind-a": "no", "reach": "future"}),
        ([{"kind-a": "no"}], {"kind-a": "no"}),
        ([{"kind-a": "no", "reach": "future"}, {"kind-a": "no"}], {"kind-a": "no"}),
        (
            [{"kind-a": "no", "reach": "future"}, {"kind-a": "no", "reach": "untrained"}],
            {"kind-a": "no", "reach": "untrained"},
        ),
        (
            [{"kind-a": "no", "reach": "future"}, {"kind-b": "no"}],
            {"kind-a": "no", "kind-b": "no", "reach-kind-a": "future", "reach-kind-b": "everything"},
        ),
        (
            [{"kind-a": "no", "kind-b": "no", "reach-kind-a": "future", "reach": "untrained"}, {"kind-b": "yes"}],
            {"kind-a": "no", "kind-b": "no", "reach-kind-a": "future", "reach-kind-b": "untrained"},
        ),
        (
            [{"kind-a": "yes", "was-kind-a": "no@3"}, {"kind-a": "no", "reach": "future"}],
            {"kind-a": "no", "reach": "future"},
        ),
        ([{"kind-a": "yes", "was-kind-a": "no@3"}], {"kind-a": "yes", "was-kind-a": "no@3"}),
    ],
)
def test_forms_are_merged_row_by_row(forms: list[dict[str, str]], together: dict[str, str]) -> None:
    found = merged(forms)
    assert found == together
    assert merged([found]) == found, "what is merged stays as it is"


def test_a_yes_is_meant_where_all_stands_as_when_it_was_chosen() -> None:
    form = {"purpose": "train-genai", "kind-a": "yes", "was-kind-a": "no@3", "kind-b": "no"}
    for row, meant in ((Row("no", 3), True), (Row("yes", 9), True), (Row("no", 4), False), (Row("", 3), False)):
        ((kept,), stale) = still_meant([form], {"train-genai": {"kind-a": row}})
        assert ("kind-a" in kept, stale) == (meant, [] if meant else ["train-genai/kind-a"])
    assert (
        still_meant([{"purpose": "train-genai", "answer": "yes"}], {"train-genai": {"answer": Row("no", 1)}})[0] == []
    )
