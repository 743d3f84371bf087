"""Notices in the console: versions are written, people are told, and nobody who refused is told again."""

from __future__ import annotations

import pytest

from consentry.ledger.case_events import NoticeWritten
from consentry.ledger.events import NoticeServed
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.test_story import NOW
from service.staff import HOSTILE, Office, may
from service.visitor import words

FORM = {"notice": "what-we-use", "text": "We use posts.", "languages": "en, cy", "channel": "mail", "audience": "all"}


def test_a_version_is_written_and_the_next_begins_with_it(own: Office) -> None:
    olga = own.visitor("olga")
    assert may(own.statuses("/console/write-notice")) == {"olga", "petra"}
    assert "Write a notice" in words(olga.get("/console/notices"))
    assert "Write a notice" not in words(own.visitor("sue").get("/console/notices"))
    page = olga.follow(olga.post("/console/write-notice", {**FORM, "text": f"We use posts.\r\n\r\n{HOSTILE}"}))
    assert "The version is kept" in words(page)
    assert HOSTILE not in page.text
    (body,) = own.events(NoticeWritten)
    assert isinstance(body, NoticeWritten)
    assert (body.languages, body.by) == (("en", "cy"), "olga")
    assert own.deployment.control.desk.parts.objects.get(body.document) == f"We use posts.\n\n{HOSTILE}".encode()
    again = olga.get("/console/write-notice?notice=what-we-use")
    assert 'value="en, cy"' in again.text
    assert "We use posts." in words(again)
    olga.post("/console/write-notice", {**FORM, "text": "We use more."})
    assert len(own.deployment.control.notices.get("what-we-use").versions) == 2


