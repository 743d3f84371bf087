"""The console: overview, cases, orders, and suspending. Who sees them, what they do, and in whose name."""

from __future__ import annotations

import re
import time

import httpx2
import pytest

import service.staff as staff
from consentry.accounts.access import Role
from consentry.ledger.case_events import ApprovalGiven, CaseOpened, ConditionAdded, ConditionMet, ReportDelivered
from consentry.ledger.events import EventLost
from consentry.ledger.oversight_events import OrderIssued, Origin
from consentry.oversight.order import Scope
from consentry.service.pages.console_frame import areas_of
from service.at_work import PEOPLE
from service.staff import HOSTILE, OVERSEERS, Office, may
from service.visitor import Visitor, words

place = staff.place
UK = {"areas": "gb", "case": "ico-1", "reference": "letter 7", "origin": "authority-request", "purposes": "train-genai"}


def suspend(visitor: Visitor, **changed: str) -> None:
    form = {**UK, **changed}
    shown = visitor.post("/console/suspend", form)
    seen = re.search(r'name="seen" value="([^"]+)"', shown.text)
    assert seen is not None, words(shown)
    assert visitor.post("/console/suspend", {**form, "step": "suspend", "seen": seen[1]}).status_code == 303


def value(answer: httpx2.Response, field: str) -> str:
    """Return what a field of a form is filled with."""
    found = re.search(rf'<input[^>]* name="{field}"[^>]* value="([^"]*)"', answer.text)
    assert found is not None, (field, words(answer))
    return found[1]


def narrow(visitor: Visitor, form: dict[str, str]) -> httpx2.Response:
    """Look at what a smaller suspension would stop, as everybody has to, and agree to it."""
    shown = visitor.post("/console/cases/ico-1/narrow", form)
    assert shown.status_code == 200, words(shown)
    return visitor.post("/console/cases/ico-1/narrow", {**form, "step": "narrow", "seen": value(shown, "seen")})


@pytest.mark.parametrize(
    ("typed", "areas"),
    [
        ("gb, br", {"GB", "BR"}),
        ("gb br;EU\nch", {"GB", "BR", "EU", "CH"}),
        ("united kingdom, BR", {"UNITED KINGDOM", "BR"}),
        ("gb nowhere", {"GB", "NOWHERE"}),
        (" , ", set()),
    ],
)
def test_areas_are_typed_as_codes_and_a_name_stays_whole(typed: str, areas: set[str]) -> None:
    assert areas_of(typed) == areas


def test_a_name_of_a_country_is_answered_with_its_code(place: Office) -> None:
    answer = words(place.visitor("olga").post("/console/suspend", {**UK, "areas": "United Kingdom"}))
    assert "Unknown area `UNITED KINGDOM`" in answer
    assert "`GB` (United Kingdom)? " in answer


def test_the_look_says_what_is_missing_and_what_is_suspended_already(place: Office) -> None:
    visitor = place.visitor("olga")
    for missing, says in (("case", "no name"), ("reference", "Reference")):
        shown = visitor.post("/console/suspend", {**UK, missing: ""})
        assert shown.status_code == 422
        assert "This would stop" in words(shown), "it is shown all the same"
        assert says.casefold() in words(shown).casefold()
        assert 'value="suspend"' not in shown.text
    shown = visitor.post("/console/suspend", UK)
    assert 'value="suspend"' in shown.text
    assert "suspended already" not in words(shown), "the control: nothing is suspended yet"
    suspend(visitor)
    assert "The very same is suspended already, by ico-1.1." in words(visitor.post("/console/suspend", UK))
    assert "suspended already" not in words(visitor.post("/console/suspend", {**UK, "areas": "gb fr"}))


def test_who_sees_what(place: Office) -> None:
    assert may(place.statuses("/console/overview")) == OVERSEERS | {"sue"}
    assert may(place.statuses("/console/cases")) == OVERSEERS
    assert may(place.statuses("/console/orders")) == OVERSEERS | {"sue"}
    assert may(place.statuses("/console/suspend")) == {"olga", "petra"}
    assert may(place.statuses("/console/open-case")) == {"olga", "petra"}


