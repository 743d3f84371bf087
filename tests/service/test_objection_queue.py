"""Objections in the console: who sees the queue, what is found in it, and what each answer does."""

from __future__ import annotations

import re

import pytest

from consentry.accounts.access import TABLE, Action
from consentry.control_plane.objections import objection_of
from consentry.policy.vocabulary import Purpose
from service.at_work import POLICY
from service.objectors import HOSTILE, STAFF, There, in_console, secret_of
from service.visitor import words


def test_what_is_written_is_text_on_every_page(there: There) -> None:
    path = there.file(find=HOSTILE, answer_to=HOSTILE, reason=HOSTILE)
    staff = there.staff()
    staff.post(f"{in_console(path)}/ask", {"question": HOSTILE})
    staff.post(f"{in_console(path)}/note", {"note": HOSTILE})
    pages = [
        there.visitor().get(path),
        there.visitor().post("/object", {"find": "", "answer_to": HOSTILE, "reason": HOSTILE}),
        there.visitor().post(path, {"message": HOSTILE + "w" * 10_000}),
        staff.post("/console/objections", {"state": "all", "q": "alert(2)"}),
        staff.post("/console/objections", {"q": HOSTILE}),
        staff.get(in_console(path)),
        staff.post(f"{in_console(path)}/match-person", {"person": HOSTILE, "reach": HOSTILE, "person_reply": HOSTILE}),
        staff.post(f"{in_console(path)}/match-items", {"items": HOSTILE, "corpus": HOSTILE, "items_reply": HOSTILE}),
    ]
    for page in pages:
        assert "&lt;script&gt;" in page.text
        assert "<script" not in page.text
        assert "<img" not in page.text
        assert "49" not in re.findall(r"&lt;img[^{]*(.{9})", page.text)[0]


def test_staff_find_what_is_due_and_take_it_away_without_what_was_written(there: There) -> None:
    path = there.file(find="the blue bicycle", answer_to="somebody@example.org")
    there.file(find="the blue bicycle", answer_to="somebody@example.org")
    staff, number = there.staff(), objection_of(secret_of(path))
    found = staff.post("/console/objections", {"q": "BLUE bicycle"})
    assert "2 rows" in words(found)
    assert re.search(r'<td class="num">1</td>', found.text), "the other one says the same"
    assert "1 other says exactly the same" in words(staff.get(in_console(path)))
    staff.post(f"{in_console(path)}/take")
    assert number in staff.get("/console/objections?mine=1&state=looked-at").text
    assert "Nothing fits" in words(staff.post("/console/objections", {"q": "bicycle", "state": "declined"}))
    for form in ("csv", "json"):
        away = staff.get(f"/console/objections?state=all&format={form}").text
        assert number in away
        assert "olga" in away
        for text in ("bicycle", "somebody@", "network.example"):
            assert text not in away
    one = staff.post("/console/objections", {"q": "bicycle", "format": "json", "mine": "1"}).json()["objections"]
    assert [each["objection"] for each in one] == [number]


@pytest.mark.parametrize("query", ["page=0", "page=99", "page=x", "page=²", "state=nothing", "page=" + "9" * 30])
def test_an_address_that_makes_no_sense_is_a_list(there: There, query: str) -> None:
    assert there.staff().get(f"/console/objections?{query}").status_code == 200


def test_the_queue_is_paged(there: There) -> None:
    for number in range(55):
        there.deployment.control.objections.file(f"row {number:02} of many", answer_to="zoe@example.org")
    staff = there.staff()
    first, second = (staff.post("/console/objections", {"q": "of many", "page": number}) for number in ("1", "2"))
    assert len(re.findall(r"row \d\d of many", first.text)) == 50
    assert len(re.findall(r"row \d\d of many", second.text)) == 5
    assert '<button class="plain" name="page" value="2">' in first.text
    assert "Page 2 of 2" in words(second)
    newest = staff.post("/console/objections", {"q": "of many", "sort": "newest"})
    assert re.findall(r"row \d\d of many", newest.text)[0] == "row 54 of many"
    assert "sort=newest" in staff.get("/console/objections?state=all&sort=newest").text
    assert staff.get("/console/objections?sort=nonsense").status_code == 200


def test_what_an_objector_wrote_stands_in_no_address(there: There) -> None:
    there.file(find="the green umbrella")
    staff = there.staff()
    assert 'method="post" action="/console/objections"' in staff.get("/console/objections").text
    found = staff.post("/console/objections", {"q": "green umbrella", "state": "all", "mine": ""})
    assert "the green umbrella" in words(found)
    assert not re.findall(r'(?:href|action|src)="[^"]*umbrella', found.text)
    assert "· 1 row" not in words(staff.get("/console/objections?q=green+umbrella")), "an address looks for no words"
    empty = staff.post("/console/objections", {"q": " ", "state": "declined", "overdue": "1"})
    assert empty.headers["location"] == "/console/objections?state=declined&overdue=1"


def test_a_match_makes_the_item_objected_to(there: There) -> None:
    path = there.file()
    staff, control = there.staff(), there.deployment.control
    assert control.releases.explain(there.release, "g1").allowed
    answer = staff.post(
        f"{in_console(path)}/match-items", {"corpus": "network", "items": "g1", "items_reply": "It is left out."}
    )
    text = words(staff.follow(answer))
    assert "The objection now is: Matched" in text
    assert "1 single item" in text
    again = control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY).manifest.release
    found = control.releases.explain(again, "g1")
    assert not found.allowed
    assert [each["reason"] for each in found.body["reasons"]] == ["objected"]


