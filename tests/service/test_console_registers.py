"""The console: registers of all cases, what was chosen page by page, and what a skip link skips."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator
from typing import Any

import pytest

from consentry.ledger.case_events import ConditionAdded
from consentry.ledger.events import ChoiceMade, Source
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose, Reach
from consentry.service.listing import PAGE_ROWS
from service.at_work import POLICY
from service.staff import OVERSEERS, Office, may, office
from service.visitor import words

CASES = ("one", "two")


def _condition(case: str, name: str, **more: Any) -> ConditionAdded:
    given: dict[str, Any] = {
        "title": "Asked",
        "owner": "olga",
        "due": 4_000_000_000,
        "check": None,
        "policy": None,
        **more,
    }
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


@pytest.mark.parametrize(("register", "name"), [("conditions", "condition"), ("reports", "report")])
def test_programs_read_in_the_registers_what_the_console_lists(place: Office, register: str, name: str) -> None:
    olga = place.visitor("olga")
    listed = olga.get(f"/console/{register}?format=json").json()[register]
    found = olga.get(f"/v1/{register}").json()[register]
    by = operator.itemgetter("case", name)
    assert sorted(({key: each[key] for key in listed[0]} for each in found), key=by) == sorted(listed, key=by)
    assert [each["case"] for each in found] == [each["case"] for each in sorted(found, key=by)], "oldest case first"
    assert program_may(place.statuses(f"/v1/{register}")) == OVERSEERS
    for column, value in (("case", "two"), ("state", "overdue")):
        narrowed = olga.get(f"/v1/{register}?{column}={value}").json()[register]
        assert narrowed == [each for each in found if each[column] == value] != []
    first = olga.get(f"/v1/{register}?limit=1").json()
    (row,) = first[register]
    rest = olga.get(f"/v1/{register}?after={first['next']}").json()
    assert ([row, *rest[register]], rest["next"]) == (found, None)
    others = olga.get(f"/v1/{register}?after={first['next']}&state={row['state']}").json()
    assert others[register] == [each for each in found[1:] if each["state"] == row["state"]]
    for asked, status, code in (
        ("case=three", 404, "case-unknown"),
        ("after=nothing", 422, "list-cursor"),
        ("state=lost", 422, "serve-malformed"),
    ):
        answer = olga.get(f"/v1/{register}?{asked}")
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_report_is_handed_out_as_it_was_delivered_or_would_be(place: Office) -> None:
    olga, objects = place.visitor("olga"), place.deployment.control.desk.parts.objects
    (delivered,) = olga.get("/v1/reports?case=two").json()["reports"]
    answer = olga.get("/v1/cases/two/reports/r-two")
    assert answer.content == objects.get(delivered["document"])
    assert answer.json()["position"] == delivered["position"]
    assert olga.get("/console/cases/two/reports/r-two.json").content == answer.content
    (due,) = olga.get("/v1/reports?case=one").json()["reports"]
    assert (due["document"], due["position"], due["delivered"]) == (None, None, None)
    now = olga.get("/v1/cases/one/reports/r-one").json()
    assert now["position"] == place.deployment.ledger.head() > delivered["position"]
    assert program_may(place.statuses("/v1/cases/two/reports/r-two")) == OVERSEERS - {"mel"}
    for path, code in (("one/reports/r-two", "case-report-unknown"), ("three/reports/r-two", "case-unknown")):
        missing = olga.get(f"/v1/cases/{path}")
        assert (missing.status_code, missing.json()["code"]) == (404, code)


def program_may(statuses: dict[str, int]) -> set[str]:
    """Return who was answered by an address for programs; nobody else is led anywhere."""
    refused = {name: status for name, status in statuses.items() if status != 200}
    assert refused == {name: 403 if name else 401 for name in refused}
    return set(statuses) - set(refused)


def test_of_a_case_that_is_over_the_conditions_stand_as_they_were_found(own: Office) -> None:
    control, olga = own.deployment.control, own.visitor("olga")
    control.orders.suspend(Scope(areas=frozenset({"UK"})), case="ended", origin=Origin.OWN_DECISION, reference="letter")
    control.cases.begin_review("ended", by="olga")
    control.conditions.add(_condition("ended", "minors", check="no-minors", policy=POLICY))
    (found,) = olga.get("/v1/cases/ended").json()["conditions"]
    assert found["met"]
    control.notices.write("told", b"Text", languages=["en"], channel="mail", audience="all", by="olga")
    control.cases.require_notice("ended", "told", days=0, by="olga")
    for who in ("olga", "petra"):
        assert not control.cases.approve("ended", by=who)
    control.notices.serve("told", [own.deployment.person("gb")], at=control.desk.parts.clock())
    assert not control.cases.lift("ended", by="olga", reference="letter 2")
    at_the_end = control.cases.get("ended").over
    assert at_the_end is not None
    lax = shipped()[POLICY].replace('age = ["minor"]', 'age = ["minor"]\ncategory = ["image"]')
    lax = lax.replace('age = ["adult"]', 'age = ["adult", "minor"]').partition("[[example]]")[0]
    control.statements.publish(lax, "lax")
    assert not control.cases.register_of("ended")[3]["minors"].met, "the check would fail now"
    (again,) = olga.get("/v1/cases/ended").json()["conditions"]
    assert (again["met"], again["found"]) == (True, at_the_end.found[0].removeprefix("minors: "))
    (row,) = olga.get("/v1/conditions").json()["conditions"]
    assert (row["state"], row["found"]) == ("met", again["found"])


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
