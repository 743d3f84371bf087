"""A surge of objections that say the same: one answer for all that wait, each with its own course."""

from __future__ import annotations

import re

import pytest

from consentry.control_plane.objections import objection_of
from consentry.ledger.events import ChoiceMade
from consentry.oversight.objection import ObjectionState
from service.objectors import There, in_console, secret_of
from service.visitor import words

SAME = {"find": "everything of mine", "answer_to": "campaign@example.org", "reason": "as in the template"}
ALSO = {"alike": "yes"}
MANY = 230
"""More than are answered while the head is held once."""
ANSWERS = {
    "decline": ({"ground": "manifestly-unfounded", "explanation": "It is advertising."}, ObjectionState.DECLINED),
    "not-found": ({"tried": "We looked for the template."}, ObjectionState.NOT_FOUND),
    "match-items": ({"corpus": "network", "items": "g1", "items_reply": "It is excluded."}, ObjectionState.MATCHED),
    "match-person": ({"person": "gb", "reach": "everything", "person_reply": "It is refused."}, ObjectionState.MATCHED),
}


def filed(there: There, count: int, **changed: str) -> list[str]:
    said = {**SAME, **changed}
    file = there.deployment.control.objections.file
    return [file(said["find"], answer_to=said["answer_to"], reason=said["reason"]).objection for _ in range(count)]


def states(there: There, objections: list[str]) -> list[ObjectionState]:
    return [there.deployment.control.objection_queue.show(each).objection.state for each in objections]


@pytest.mark.parametrize("verb", ANSWERS)
def test_all_that_say_the_same_are_answered_in_one_step(there: There, verb: str) -> None:
    (form, state), reason = ANSWERS[verb], f"because of {verb}"
    alike, other = filed(there, 3, reason=reason), filed(there, 1, reason=f"another, {verb}")
    staff, path = there.staff(), f"/console/objections/{alike[0]}"
    assert "Answer the 2 others that wait and say exactly the same as well" in words(staff.get(path))
    assert "say exactly the same as well" not in words(staff.get(f"/console/objections/{other[0]}"))
    assert staff.post(f"{path}/{verb}", {**form, **ALSO}).status_code == 303
    assert states(there, [*alike, *other]) == [state] * 3 + [ObjectionState.RECEIVED]
    for each in alike:
        (answer,) = [told for told in there.deployment.control.objection_queue.show(each).course if told.what == state]
        assert answer.words["by"] == "olga"
        assert set(form.values()) & set(map(str, answer.words.values())), "each has the words of the answer"
    assert "say exactly the same as well" not in words(staff.get(path)), "nobody waits any more"


def test_without_the_tick_only_one_is_answered(there: There) -> None:
    alike = filed(there, 2, reason="only one")
    form, state = ANSWERS["decline"]
    assert there.staff().post(f"/console/objections/{alike[1]}/decline", form).status_code == 303
    assert states(there, alike) == [ObjectionState.RECEIVED, state]


def test_who_withdrew_or_was_answered_is_left_alone(there: There) -> None:
    alike = filed(there, 3, reason="some are over")
    path = there.file(find=SAME["find"], answer_to=SAME["answer_to"], reason="some are over")
    assert there.visitor().post(f"{path}/withdraw").status_code == 303
    queue = there.deployment.control.objection_queue
    queue.not_found(alike[1], tried="before", by="olga")
    form, state = ANSWERS["decline"]
    assert "Answer the other one that waits" in words(there.staff().get(f"/console/objections/{alike[0]}"))
    assert there.staff().post(f"/console/objections/{alike[0]}/decline", {**form, **ALSO}).status_code == 303
    assert states(there, alike) == [state, ObjectionState.NOT_FOUND, state]
    assert states(there, [objection_of(secret_of(path))]) == [ObjectionState.WITHDRAWN]


def test_a_surge_is_answered_at_once_and_everybody_reads_why(there: There) -> None:
    path = there.file(find=SAME["find"], answer_to=SAME["answer_to"], reason="a surge")
    alike = filed(there, MANY, reason="a surge")
    head = there.deployment.ledger.head()
    form, state = ANSWERS["match-person"]
    assert there.staff().post(f"{in_console(path)}/match-person", {**form, **ALSO}).status_code == 303
    assert set(states(there, alike)) == {state}
    said = [each.body for each in there.deployment.ledger.read(head)]
    assert sum(isinstance(each, ChoiceMade) for each in said) == MANY + 1
    assert "It is refused." in words(there.visitor().get(path))
    link = re.escape(f"{in_console(path)}")
    assert not re.search(link, there.staff().get("/console/objections").text), "none of them waits"
