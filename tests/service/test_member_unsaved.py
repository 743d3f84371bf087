"""A choice that was pressed when the session was over is found again by whoever made it, and by nobody else."""

from __future__ import annotations

import json
import re

import pytest

import service.members as member
from consentry.accounts.account import MEMBER_SESSION_S
from consentry.bootstrap import Deployment
from consentry.service.pages.member_unsaved import mark_of
from consentry.service.site import UNSAVED_COOKIE
from service.at_work import POLICY
from service.members import NEW_POST, Come, again, ended, form_of, no, one_item, token_for
from service.visitor import Visitor, words

place = member.place


def test_what_was_chosen_is_still_set_and_is_not_saved(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no", reach="future")
    head = deployment.control.desk.parts.ledger.head()
    answer = ended(visitor).post("/me/choices", form)
    assert answer.status_code == 401
    assert "Your choice is not saved yet" in words(answer)
    assert "Nothing was saved, and nothing has changed" not in words(answer)
    page = again(deployment, visitor, "us")
    assert "Not saved yet" in words(page)
    assert "What you chose is still set below. Press Save there to save it." in words(page)
    assert 'id="train-genai-no" name="answer" value="no" checked' in page.text
    assert re.search(r'name="reach" value="future" checked', page.text)
    assert "Not saved yet" in words(visitor.get("/me")), "looking at it does not lose it"
    assert deployment.control.desk.parts.ledger.head() == head, "nothing is saved before somebody presses Save"
    assert deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"]
    saved = visitor.follow(visitor.post("/me/choices", form_of(page, answer="no", reach="future")))
    assert "Saved: you said no" in words(saved)
    assert "Not saved yet" not in words(saved)
    assert UNSAVED_COOKIE not in visitor.cookies
    assert not deployment.control.people.may("us", NEW_POST, policy=POLICY)["allowed"]


def test_a_session_that_ran_out_by_itself_is_the_same(
    place: tuple[Deployment, Come, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no")
    monkeypatch.setattr("consentry.accounts.account.MEMBER_SESSION_S", -1)
    assert visitor.post("/me/choices", form).status_code == 401
    monkeypatch.setattr("consentry.accounts.account.MEMBER_SESSION_S", MEMBER_SESSION_S)
    assert "Not saved yet" in words(again(deployment, visitor, "us"))


def test_somebody_else_at_the_same_computer_never_sees_it(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no")
    ended(visitor).post("/me/choices", form)
    page = again(deployment, visitor, "us2")
    assert "Not saved yet" not in words(page)
    assert 'id="train-genai-yes" name="answer" value="yes" checked' in page.text
    head = deployment.control.desk.parts.ledger.head()
    answer = visitor.post("/me/choices", form)
    assert answer.status_code == 409
    assert "opened by somebody else" in words(answer)
    assert deployment.control.desk.parts.ledger.head() == head, "a page that is left open says nothing for the next"
    visitor.post("/sign-out")
    assert "Not saved yet" in words(again(deployment, visitor, "us")), "it waits for whoever made it"


def test_it_is_not_in_the_cookie_and_not_in_another_browser(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no")
    ended(visitor).post("/me/choices", form)
    assert "no" not in re.split(r"\W", visitor.cookies[UNSAVED_COOKIE])
    assert deployment.person("us") not in visitor.cookies[UNSAVED_COOKIE]
    assert "Not saved yet" not in words(again(deployment, Visitor(url), "us"))


@pytest.mark.parametrize("mark", ["", "x", "0" * 32 + "." + "0" * 32, "é.ü"])
def test_what_is_on_no_page_of_ours_is_not_kept(place: tuple[Deployment, Come, str], mark: str) -> None:
    _, _, url = place
    visitor = Visitor(url)
    answer = visitor.post("/me/choices", {"purpose": "train-genai", "answer": "no", "whose": mark})
    assert answer.status_code == 401
    assert "Nothing was saved, and nothing has changed" in words(answer)
    assert UNSAVED_COOKIE not in visitor.cookies


def test_a_page_of_another_site_leaves_nothing(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, url = place
    form = {"purpose": "train-genai", "answer": "yes", "whose": mark_of(deployment, deployment.person("us"))}
    visitor = Visitor(url)
    assert visitor.post("/me/choices", form, **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert UNSAVED_COOKIE not in visitor.cookies


def test_only_words_of_ours_are_kept(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no", note="my own words", reach="the moon", **{"kind-x": "no"})
    form |= {"what": "items", "category": "<b>", "number": "9" * 40} | one_item("a-recognisable-item", 1, "no")
    ended(visitor).post("/me/choices", form)
    with deployment.admission() as admission:
        from consentry.service.pages.member_unsaved import _name

        kept = admission.kept(_name(visitor.cookies[UNSAVED_COOKIE].partition(".")[0])) or ""
    assert '"what": "items"' in kept
    for other in ("my own words", "moon", "kind-x", "<b>", "recognisable", deployment.person("us")):
        assert other not in kept
    # The digest of the browser's secret, the key of the item and the time are ours, and hold any digits.
    ((by, given, _until),) = (form.values() for form in json.loads(kept))
    assert re.fullmatch("[0-9a-f]{64}", by.removeprefix("sha256:"))
    assert set(given) - set(form) == {name for name in given if re.fullmatch("answer-[A-Za-z0-9_-]+", name)}
    assert "number" not in given
    assert not any("999" in value for value in given.values())


def test_single_items_are_still_set_where_they_are_listed(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me/items"), **one_item("u1", 1, "no"), reach="untrained")
    ended(visitor).post("/me/choices", form)
    page = again(deployment, visitor, "us")
    assert "What you chose for single items is still set there" in words(page)
    link = re.search(r'href="(/me/items\?purpose=train-genai[^"]*)"', page.text)
    assert link is not None
    page = visitor.get(link[1].replace("&amp;", "&"))
    assert "Not saved yet" in words(page)
    rows = page.text.split("<tr>")
    (u1,) = [each for each in rows if 'value="u1"' in each]
    (u2,) = [each for each in rows if 'value="u2"' in each]
    assert 'value="no" checked' in u1
    assert 'value="yes" checked' in u2
    assert '<input type="hidden" name="reach" value="untrained">' in page.text, "how far back it goes stays as well"


def test_kinds_are_still_set_with_how_far_back(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me/check?purpose=train-genai&category=comment"), reach="future")
    assert form["kind-comment"] == "no"
    ended(visitor).post("/me/choices", form)
    page = again(deployment, visitor, "us").text
    assert 'id="train-genai-comment-no" name="kind-comment" value="no" checked' in page
    assert 'id="train-genai-post-yes" name="kind-post" value="yes" checked' in page
    assert '<input type="hidden" name="reach" value="future">' in page


def test_it_can_be_left_as_it_was(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no")
    ended(visitor).post("/me/choices", form)
    again(deployment, visitor, "us")
    page = visitor.follow(visitor.post("/me/unsaved"))
    assert "Not saved yet" not in words(page)
    assert UNSAVED_COOKIE not in visitor.cookies
    assert 'id="train-genai-yes" name="answer" value="yes" checked' in page.text


def test_what_cannot_be_chosen_any_more_is_said_to_be_so(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no")
    ended(visitor).post("/me/choices", form)
    deployment.control.statements.erase([deployment.person("us")])
    page = again(deployment, visitor, "us")
    assert "What you chose cannot be chosen any more" in words(page)


def test_a_yes_has_to_be_read_again(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    deployment.control.notices.write("what-we-use", b"We use posts.", languages=["en"], channel="mail", audience="all")
    visitor = come("us", notice="what-we-use")
    no(visitor)
    form = form_of(visitor.get("/me"), answer="yes", read="yes")
    ended(visitor).post("/me/choices", form)
    page = visitor.follow(visitor.get(f"/me/enter?token={token_for(deployment, 'us', notice='what-we-use')}"))
    assert 'id="train-genai-yes" name="answer" value="yes" checked' in page.text
    assert not re.search(r'name="read" value="yes" checked', page.text)


def test_a_first_look_loses_nothing_either(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me/items"), **one_item("u1", 1, "no"))
    head = deployment.control.desk.parts.ledger.head()
    answer = ended(visitor).post("/me/check", form)
    assert answer.status_code == 401
    assert "Your choice is not saved yet" in words(answer)
    assert "What you chose for single items is still set there" in words(again(deployment, visitor, "us"))
    page = visitor.get("/me/items?purpose=train-genai")
    (u1,) = [each for each in page.text.split("<tr>") if 'value="u1"' in each]
    assert 'value="no" checked' in u1
    assert deployment.control.desk.parts.ledger.head() == head


def test_a_first_look_is_not_taken_at_the_page_of_somebody_else(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), **{"what": "kinds", "kind-post": "no"})
    ended(visitor)
    again(deployment, visitor, "us2")
    answer = visitor.post("/me/check", form)
    assert answer.status_code == 409, "pressed on, it would be their own form"
    assert "opened by somebody else" in words(answer)