@pytest.mark.parametrize(
    ("handle", "where"),
    [
        ("olga", "/console/overview"),
        ("ada", "/console/accounts"),
        ("ico", "/authority"),
        ("", "/sign-in"),
    ],
)
def test_everybody_is_led_to_where_their_pages_begin(place: Office, handle: str, where: str) -> None:
    assert place.visitor(handle).get("/console").headers["location"] == where


def test_the_side_shows_only_what_somebody_may_do(place: Office) -> None:
    def side(handle: str) -> str:
        return place.visitor(handle).get("/console/overview").text.split('<nav class="side"')[1].split("</nav>")[0]

    assert "/console/suspend" in side("olga")
    assert "/console/suspend" not in side("audrey")
    assert "/console/accounts" not in side("olga")
    assert "/console/cases" not in side("sue")


def test_the_overview_counts_by_country_category_and_reason_with_a_table_beside_each_chart(place: Office) -> None:
    text = place.visitor("audrey").get("/console/overview").text
    assert text.count('<svg role="img"') == 3
    assert text.count("<table>") >= 3
    said = words(place.visitor("audrey").get("/console/overview"))
    for word in ("United States", "no country established", "post", "By country", "By category", "By reason"):
        assert word in said


def test_the_overview_reminds_of_events_that_were_lost(own: Office) -> None:
    assert "Lost events" not in words(own.visitor("sue").get("/console/overview"))
    first = own.deployment.ledger.head()
    own.deployment.ledger.append([EventLost(reference="disk of 3 May", by="olga")] * 2)
    own.deployment.ledger.append([EventLost(reference=HOSTILE, by="olga")])
    for handle in ("sue", "olga", "mel"):
        answer = own.visitor(handle).get("/console/overview")
        said = words(answer)
        assert f"position {first} – {first + 1}, disk of 3 May, olga" in said
        assert f"position {first + 2}, " in said
        assert "does not count any more" in said
        assert "<script>alert" not in answer.text
    assert own.visitor("sue").get("/console/overview?format=json").json()["lost"][0]["last"] == first + 1


def test_support_sees_no_case_and_no_model_on_the_overview(own: Office) -> None:
    suspend(own.visitor("olga"))
    assert "ico-1" in words(own.visitor("olga").get("/console/overview"))
    said = words(own.visitor("sue").get("/console/overview"))
    assert "Open cases" not in said
    assert "Models to decide" not in said


def test_an_empty_deployment_says_what_to_do(empty: Office) -> None:
    assert "No release was built yet" in words(empty.visitor("olga").get("/console/overview"))
    assert "No case was opened yet" in words(empty.visitor("olga").get("/console/cases"))
    assert "Nothing was ever suspended" in words(empty.visitor("olga").get("/console/orders"))


def test_what_a_suspension_hits_is_shown_before_anything_is_recorded(own: Office) -> None:
    olga = own.visitor("olga")
    shown = words(olga.post("/console/suspend", UK))
    assert "This would stop: GB; train-genai" in shown
    assert "1 of 4 items" not in shown
    assert "Nothing was recorded yet" in shown
    assert not own.events(OrderIssued)
    assert olga.post("/console/suspend", {**UK, "step": "suspend"}).status_code == 200
    assert not own.events(OrderIssued), "what was not shown is not suspended"
    suspend(olga)
    (order,) = own.events(OrderIssued)
    assert isinstance(order, OrderIssued)
    assert (order.by, order.origin, order.areas) == ("olga", Origin.AUTHORITY_REQUEST, ("GB",))
    assert "in force" in words(olga.get("/console/orders"))
    assert "no job read it" in words(olga.get("/console/cases/ico-1"))


def test_a_form_names_nobody_else(own: Office) -> None:
    form = {"case": "c-1", "title": "a concern", "reference": "letter", "by": "petra"}
    assert own.visitor("olga").post("/console/open-case", form).status_code == 303
    (opened,) = own.events(CaseOpened)
    assert isinstance(opened, CaseOpened)
    assert opened.by == "olga"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"areas": "atlantis"}, "ATLANTIS"),
        ({"created_from": "yesterday"}, "is no day"),
        ({"purposes": "world-peace"}, "nothing is called by"),
        ({"models": "no-such-model"}, "no-such-model"),
        ({"created_from": "2025-01-02", "created_before": "2025-01-01"}, "ends before it begins"),
    ],
)
def test_a_wrong_scope_is_told_and_what_was_typed_is_kept(place: Office, changed: dict[str, str], said: str) -> None:
    answer = place.visitor("olga").post("/console/suspend", {**UK, **changed})
    assert answer.status_code == 422
    assert said in words(answer)
    assert "<title>Error:" in answer.text
    assert 'value="letter 7"' in answer.text


