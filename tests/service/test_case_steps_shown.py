"""How far a case is, on the pages: every step has its words everywhere, and is shown as reached when it is."""

from __future__ import annotations

import time

import service.staff as staff
from consentry.ledger.oversight_events import Origin
from consentry.oversight.case import CaseStanding
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Category
from consentry.service.plain_words import STANDINGS
from consentry.service.site import environment
from service.at_work import PEOPLE
from service.staff import Office
from service.visitor import words

place = staff.place
CASE, PAGE = "ico-1", "/console/cases/ico-1"
UK = Scope(areas=frozenset({"GB"}))
STEPS = (
    "Concern raised",
    "Suspended",
    "Under review",
    "Conditions met",
    "Approved by two",
    "Notices served",
    "Waiting after the notice",
    "Ready to lift",
)


def steps(*reached: str) -> str:
    """Return what the page says if these steps are reached."""
    return " ".join(f"{at}. {step}{' reached' * (step in reached)}" for at, step in enumerate(STEPS, start=1))


def serve(place: Office, *names: str) -> None:
    place.deployment.control.notices.serve(
        "n-1", [place.deployment.person(each) for each in names], at=int(time.time())
    )


def test_every_standing_has_words_and_a_colour_on_every_page() -> None:
    shown = environment("en").get_template("console/parts.html").make_module()
    for known in (STANDINGS, vars(shown)["standing_words"], vars(shown)["standing_kinds"]):
        assert set(known) == set(CaseStanding)


def test_a_step_is_shown_as_reached_only_after_all_before_it(own: Office) -> None:
    control, olga = own.deployment.control, own.visitor("olga")
    everybody = [str(each.id) for each in PEOPLE]
    control.orders.suspend(UK, case=CASE, origin=Origin.AUTHORITY_REQUEST, reference="letter")
    assert steps(*STEPS[:2]) in words(olga.get(PAGE))
    control.cases.begin_review(CASE, by="olga")
    control.cases.require_notice(CASE, "n-1", days=1, by="olga")
    control.cases.require_notice(CASE, "n-2", days=0, by="olga")
    assert steps(*STEPS[:3]) in words(olga.get(PAGE))
    for by in ("olga", "paul"):
        control.cases.approve(CASE, by=by)
    # No condition was written down, so none was met.
    reached = [each for each in STEPS if each != "Conditions met"]
    serve(own, *everybody)
    assert steps(*reached[:4]) in words(olga.get(PAGE)), "one of two notices was not served"
    told = [own.deployment.person("fr")]
    control.notices.serve("n-2", told, at=int(time.time()))
    shown = words(olga.get(PAGE))
    assert steps(*reached[:5]) in shown
    assert "notices served" in shown
    assert "Notice n-2 did not reach" in shown
    control.notices.serve("n-2", [own.deployment.person(each) for each in everybody], at=int(time.time()))
    shown = words(olga.get(PAGE))
    assert steps(*reached[:6]) in shown
    assert "1 day left to wait after notice n-1" in shown


def test_a_narrowed_case_is_shown_as_narrowed_in_every_list_and_its_steps_stay_reached(own: Office) -> None:
    control, olga = own.deployment.control, own.visitor("olga")
    control.orders.suspend(UK, case=CASE, origin=Origin.AUTHORITY_REQUEST, reference="letter")
    control.cases.begin_review(CASE, by="olga")
    control.cases.require_notice(CASE, "n-1", days=0, by="olga")
    smaller = Scope(areas=UK.areas, categories=frozenset({Category.IMAGE}))
    for by in ("olga", "paul"):
        control.cases.narrow(CASE, smaller, by=by, reference="letter 2")
    serve(own, *(str(each.id) for each in PEOPLE))
    assert control.cases.narrow(CASE, smaller, by="paul", reference="letter 2").done
    assert steps(*STEPS[:3]) in words(olga.get(PAGE))
    (row,) = [each for each in olga.get("/console/cases?format=json").json()["cases"] if each["case"] == CASE]
    assert row["standing"] == "narrowed"
    for page in (PAGE, "/console/cases", "/console/overview"):
        assert "narrowed" in words(olga.get(page))
