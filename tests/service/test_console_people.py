"""The console: somebody is looked up for a reason that is kept, and by nobody else."""

from __future__ import annotations

import service.staff as staff
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose
from service.staff import HOSTILE, Office
from service.visitor import words

place = staff.place


def test_looking_somebody_up_is_recorded_before_anything_is_seen(own: Office) -> None:
    sue = own.visitor("sue")
    assert sue.post("/console/people", {"person": "gb", "reason": " "}).status_code == 422
    assert sue.post("/console/people", {"person": "", "reason": "ticket 7"}).status_code == 422
    assert not own.events(PersonLookedUp)
    said = words(sue.post("/console/people", {"person": "gb", "reason": "ticket 7"}))
    assert "United Kingdom" in said
    assert "post: 1" in said
    assert own.release in said
    (event,) = own.events(PersonLookedUp)
    assert isinstance(event, PersonLookedUp)
    assert (event.by, event.reason) == ("sue", "ticket 7")
    assert event.person == own.deployment.person("gb"), "no id of the platform is in the ledger"
    (seen,) = own.deployment.control.look_ups.looked_up(event.person)
    assert (seen["by"], seen["reason"]) == ("sue", "ticket 7")
    assert own.deployment.control.look_ups.looked_up(own.deployment.person("us")) == []


def test_who_gives_no_reason_is_told_that_one_is_needed(own: Office) -> None:
    sue = own.visitor("sue")
    for reason, problem in (
        ("", "The reason is missing. Say it in one line."),
        (f"ticket {'7' * 200}", "The reason is no line of 1 to 200 characters. Long texts belong in documents"),
    ):
        for person in ("gb", ""):
            answer = sue.post("/console/people", {"person": person, "reason": reason})
            assert answer.status_code == 422
            assert problem in words(answer)
            assert '<a href="#reason">' in answer.text
    nobody = sue.post("/console/people", {"person": " ", "reason": "ticket 7"})
    assert "Nobody is named." in words(nobody)
    assert '<a href="#person">' in nobody.text


def test_looking_up_gives_nobody_a_seat_and_is_erased_with_the_person(own: Office) -> None:
    control, olga = own.deployment.control, own.visitor("olga")
    seats = control.desk.parts.people.seats
    said = words(olga.post("/console/people", {"person": "never-seen", "reason": HOSTILE}))
    assert "the people table does not have this person" in said
    assert control.desk.parts.people.seats == seats
    assert "<script>alert" not in olga.post("/console/people", {"person": HOSTILE, "reason": HOSTILE}).text
    olga.post("/console/people", {"person": "br", "reason": "ticket 8"})
    person = own.deployment.person("br")
    control.statements.erase([person])
    assert control.look_ups.looked_up(person) == []
    gone = olga.post("/console/people", {"person": "br", "reason": "ticket 9"})
    assert gone.status_code == 422
    assert "was erased" in words(gone)


def test_only_a_no_has_a_reach(own: Office) -> None:
    control = own.deployment.control
    at, person = control.desk.parts.clock(), own.deployment.person("gb")
    for state, purpose in ((ChoiceState.ALLOWED, Purpose.TRAIN_GENAI), (ChoiceState.REFUSED, Purpose.EVALUATE)):
        control.own_choices.choose(person, Choice(purpose=purpose, state=state, at=at))
    page = own.visitor("sue").post("/console/people", {"person": "gb", "reason": "ticket 7"}).text
    rows = {each: words for each in ("allowed", "refused") for words in page.split("<tr>") if f">{each}</" in words}
    assert "untrained" in rows["refused"]
    assert "untrained" not in rows["allowed"].partition("</tr>")[0]


def test_who_may_not_look_people_up_learns_and_records_nothing(place: Office) -> None:
    before = place.deployment.control.desk.parts.ledger.head()
    for handle in ("audrey", "mel", "paul", "ada", "ico"):
        answer = place.visitor(handle).post("/console/people", {"person": "gb", "reason": "curious"})
        assert answer.status_code == 403
        assert "United Kingdom" not in answer.text
    assert place.deployment.control.desk.parts.ledger.head() == before