def test_a_case_from_concern_to_the_end(own: Office) -> None:
    olga, paul, petra = own.visitor("olga"), own.visitor("paul"), own.visitor("petra")
    suspend(olga)
    case = "/console/cases/ico-1"
    condition = {"condition": "clear", "condition_title": "a clear notice", "owner": "olga", "due": "2020-01-01"}
    assert olga.post(f"{case}/review").status_code == 303
    begun = words(olga.get(case))
    assert "3. Under review reached 4. Conditions met 5." in begun, "there is none that could be met"
    assert olga.post(f"{case}/conditions", condition).status_code == 303
    said = words(olga.get(case))
    assert "Why it cannot be lifted now" in said
    assert "Condition clear (a clear notice) is open" in said
    assert "overdue" in said
    assert "a clear notice" in words(olga.get("/console/overview")), "what is overdue is on the overview"
    refused = paul.post(f"{case}/approve")
    assert refused.status_code == 422
    assert "cannot be approved yet" in words(refused)
    assert olga.post(f"{case}/conditions/clear/meet", {"text": "the new notice"}).status_code == 303
    assert olga.post(f"{case}/conditions/clear/reopen", {"reason": ""}).status_code == 422
    assert olga.post(f"{case}/conditions/clear/reopen", {"reason": "one place was missed"}).status_code == 303
    assert "one place was missed" in olga.get(case).text
    assert olga.post(f"{case}/conditions/clear/meet", {"text": "the newer notice"}).status_code == 303
    assert paul.post(f"{case}/approve").status_code == 303
    assert "4. Conditions met reached 5. Approved by two 6." in words(olga.get(case))
    assert petra.post(f"{case}/approve").status_code == 303
    twice = paul.post(f"{case}/approve")
    assert twice.status_code == 422
    assert "approved this already" in words(twice)
    early = paul.post(f"{case}/lift", {"lift_reference": "review <b>done</b>"})
    assert early.status_code == 422
    assert "no notice is required yet" in words(early)
    assert "review &lt;b&gt;done&lt;/b&gt;" in early.text, "what was typed is kept, as text"
    assert [each.by for each in own.events(ApprovalGiven)] == ["paul", "petra"]  # type: ignore[union-attr]
    assert own.events(ConditionAdded)[0].by == "olga"  # type: ignore[union-attr]
    assert own.events(ConditionMet)[0].by == "olga"  # type: ignore[union-attr]
    assert olga.post(f"{case}/prohibit", {"prohibit_reference": "final"}).status_code == 303
    assert "prohibited" in words(olga.get(case))