def test_a_person_is_matched_and_what_was_typed_wrong_is_kept(there: There) -> None:
    path = there.file(find="everything by Una Shaw")
    staff, at = there.staff(), in_console(path)
    wrong = staff.post(
        f"{at}/match-person",
        {"person": "una shaw", "category": ["post", "image"], "reach": "future", "person_reply": "Done, Una."},
    )
    assert wrong.status_code == 422
    assert "names this person" in words(wrong)
    assert 'value="una shaw"' in wrong.text
    assert "Done, Una." in wrong.text
    assert set(re.findall(r'id="([\w-]+)"[^>]* checked', wrong.text)) >= {
        "category-post",
        "category-image",
        "reach-future",
    }
    assert "<details open><summary>It is about a person" in wrong.text
    good = {"person": "us", "reach": "future", "person_reply": "Done, Una.", "rest": "as-asked"}
    right = staff.post(f"{at}/match-person", good)
    assert right.status_code == 303
    assert "1 person" in words(staff.get(at))
    assert "Done, Una." in words(there.visitor().get(path))


@pytest.mark.parametrize(
    ("verb", "form"),
    [
        ("ask", {"question": " "}),
        ("extend", {"months": "3", "why": "kept"}),
        ("extend", {"months": "1", "why": ""}),
        ("not-found", {"tried": ""}),
        ("decline", {"ground": "because", "explanation": "kept"}),
        ("decline", {"ground": "excessive", "explanation": ""}),
        ("match-items", {"corpus": "network", "items": " \n "}),
        ("match-items", {"corpus": "network", "items": "nothing-like-it"}),
        ("match-items", {"corpus": "another", "items": "x1"}),
        ("match-person", {"person": "us", "reach": "sideways"}),
        ("note", {"note": ""}),
    ],
)
def test_what_cannot_be_done_is_said_where_it_was_asked_for(there: There, verb: str, form: dict[str, str]) -> None:
    path = there.file()
    staff = there.staff()
    answer = staff.post(f"{in_console(path)}/{verb}", form)
    assert answer.status_code == 422
    assert "There is a problem" in words(answer)
    assert form.get("why", "") in answer.text
    assert form.get("explanation", "") in answer.text
    assert "Received" in words(there.visitor().get(path))


def test_a_decline_names_its_ground_to_the_objector_and_a_message_opens_it_again(there: There) -> None:
    path = there.file()
    staff, at = there.staff(), in_console(path)
    assert staff.post(f"{at}/decline", {"ground": "excessive", "explanation": "We said so."}).status_code == 303
    text = words(there.visitor().get(path))
    assert "GDPR Art. 12(5)" in text
    assert "We said so." in text
    assert "complain to the data protection authority" in text
    assert staff.post(f"{at}/ask", {"question": "Really?"}).status_code == 422
    there.visitor().post(path, {"message": "I do not agree."})
    assert "Received" in words(there.visitor().get(path))


def test_what_was_erased_is_gone_and_the_page_says_so(there: There) -> None:
    path = there.file(find="the red kite")
    staff, at = there.staff(), in_console(path)
    staff.post(f"{at}/not-found", {"tried": "The search."})
    there.deployment.control.objection_queue.erase([objection_of(secret_of(path))], by="olga")
    mine, theirs = there.visitor().get(path), staff.get(at)
    assert "has been erased" in words(mine)
    assert "was erased" in words(theirs)
    for page in (mine, theirs, staff.get("/console/objections?state=all")):
        assert page.status_code == 200
        assert "red kite" not in page.text
    assert there.visitor().post(path, {"message": "again"}).status_code == 422


@pytest.mark.parametrize("handle", [*STAFF, "ico"])
def test_only_who_may_sees_the_queue(there: There, handle: str) -> None:
    may = handle in TABLE[Action.OBJECTION_READ]
    path = there.file(find="for these eyes only")
    staff = there.staff(handle)
    for answer in (
        staff.post("/console/objections", {"q": "eyes"}),
        staff.get("/console/objections?format=csv"),
        staff.get(in_console(path)),
        staff.post(f"{in_console(path)}/note", {"note": "seen"}),
    ):
        assert answer.status_code in ({200, 303} if may else {403})
        assert may or "eyes only" not in answer.text
    nobody = there.visitor().get(in_console(path))
    assert nobody.headers["location"].startswith("/sign-in")


def test_who_answers_is_who_is_signed_in(there: There) -> None:
    path = there.file()
    there.staff("support").post(f"{in_console(path)}/take", {"by": "olga"})
    found = there.deployment.control.objection_queue.show(objection_of(secret_of(path)))
    assert found.objection.by == "support"
    answer = there.staff().post(f"{in_console(path)}/take", {}, **{"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


def test_what_is_not_there_is_not_found(there: There) -> None:
    staff, path = there.staff(), there.file()
    assert staff.get("/console/objections/0123456789").status_code == 404
    assert staff.post("/console/objections/0123456789/take").status_code == 404
    assert staff.post(f"{in_console(path)}/erase").status_code == 404
