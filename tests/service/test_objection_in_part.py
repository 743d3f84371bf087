"""An objector reads which kinds a match refuses and how far back, and why not the rest where that is not all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from service.objectors import There, in_console, secret_of
from service.visitor import words

PART = {"person": "us", "category": ["post", "image"], "reach": "future"}
GROUND = "There are compelling grounds to use it that weigh more than your interests (GDPR Art. 21(1))."


def match(there: There, path: str, **form: Any) -> int:
    return int(there.staff().post(f"{in_console(path)}/match-person", form).status_code)


def read(there: There, path: str) -> str:
    return words(there.visitor().get(path)).partition("Where it stands")[2]


def test_less_than_all_is_followed_in_part_on_a_ground(there: There) -> None:
    path = there.file(find="everything of mine, in part")
    form = {**PART, "rest": "compelling-grounds", "person_reply": "We need older posts."}
    assert match(there, path, **form) == 303
    told = read(there, path)
    assert told.startswith(" Followed in part We found what you mean, and refuse the use of a part of it.")
    assert "We found it and refused the use of a part of it" in told
    assert "We refuse the use of: Pictures, Posts." in told
    assert "Only what is created after you objected. Everything from before may still be used." in told
    assert f"Why not the rest: {GROUND} We need older posts." in told
    assert "Do you not agree? Write to us" in told
    assert match(there, path, person="us", reach="everything") == 303
    told = read(there, path)
    assert told.startswith(" Followed We found what you mean, and refuse its use from now on.")
    assert "We refuse the use of: content of every kind. It also leaves collections that were made" in told


def test_what_was_asked_for_is_followed(there: There) -> None:
    path = there.file(find="only what is to come")
    assert match(there, path, person="gb", reach="untrained", rest="as-asked") == 303
    told = read(there, path)
    assert told.startswith(" Followed We found")
    assert "Collections that were made before stay as they are. You asked for no more than this." in told
    assert "The objector asked for no more." in words(there.staff().get(in_console(path)))


AS_ASKED = {"reach": "future", "rest": "as-asked"}
ON_A_GROUND = {"reach": "untrained", "rest": "legal-claims", "person_reply": "A court case needs it."}
IN_WHOLE = {"reach": "everything"}


@pytest.mark.parametrize(
    ("matches", "stands"),
    [
        ((AS_ASKED, ON_A_GROUND), "Followed in part"),
        ((ON_A_GROUND, AS_ASKED), "Followed in part"),
        ((AS_ASKED, ON_A_GROUND, IN_WHOLE), "Followed"),
        ((IN_WHOLE, ON_A_GROUND), "Followed"),
        ((IN_WHOLE, {**ON_A_GROUND, "person": "gb"}), "Followed in part"),
    ],
)
def test_what_was_refused_on_a_ground_is_hidden_by_no_other_part(
    there: There, matches: Sequence[dict[str, str]], stands: str
) -> None:
    path = there.file(find=f"more and more of it {matches}")
    for form in matches:
        there.deployment.control.objections.add(secret_of(path), "And more.")
        assert match(there, path, **{"person": "us", **form}) == 303
    told = read(there, path)
    assert told.startswith(f" {stands} We found")
    assert ("You can also complain" in told) is (stands == "Followed in part")


@pytest.mark.parametrize(
    "form",
    [
        {"reach": "future"},
        {"reach": "everything", "category": ["post"]},
        {"reach": "future", "rest": "legal-claims"},
        {"reach": "everything", "rest": "as-asked"},
        {"reach": "everything", "rest": "legal-claims", "person_reply": "why"},
        {"reach": "future", "rest": "because"},
    ],
)
def test_why_not_the_rest_has_to_be_said(there: There, form: dict[str, Any]) -> None:
    path = there.file(find=f"some of it {sorted(form)}")
    head = there.deployment.ledger.head()
    assert match(there, path, person="us", **form) == 422
    assert there.deployment.ledger.head() == head


def test_single_items_are_counted_and_nothing_is_claimed_once_it_is_erased(there: There) -> None:
    path = there.file(find="this one")
    form = {"corpus": "network", "items": "g1"}
    assert there.staff().post(f"{in_console(path)}/match-items", form).status_code == 303
    told = read(there, path)
    assert "We refuse the use of 1 single item. It also leaves collections" in told
    assert "g1" not in told.partition("We found it and refused its use")[2]
    there.deployment.control.objection_queue.erase([in_console(path).rpartition("/")[2]], by="olga")
    assert read(there, path).startswith(" Answered We found what you mean, and refused its use, or that of a part.")