def test_a_version_is_written_in_several_languages(own: Office) -> None:
    olga = own.visitor("olga")
    form = {**FORM, "languages": "en", "text-cy": "Defnyddiwn negeseuon.\r\n", "text-fr": " ", "text-x!": "no"}
    page = olga.follow(olga.post("/console/write-notice", form))
    (version,) = own.deployment.control.notices.get("what-we-use").versions
    assert [each.languages for each in version.texts] == [("en",), ("cy",)]
    assert own.deployment.control.notices.text(version, language="cy") == b"Defnyddiwn negeseuon.\n"
    assert "Defnyddiwn negeseuon." in words(page)
    own.deployment.control.notices.write(
        "what-we-use", b"We.", languages=["en"], others={"it": b"Noi."}, channel="mail", audience="all"
    )
    again = olga.get("/console/write-notice?notice=what-we-use").text
    assert ">Noi.</textarea>" in again, "a language that the pages are not in is not lost"
    olga.post("/console/write-notice", {**FORM, "languages": "en", "text-it": "Noi usiamo."})
    newest = own.deployment.control.notices.get("what-we-use").newest
    assert newest is not None
    assert newest.body.languages == ("en", "it")
    answer = olga.post("/console/write-notice", {**FORM, "text-cy": "Eto."})
    assert answer.status_code == 422
    assert "Has two texts in" in words(answer) or "two texts in `cy`" in words(answer)
    assert ">Eto.</textarea>" in answer.text


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"notice": "No Name"}, "Is no name of a notice"),
        ({"text": " "}, "is empty"),
        ({"languages": ""}, "This is no list of languages"),
        ({"languages": "English"}, "This is no list of languages"),
        ({"languages": "en, xx"}, "`xx` is no language that is known"),
        ({"languages": "en, EN"}, "has two texts in `en`"),
        ({"languages": "en_GB", "text-en-gb": "We."}, "has two texts in `en-GB`"),
        ({"languages": "en", "text-CY": "Ni.", "text-cy": "Rydym."}, "has two texts in `cy`"),
        ({"languages": "en", "text-zz": "We."}, "`zz` is no language that is known"),
        ({"audience": ""}, "audience"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(own: Office, changed: dict[str, str], said: str) -> None:
    answer = own.visitor("olga").post("/console/write-notice", {**FORM, **changed})
    assert answer.status_code == 422
    assert said.lower() in words(answer).lower()
    assert 'value="mail"' in answer.text
    assert own.events(NoticeWritten) == []


def test_a_language_is_kept_in_one_way_and_what_was_kept_before_begins_the_next(own: Office) -> None:
    olga, control = own.visitor("olga"), own.deployment.control
    olga.post("/console/write-notice", {**FORM, "languages": "EN_gb", "text-CY": "Rydym."})
    newest = control.notices.get("what-we-use").newest
    assert newest is not None
    assert newest.body.languages == ("en-GB", "cy")
    kept = ("en", "EN", "cy_GB", "CY-gb", "English")
    documents = tuple(control.desk.parts.objects.put(f"said in {each}".encode()) for each in kept)
    old = NoticeWritten(
        notice="what-we-use", languages=kept, documents=documents, channel="mail", audience="all", by="olga"
    )
    own.deployment.ledger.append([old])
    page = olga.get("/console/notices/what-we-use")
    assert all(f"said in {each}" in words(page) for each in kept)
    again = olga.get("/console/write-notice?notice=what-we-use").text
    assert 'value="en"' in again
    assert again.count(">said in cy_GB</textarea>") == 1
    assert "said in CY-gb" not in again, "nobody reads the second of two in one language"


def test_who_was_told_is_recorded_by_pseudonym(own: Office) -> None:
    olga = own.visitor("olga")
    olga.post("/console/write-notice", FORM)
    path = "/console/notices/what-we-use"
    assert "Record who was told" in words(olga.get(path))
    assert "Record who was told" not in words(own.visitor("sue").get(path))
    assert own.visitor("sue").post(f"{path}/serve", {"people": "gb"}).status_code == 403
    page = olga.follow(olga.post(f"{path}/serve", {"people": "gb\r\nus\r\n\r\ngb\r\n"}))
    assert "It is recorded who was told" in words(page)
    (body,) = own.events(NoticeServed)
    assert isinstance(body, NoticeServed)
    assert body.count == 2
    assert "over since" in words(page), "no set waits for it"
    for wrong in ({"people": " "}, {"people": "gb", "day": "2999-01-01"}, {"people": "gb", "day": "soon"}):
        answer = olga.post(f"{path}/serve", wrong)
        assert answer.status_code == 422, words(answer)
        assert f">{wrong['people']}</textarea>" in answer.text
    assert len(own.events(NoticeServed)) == 1
    assert olga.post("/console/notices/nothing-known/serve", {"people": ""}).status_code in (404, 422)


def test_who_refused_is_not_told_again(own: Office) -> None:
    control, person = own.deployment.control, own.deployment.person("gb")
    control.own_choices.choose(person, Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=NOW))
    olga = own.visitor("olga")
    olga.post("/console/write-notice", FORM)
    head = control.desk.parts.ledger.head()
    asked = {"people": "gb\nus\nbr", "purpose": "train-genai", "do": "audience"}
    answer = olga.post("/console/notices/what-we-use/serve", asked)
    assert answer.text == "us\nbr\n"
    assert "attachment" in answer.headers["content-disposition"]
    assert control.desk.parts.ledger.head() == head, "nothing is recorded"
    assert olga.post("/console/notices/what-we-use/serve", {**asked, "purpose": "x"}).status_code == 422


def test_a_notice_shows_its_text_and_whom_it_was_served_to(own: Office) -> None:
    control = own.deployment.control
    control.notices.write("told", HOSTILE.encode(), languages=["en"], channel="in-app", audience="members", by="olga")
    control.notices.serve("told", [own.deployment.person("gb")], at=control.desk.parts.clock())
    answer = own.visitor("sue").get("/console/notices/told")
    assert "<script>alert" not in answer.text
    assert "in-app" in words(answer)
    assert "1" in words(own.visitor("sue").get("/console/notices"))