def test_what_was_required_by_mistake_is_corrected_with_a_reason_and_by_two_once_somebody_approved(own: Office) -> None:
    olga, paul, case = own.visitor("olga"), own.visitor("paul"), "/console/cases/ico-1"
    suspend(olga)
    assert olga.post(f"{case}/review").status_code == 303
    too_long = olga.post(f"{case}/notices", {"notice": "wrnog", "days": "36500"})
    assert too_long.status_code == 422
    assert "has to be told again" in words(too_long)
    assert olga.post(f"{case}/notices", {"notice": "wrnog", "days": "30"}).status_code == 303
    condition = {"condition": "clear", "condition_title": "a clear notice", "owner": "olga"}
    undated = olga.post(f"{case}/conditions", condition)
    assert undated.status_code == 422
    assert "The day it is due is missing." in words(undated)
    assert olga.post(f"{case}/conditions", {**condition, "due": "2066-06-30"}).status_code == 303
    shown = olga.get(case).text
    assert f'action="{case}/notices/wrnog/correct"' in shown
    assert f'action="{case}/conditions/clear/take-back"' in shown
    by_two = "it takes two different people who say the very same"
    assert by_two not in words(olga.get(case))
    assert "/correct" not in own.visitor("mel").get(case).text
    for wrong in ({}, {"fewer_days": "few"}, {"fewer_days": "3", "not_required": "yes"}, {"fewer_days": "31"}):
        answer = olga.post(f"{case}/notices/wrnog/correct", {"reason": "mistyped <b>", **wrong})
        assert answer.status_code == 422, wrong
        assert 'value="mistyped &lt;b&gt;"' in answer.text, "what was typed is kept, as text"
    assert olga.post(f"{case}/notices/wrnog/correct", {"not_required": "yes", "reason": ""}).status_code == 422
    assert olga.post(f"{case}/notices/wrnog/correct", {"fewer_days": "3", "reason": "mistyped"}).status_code == 303
    assert "3 days to wait" in words(olga.get(case))
    assert olga.post(f"{case}/conditions/clear/take-back", {"reason": "of another case"}).status_code == 303
    assert "No condition was set." in words(olga.get(case))
    assert paul.post(f"{case}/approve").status_code == 303
    assert by_two in words(olga.get(case))
    gone = {"not_required": "yes", "reason": "mistyped"}
    assert olga.post(f"{case}/notices/wrnog/correct", gone).status_code == 303
    assert "3 days to wait" in words(olga.get(case)), "one person alone changes nothing"
    assert paul.post(f"{case}/notices/wrnog/correct", gone).status_code == 303
    said = words(olga.get(case))
    assert "None is required yet." in said
    assert "Notice corrected" in said
    assert "by olga and paul" in said


def test_narrowing_takes_two_who_say_the_same(own: Office) -> None:
    olga, paul = own.visitor("olga"), own.visitor("paul")
    suspend(olga)
    form = {"areas": "GB", "purposes": "train-genai", "categories": "image", "reference": "letter 8"}
    wider = olga.post("/console/cases/ico-1/narrow", {**form, "areas": ""})
    assert wider.status_code == 422
    assert "not smaller" in words(wider)
    early = narrow(olga, form)
    assert early.status_code == 422
    assert "cannot be narrowed: the review has not begun" in words(early)
    assert olga.post("/console/cases/ico-1/review").status_code == 303
    assert narrow(olga, form).status_code == 303
    assert len(own.events(OrderIssued)) == 1
    unsaid = narrow(paul, form)
    assert unsaid.status_code == 422
    assert "cannot be narrowed yet, though olga and paul agreed: no notice is required yet" in words(unsaid)
    # What is required from now on is a change: both agree to it anew.
    own.deployment.control.cases.require_notice("ico-1", "n-1", days=0, by="olga")
    assert narrow(olga, form).status_code == 303
    assert "n-1 was not served since narrowing was approved" in words(narrow(paul, form))
    own.deployment.control.notices.serve(
        "n-1", [own.deployment.person(str(each.id)) for each in PEOPLE], at=int(time.time())
    )
    assert narrow(paul, form).status_code == 303
    assert own.events(OrderIssued)[-1].categories == ("image",)  # type: ignore[union-attr]


def test_what_is_narrowed_is_shown_whole_and_what_is_left_of_it_before_anybody_agrees(own: Office) -> None:
    olga, case = own.visitor("olga"), "/console/cases/ico-1/narrow"
    suspend(olga, created_from="2014-05-01", created_before="2014-05-02")
    empty = olga.get(case)
    assert (value(empty, "created_from"), value(empty, "created_before")) == ("2014-05-01", "2014-05-02")
    assert "Agree to this smaller suspension" not in words(empty)
    less = {"areas": "GB", "purposes": "train-genai", "categories": "image", "reference": "letter 8"}
    shown = olga.post(case, {**less, "created_from": "2014-05-01", "created_before": "2014-05-02"})
    assert shown.status_code == 200
    said = words(shown)
    assert "This would still stop: GB; train-genai; image; created from 2014-05-01, before 2014-05-02" in said
    assert "Now it stops: GB; train-genai; created from 2014-05-01, before 2014-05-02" in said
    assert "Agree to this smaller suspension" in said
    other = {**less, "categories": "video", "created_from": "2014-05-01", "created_before": "2014-05-02"}
    changed = olga.post(case, {**other, "step": "narrow", "seen": value(shown, "seen")})
    assert changed.status_code == 200
    assert "This would still stop: GB; train-genai; video" in words(changed), "what was changed is shown first"


