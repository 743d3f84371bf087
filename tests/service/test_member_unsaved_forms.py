"""Several forms that were pressed when the session was over: each is kept, for an hour, and none for another."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import service.members as member
from consentry.bootstrap import Deployment
from consentry.ledger.events import ChoiceMade
from consentry.policy.vocabulary import ChoiceState
from consentry.service.pages.member_unsaved import MOST, MOST_FIELDS, _keep_beside, _name, _read
from consentry.service.site import UNSAVED_COOKIE, UNSAVED_S
from service.members import Come, again, ended, form_of, no, one_item, waiting_on
from service.visitor import Visitor, words

place = member.place


def test_of_each_person_one_is_kept_the_newest(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no")
    mark = form["whose"]
    ended(visitor)
    for _ in range(5):
        assert Visitor(url).post("/me/choices", form).status_code == 401
    visitor.post("/me/choices", form | {"reach": "future"})
    assert kept_rows(deployment) == 1, "whoever has seen a mark fills nothing up"
    assert mark.partition(".")[0] in visitor.cookies[UNSAVED_COOKIE]
    page = again(deployment, visitor, "us")
    assert "Not saved yet" in words(page)
    other = Visitor(url)
    other.cookies[UNSAVED_COOKIE] = mark.partition(".")[0] + ".guessed"
    assert "Not saved yet" not in words(again(deployment, other, "us")), "the mark alone opens nothing"
    other.post("/me/unsaved")
    assert "Not saved yet" in words(visitor.get("/me")), "and takes nothing away"


def kept_rows(deployment: Deployment) -> int:
    with deployment.admission() as admission, admission._store._reading() as connection:  # type: ignore[attr-defined]
        return int(connection.exec_driver_sql("SELECT count(*) FROM kept_once").scalar_one())


def test_no_form_takes_the_place_of_another(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    whole = form_of(visitor.get("/me"), answer="no", reach="future")
    items = form_of(visitor.get("/me/items"), **one_item("u1", 1, "no"))
    further = items | one_item("u2", 1, "no") | {"category": "comment"}
    ended(visitor)
    for form in (whole, items, further):
        assert "Your choice is not saved yet" in words(visitor.post("/me/choices", form))
    page = again(deployment, visitor, "us")
    assert len(waiting_on(page)) == 3
    assert 'id="train-genai-no" name="answer" value="no" checked' in page.text
    links = [
        each.replace("&amp;", "&") for each in re.findall(r'href="(/me/items\?purpose=train-genai&[^"]*)"', page.text)
    ]
    assert len(links) == 2
    for link, item in zip(links, ("u1", "u2"), strict=True):
        (row,) = [each for each in visitor.get(link).text.split("<tr>") if f'value="{item}"' in each]
        assert 'value="no" checked' in row
    head = deployment.ledger.head()
    listed = visitor.get(links[1])
    assert 'name="waited" value="yes"' in listed.text
    visitor.post("/me/choices", form_of(listed, **one_item("u2", 1, "no")))
    page = visitor.get("/me")
    assert len(waiting_on(page)) == 2, "what was saved waits no more, the rest does"
    visitor.post("/me/choices", form_of(page, answer="no", reach="future"))
    assert len(waiting_on(visitor.get("/me"))) == 1
    visitor.post("/me/choices", form_of(visitor.get(links[0]), **one_item("u1", 1, "no")))
    assert "Not saved yet" not in words(visitor.get("/me"))
    assert UNSAVED_COOKIE not in visitor.cookies
    said = [each.body for each in deployment.ledger.read(head) if isinstance(each.body, ChoiceMade)]
    assert [each.choice.state for each in said] == [ChoiceState.REFUSED] * 3


def test_of_two_forms_about_the_same_each_no_stays(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), what="kinds")
    ended(visitor)
    visitor.post("/me/choices", form | {"kind-comment": "no", "kind-post": "yes", "reach": "untrained"})
    visitor.post("/me/choices", form | {"kind-comment": "yes", "kind-post": "no", "reach": "future"})
    page = again(deployment, visitor, "us")
    assert len(waiting_on(page)) == 1
    for kind in ("comment", "post"):
        assert f'id="train-genai-{kind}-no" name="kind-{kind}" value="no" checked' in page.text
        assert f'name="reach-kind-{kind}"' in page.text
    assert set(re.findall(r'<option value="([a-z]+)" selected', page.text)) == {"untrained", "future"}
    assert '<input type="hidden" name="reach"' not in page.text, "each goes as far as was chosen for it"


def test_a_page_that_did_not_show_a_no_does_not_settle_it(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), what="kinds")
    ended(visitor).post("/me/choices", form | {"kind-comment": "no", "kind-article": "no"})
    again(deployment, visitor, "us")
    visitor.post("/me/choices", form | {"kind-comment": "yes", "kind-article": "no"})
    page = visitor.get("/me")
    assert len(waiting_on(page)) == 1
    assert 'id="train-genai-comment-no" name="kind-comment" value="no" checked' in page.text
    visitor.post("/me/choices", form | {"waited": "yes", "kind-comment": "yes"})
    assert "Not saved yet" not in words(visitor.get("/me")), "who saw it there and chose otherwise has chosen"


def test_what_cannot_be_kept_is_said_to_be_lost(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no")
    ended(visitor)
    assert "Your choice is not saved yet" in words(visitor.post("/me/choices", form))
    answers = [words(Visitor(url).post("/me/choices", form)) for _ in range(MOST)]
    assert ["Nothing was saved, and nothing has changed" in each for each in answers] == [False] * (MOST - 1) + [True]
    assert kept_rows(deployment) == 1
    assert len(waiting_on(again(deployment, visitor, "us"))) == 1, "nobody else's form takes its place"


def test_what_says_no_to_nothing_makes_room(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="yes")
    ended(visitor)
    for _ in range(MOST):
        Visitor(url).post("/me/choices", form)
    assert "Your choice is not saved yet" in words(visitor.post("/me/choices", form | {"answer": "no"}))
    assert len(waiting_on(again(deployment, visitor, "us"))) == 1


def test_two_people_at_one_computer_lose_nothing_to_each_other(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, url = place
    visitor = come("us")
    form = form_of(visitor.get("/me"), answer="no")
    ended(visitor).post("/me/choices", form)
    again(deployment, visitor, "us2")
    other = form_of(visitor.get("/me"), answer="no")
    ended(visitor).post("/me/choices", other)
    page = again(deployment, visitor, "us2")
    assert len(waiting_on(page)) == 1
    visitor.post("/me/unsaved")
    assert "Not saved yet" not in words(visitor.get("/me"))
    visitor.post("/sign-out")
    assert len(waiting_on(again(deployment, visitor, "us"))) == 1
    assert Visitor(url).cookies == {}


def test_forms_that_come_at_once_are_all_kept(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    items = form_of(visitor.get("/me/items"), **one_item("u1", 1, "no"))
    ended(visitor).post("/me/choices", items)
    forms = [items | {"number": str(number)} for number in range(2, MOST + 1)]
    with ThreadPoolExecutor(MOST) as tabs:
        answers = list(tabs.map(lambda form: words(visitor.post("/me/choices", form)), forms))
    assert all("Your choice is not saved yet" in each for each in answers)
    assert len(waiting_on(again(deployment, visitor, "us"))) == MOST


def test_a_page_that_says_what_is_wrong_does_not_settle_what_it_does_not_show(
    place: tuple[Deployment, Come, str],
) -> None:
    deployment, come, _ = place
    visitor = come("us")
    no(visitor)
    form = form_of(visitor.get("/me"), answer="no", reach="everything")
    ended(visitor).post("/me/choices", form)
    again(deployment, visitor, "us")
    wrong = visitor.post("/me/choices", form | {"answer": "yes"})
    assert wrong.status_code == 422
    assert 'name="waited"' not in wrong.text
    assert len(waiting_on(visitor.get("/me"))) == 1


def test_what_is_saved_does_not_widen_what_still_waits(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me/items"))
    form = {name: value for name, value in form.items() if not name[-1].isdigit()} | {"reach": "future"}
    ended(visitor)
    for number, item in enumerate(("u1", "u2"), start=1):
        visitor.post("/me/choices", form | one_item(item, 1, "no") | {"number": str(number)})
    again(deployment, visitor, "us")
    assert visitor.post("/me/choices", form | one_item("u1", 1, "no") | {"number": "1", "waited": "yes"}).is_redirect
    page = visitor.get("/me/items?purpose=train-genai")
    assert '<input type="hidden" name="reach" value="future">' in page.text
    (row,) = [each for each in page.text.split("<tr>") if 'value="u2"' in each]
    assert 'value="no" checked' in row


def test_one_form_does_not_grow_without_end(place: tuple[Deployment, Come, str]) -> None:
    deployment, come, _ = place
    visitor = come("us")
    form = form_of(visitor.get("/me/items"))
    form = {name: value for name, value in form.items() if not name[-1].isdigit()}
    ended(visitor)
    lost = []
    for sent in range(5):
        several = [one_item(f"u{sent}-{row}", row, "no") for row in range(1, 51)]
        answer = visitor.post("/me/choices", form | {name: word for each in several for name, word in each.items()})
        lost.append("Nothing was saved, and nothing has changed" in words(answer))
    assert lost == [False, False, False, True, True], "whoever sent what does not fit is told"
    with deployment.admission() as admission:
        (kept,) = _read(admission, form["whose"].partition(".")[0])
    assert 150 < len(kept["given"]) <= MOST_FIELDS


def test_each_form_is_kept_for_an_hour(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, _ = place
    given = {"purpose": "train-genai", "answer": "no"}
    now = [1_800_000_000]
    with deployment.admission() as admission:
        admission._clock = lambda: now[0]
        for browser in ("one", "two", "three"):
            assert _keep_beside(admission, "0" * 32, by=browser, given=given)
            now[0] += UNSAVED_S // 2 + 1
        assert [each["by"] for each in _read(admission, "0" * 32)] == ["three"]
        now[0] += UNSAVED_S // 2
        assert _read(admission, "0" * 32) == []


def test_what_was_kept_before_forms_had_a_time_is_still_found(place: tuple[Deployment, Come, str]) -> None:
    deployment, _, _ = place
    given = {"purpose": "train-genai", "answer": "no"}
    now = [1_800_000_000]
    with deployment.admission() as admission:
        admission._clock = lambda: now[0]
        admission.keep(_name("0" * 32), json.dumps([{"by": "old", "given": given}]), seconds=UNSAVED_S)
        assert [each["given"] for each in _read(admission, "0" * 32)] == [given]
        assert _keep_beside(admission, "0" * 32, by="new", given=given)
        now[0] += UNSAVED_S
        assert _keep_beside(admission, "0" * 32, by="newer", given=given)
        now[0] += 1
        assert [each["by"] for each in _read(admission, "0" * 32)] == ["newer"]
