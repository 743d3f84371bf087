"""The console: registers of all cases, what was chosen page by page, and what a skip link skips."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.policy.choice import Choice
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.service.listing import PAGE_ROWS
from service.staff import OVERSEERS, Office, may, office
from service.visitor import words

CASES = ("one", "two")


def _condition(case: str, name: str, **more: Any) -> ConditionAdded:
    given: dict[str, Any] = {"title": "Asked", "owner": "olga", "due": None, "check": None, "policy": None, **more}
    given.setdefault("parameters", ())
    return ConditionAdded(case=case, condition=name, by="olga", **given)


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    """Two cases with a condition and a report each, and somebody who said more than fits on a page."""
    with office() as made:
        control = made.deployment.control
        for number, case in enumerate(CASES):
            control.cases.open(case, title=f"About {case}", reference="letter", by="olga")
            owner = ("olga", "petra")[number]
            control.conditions.add(_condition(case, f"c-{case}", owner=owner, due=1 - number))
            control.reports.schedule(case, f"r-{case}", title="Told", due=1, by="olga")
        control.conditions.meet("two", "c-two", evidence=b"Everybody was asked.", by="petra")
        control.reports.deliver("two", "r-two", position=None, by="olga")
        items = frozenset(f"{number:032x}" for number in range(PAGE_ROWS + 1))
        no = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, reach=Reach.FUTURE, at=1, items=items)
        said = ChoiceMade(person=made.deployment.person("gb"), choice=no, source=Source.IMPORT)
        control.desk.parts.ledger.append([said])
        yield made


def test_conditions_and_reports_of_all_cases_stand_in_one_register(place: Office) -> None:
    olga = place.visitor("olga")
    found = olga.get("/console/conditions?format=json").json()["conditions"]
    assert [(each["case"], each["condition"], each["owner"], each["state"]) for each in found] == [
        ("two", "c-two", "petra", "met"),
        ("one", "c-one", "olga", "overdue"),
    ]
    assert [each["found"] for each in found if each["state"] == "met"] == ["given by petra"]
    found = olga.get("/console/reports?format=json").json()["reports"]
    assert {(each["case"], each["report"], each["state"]) for each in found} == {
        ("one", "r-one", "overdue"),
        ("two", "r-two", "delivered"),
    }
    for register, column in (("conditions", "condition"), ("reports", "report")):
        narrowed = olga.get(f"/console/{register}?case=two&format=json").json()[register]
        assert [each[column] for each in narrowed] == [f"{column[0]}-two"]
        assert may(place.statuses(f"/console/{register}")) == OVERSEERS
        assert f'href="/console/{register}?case=one"' in olga.get("/console/cases/one").text
        assert f'href="/console/{register}"' in olga.get("/console/cases").text, "in the navigation as well"


def test_a_condition_that_a_check_shows_says_what_it_found(place: Office) -> None:
    control = place.deployment.control
    control.conditions.add(_condition("one", "checked", check="objection-steps", parameters=("2",)))
    (row,) = [
        each
        for each in place.visitor("olga").get("/console/conditions?format=json").json()["conditions"]
        if each["condition"] == "checked"
    ]
    assert row["check"] == "objection-steps 2"
    assert row["found"]
    assert row["state"] in {"met", "open"}


def test_all_that_a_person_chose_is_there_page_by_page_and_each_look_is_written_down(place: Office) -> None:
    asked = {"person": "gb", "reason": "ticket 4711"}
    sue = place.visitor("sue")
    first = sue.post("/console/people", asked)
    assert f"{PAGE_ROWS + 1} rows" in words(first)
    assert "Page 1 of 2" in words(first)
    again = dict(re.findall(r'type="hidden" name="(person|reason)" value="([^"]*)"', first.text))
    assert again == asked
    assert "gb" not in re.findall(r'action="([^"]*)"', first.text), "no address names the person"
    (button,) = re.findall(r'name="page" value="(\d+)"', first.text)
    second = sue.post("/console/people", {**again, "page": button})
    assert "Page 2 of 2" in words(second)
    tables = [re.findall(r"(?s)<tbody>(.*?)</tbody>", each.text)[0].count("<tr>") for each in (first, second)]
    assert tables == [PAGE_ROWS, 1]
    assert len(place.events(PersonLookedUp)) == 2


@pytest.mark.parametrize(("handle", "path"), [("olga", "/console/cases"), ("ico", "/authority/cases")])
def test_the_skip_link_leads_past_the_navigation(place: Office, handle: str, path: str) -> None:
    text = place.visitor(handle).get(path).text
    to = re.findall(r'class="skip" href="#([^"]+)"', text)
    (content,) = [text.index(f'id="{each}"') for each in to]
    side = re.search(r'(?s)<nav class="side".*?</nav>', text)
    assert side is not None
    assert side.end() < content < text.index("<h1")
    assert text.count("<main") == 1