def test_a_window_that_begins_within_a_day_is_shown_to_the_second(own: Office) -> None:
    scope = Scope(created_from=1_398_938_461, created_before=1_399_075_200)
    own.deployment.control.orders.suspend(scope, case="ico-1", origin=Origin.OWN_DECISION, reference="r", by="olga")
    form = own.visitor("olga").get("/console/cases/ico-1/narrow")
    assert (value(form, "created_from"), value(form, "created_before")) == ("2014-05-01T10:01:01Z", "2014-05-03")


def test_what_is_suspended_is_chosen_in_plain_words(place: Office) -> None:
    said = words(place.visitor("olga").get("/console/suspend"))
    for word in ("training generative AI train-genai", "answers in job applications", "a person's connections"):
        assert word in said


def test_reports_are_scheduled_and_delivered_in_ones_own_name(own: Office) -> None:
    olga = own.visitor("olga")
    suspend(olga)
    form = {"report": "first", "report_title": "first report", "report_due": "2020-01-01"}
    assert olga.post("/console/cases/ico-1/reports", {**form, "report_due": ""}).status_code == 422
    assert olga.post("/console/cases/ico-1/reports", form).status_code == 303
    assert "first report" in words(olga.get("/console/overview"))
    assert own.visitor("audrey").post("/console/cases/ico-1/reports/first/deliver").status_code == 403
    assert olga.post("/console/cases/ico-1/reports/first/deliver").status_code == 303
    (delivered,) = own.events(ReportDelivered)
    assert isinstance(delivered, ReportDelivered)
    assert delivered.by == "olga"
    assert own.visitor("audrey").get("/console/cases/ico-1/reports/first.json").json()["case"]


@pytest.mark.parametrize(
    ("handle", "path"),
    [
        ("audrey", "/console/open-case"),
        ("mel", "/console/suspend"),
        ("paul", "/console/cases/x/review"),
        ("sue", "/console/cases/x/approve"),
        ("ico", "/console/cases/x/approve"),
        ("ada", "/console/suspend"),
        ("", "/console/suspend"),
    ],
)
def test_who_may_not_changes_nothing(place: Office, handle: str, path: str) -> None:
    before = place.deployment.control.desk.parts.ledger.head()
    assert place.visitor(handle).post(path, UK).status_code in (401, 403)
    assert place.deployment.control.desk.parts.ledger.head() == before


def test_hostile_text_stays_text(own: Office) -> None:
    own.deployment.control.cases.open("c-9", title=HOSTILE, reference=HOSTILE, by="olga")
    own.deployment.control.orders.suspend(Scope(), case="c-9", origin=Origin.OWN_DECISION, reference=HOSTILE, by="olga")
    for path in ("/console/cases", "/console/cases/c-9", "/console/orders", "/console/overview"):
        text = own.visitor("olga").get(path).text
        assert "<script>alert" not in text
        assert "<img" not in text


def test_a_case_that_is_not_there_is_no_page(place: Office) -> None:
    assert place.visitor("olga").get("/console/cases/nobody-knows").status_code == 404


def test_lists_export_what_they_show(own: Office) -> None:
    suspend(own.visitor("olga"))
    audrey = own.visitor("audrey")
    assert audrey.get("/console/orders?format=json").json()["orders"][0]["order"] == "ico-1.1"
    assert audrey.get("/console/cases?format=csv").text.startswith("case,title,standing")


def test_roles_of_the_tests_are_all_there_are() -> None:
    from service.staff import STAFF

    assert {*STAFF.values()} == {*Role} - {Role.MEMBER, Role.WORKLOAD, Role.PLATFORM}


def test_a_page_of_many_cases_is_quick(own: Office) -> None:
    for number in range(150):
        own.deployment.control.cases.open(f"case-{number}", title="one of many", reference="letter", by="olga")
    started = time.monotonic()
    assert own.visitor("olga").get("/console/cases").status_code == 200
    assert time.monotonic() - started < 2
