"""The commands of cases, notices and assessments: what they print, and how they end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from consentry.digests import digest
from consentry.ledger.case_events import AssessmentKind
from consentry.policy.library import shipped
from end_to_end.terminal import Terminal, ready, terminal

__all__ = ["ready", "terminal"]

BY = ("--by", "ann")
DUE = ("--due", "2066-06-30")
REFERENCE = ("--reference", "letter")


@pytest.fixture
def suspended(ready: Terminal) -> Terminal:
    ready.run("suspend", "--case", "ico", "--area", "UK", "--origin", "authority-request", *REFERENCE)
    ready.run(
        "case", "condition", "add", "ico", "window", "--title", "a longer window", "--owner", "product", *DUE, *BY
    )
    ready.run("case", "notice", "ico", "n-1", "--days", 0, *BY)
    return ready


def written(terminal: Terminal, name: str, text: str) -> Path:
    path = terminal.folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_case_from_beginning_to_end(suspended: Terminal) -> None:
    refused = suspended.run("case", "lift", "ico", *REFERENCE, *BY, status=3)
    assert [each["kind"] for each in refused["in_the_way"]] == ["review", "condition", "approval", "notice"]
    assert (refused["case"], refused["lifted"]) == ("ico", False)
    text = suspended.run("case", "lift", "ico", *REFERENCE, *BY, status=3, as_json=False)
    assert "4 things stand in the way" in text
    assert "condition `window` (a longer window) is open: no evidence yet" in text
    suspended.run("case", "review", "ico", *BY)
    refused = suspended.run("case", "approve", "ico", *BY, status=3)
    assert (refused["case"], refused["approved"], "lifted" in refused) == ("ico", False, False)
    suspended.run("case", "condition", "meet", "ico", "window", written(suspended, "e.txt", "evidence"), *BY)
    suspended.run("case", "approve", "ico", *BY)
    suspended.fails("case-approved-already", "case", "approve", "ico", *BY)
    suspended.run("case", "approve", "ico", "--by", "ben")
    suspended.run("notice", "serve", "n-1", "--person", "ada")
    shown = suspended.run("case", "show", "ico")
    assert (shown["standing"], shown["in_the_way"]) == ("ready", [])
    assert "Nothing stands in the way" in suspended.run("case", "show", "ico", as_json=False)
    assert suspended.run("case", "lift", "ico", *REFERENCE, *BY) == {"case": "ico", "lifted": True, "in_the_way": []}
    suspended.fails("case-over", "case", "lift", "ico", *REFERENCE, *BY)
    events = suspended.run("case", "timeline", "ico")["events"]
    assert [each["kind"] for each in events][-2:] == ["order.ended", "case.ended"]
    assert "case.ended" in suspended.run("case", "timeline", "ico", as_json=False)
    (case,) = suspended.run("case", "list")["cases"]
    assert case["standing"] == "lifted"


def test_a_window_of_creation_is_said_with_its_dates(suspended: Terminal) -> None:
    window = ("--area", "EU", "--created-from", "2024-05-07", "--created-before", "2024-08-02")
    said = suspended.run("suspend", "--case", "eu", *window, *REFERENCE, as_json=False)
    words = "EU; created from 2024-05-07, before 2024-08-02"
    assert said.splitlines()[0].endswith(f": {words}.")
    assert words in suspended.run("order", "list", as_json=False)
    assert words in suspended.run("order", "show", "eu.1", as_json=False)
    assert words in suspended.run("case", "show", "eu", as_json=False)


def test_what_takes_two_people_ends_with_3_for_the_first(suspended: Terminal) -> None:
    words = ("case", "narrow", "ico", "--area", "UK", "--category", "post", *REFERENCE)
    assert "the review has not begun; condition `window`" in suspended.fails("case-not-ready", *words, *BY)["message"]
    suspended.run("case", "review", "ico", *BY)
    suspended.run("case", "condition", "meet", "ico", "window", written(suspended, "e.txt", "evidence"), *BY)
    assert not suspended.run(*words, *BY, status=3)["done"]
    assert "another person" in suspended.run("case", "withdraw", "ico", *REFERENCE, *BY, status=3, as_json=False)
    assert suspended.run(*words, "--by", "ben", status=3)["in_the_way"] == [
        "notice `n-1` was not served since narrowing was approved"
    ]
    again = suspended.run(*words, "--by", "ben", status=3, as_json=False)
    assert "Agreed by ann, ben. Say it again when this is done:\n  - notice `n-1` was not served" in again
    suspended.run("notice", "serve", "n-1", "--person", "ada")
    assert suspended.run(*words, "--by", "ben")["orders"] == ["ico.2"]
    assert suspended.run("case", "show", "ico")["standing"] == "narrowed"
    assert "narrowed" in suspended.run("case", "list", as_json=False)
    suspended.run("case", "withdraw", "ico", *REFERENCE, *BY, status=3)
    suspended.run("case", "withdraw", "ico", "--reference", "another letter", "--by", "ben", status=3)
    done = suspended.run("case", "withdraw", "ico", *REFERENCE, "--by", "ben")
    assert done == {"case": "ico", "done": True, "by": ["ann", "ben"], "orders": [], "in_the_way": []}


def test_a_check_and_its_words(suspended: Terminal) -> None:
    add = ("case", "condition", "add", "ico")
    named = ("--title", "x", "--owner", "legal", *DUE, "--policy", "september-2024", *BY)
    assert suspended.run(*add, "minors", *named, "--check", "no-minors")["met"]
    window = ("--parameter", "from=2024-05-07", "--parameter", "before=2024-08-02")
    assert suspended.run(*add, "dates", *named, "--check", "date-window", *window)["met"]
    suspended.fails("case-check-parameters", *add, "days", *named, "--check", "waiting-days", "--parameter", "ten")
    suspended.run(*add, "days", *named, "--check", "who-knows", status=2)
    shown = suspended.run("case", "show", "ico", as_json=False)
    assert "check date-window from=2024-05-07 before=2024-08-02" in " ".join(shown.split())
    reopen = ("case", "condition", "reopen", "ico", "window", *BY)
    suspended.run(*reopen, status=2)
    suspended.fails("case-text", *reopen, "--reason", " ")
    assert suspended.run(*reopen, "--reason", "two weeks are missing")["reason"] == "two weeks are missing"
    (said,) = [each for each in suspended.run("case", "timeline", "ico")["events"] if each["kind"].endswith("reopened")]
    assert said["body"]["reason"] == "two weeks are missing"
    assert "two weeks are missing" in " ".join(suspended.run("case", "timeline", "ico", as_json=False).split())


def test_a_condition_that_is_overdue_is_pointed_out_until_there_is_evidence(suspended: Terminal) -> None:
    (suspended.folder / "evidence.txt").write_text("a form of two steps", "utf-8")
    add = ("case", "condition", "add", "ico", "form", "--title", "a simpler form", "--owner", "product")
    suspended.run(*add, *BY, status=2)
    text = suspended.run(*add, "--due", "2024-09-18", *BY, as_json=False)
    assert "Condition form was due 2024-09-18, which is over." in text
    later = ("case", "condition", "add", "ico", "later", "--title", "x", "--owner", "product", "--due", "2999-01-01")
    assert "is over" not in suspended.run(*later, *BY, as_json=False)
    assert "a simpler form" in suspended.run("doctor", as_json=False)
    suspended.run("case", "condition", "meet", "ico", "form", suspended.folder / "evidence.txt", *BY)
    assert "a simpler form" not in suspended.run("doctor", as_json=False)


def test_reports_are_written_as_text_and_as_canonical_json(suspended: Terminal) -> None:
    suspended.run("case", "report", "schedule", "ico", "first", "--title", "Five months", "--due", "2024-09-18", *BY)
    assert suspended.run("case", "list")["cases"][0]["overdue_reports"] == ["first"]
    assert "OVERDUE" in suspended.run("case", "show", "ico", as_json=False)
    assert "first" in suspended.run("doctor", as_json=False)
    target = suspended.folder / "r.json"
    made = suspended.run("case", "report", "write", "ico", "first", "--output", target)
    body: dict[str, Any] = json.loads(target.read_bytes())
    assert body["position"] == made["position"]
    text = suspended.run("case", "report", "write", "ico", "first", as_json=False)
    assert text.startswith("# Five months")
    done = suspended.run("case", "report", "deliver", "ico", "first", "--position", made["position"], *BY)
    assert done["document"] == made["document"]
    assert "delivered" in suspended.run("case", "show", "ico", as_json=False)
    suspended.fails("case-report-position", "case", "report", "write", "ico", "first", "--position", 10**6)


def test_a_review_that_begins_before_anything_is_suspended_is_said_to(ready: Terminal) -> None:
    ready.run("case", "open", "dpc", "--title", "x", *REFERENCE, *BY)
    text = " ".join(ready.run("case", "review", "dpc", *BY, as_json=False).split())
    assert "Nothing is suspended under it yet: it stands at `concern raised`." in text
    assert ready.run("case", "show", "dpc")["standing"] == "concern-raised"
    ready.run("case", "open", "ico", "--title", "x", *REFERENCE, *BY)
    ready.run("suspend", "--case", "ico", "--area", "UK", *REFERENCE)
    assert "Case ico is under review." in ready.run("case", "review", "ico", *BY, as_json=False)


def test_an_order_that_no_job_read_was_drained_at_once_wherever_that_is_told(suspended: Terminal) -> None:
    for words in (("order", "list"), ("order", "show", "ico.1"), ("case", "timeline", "ico")):
        text = " ".join(suspended.run(*words, as_json=False).split())
        assert "at once, no job read it" in text, words
        assert "after 0." not in text, words


def test_a_case_can_be_opened_first_and_prohibited(ready: Terminal) -> None:
    assert "No cases" in ready.run("case", "list", as_json=False)
    ready.run("case", "open", "dpc", "--title", "x", *REFERENCE, *BY)
    ready.fails("case-known", "case", "open", "dpc", "--title", "x", *REFERENCE, *BY)
    ready.fails("case-handle", "case", "open", "other", "--title", "x", *REFERENCE, "--by", "Ann Smith")
    ready.fails("case-unknown", "case", "show", "nobody-knows")
    ready.run("case", "prohibit", "dpc", "--yes", *REFERENCE, *BY)
    assert "prohibited" in ready.run("case", "show", "dpc", as_json=False)


def test_notices(ready: Terminal) -> None:
    ids = written(ready, "ids.txt", "ada\nbö\nada\n")
    text = written(ready, "n.txt", "We would like to use your posts.")
    assert not ready.run("notice", "serve", "n-1", ids)["written"]
    assert "Nobody wrote the text" in ready.run("notice", "serve", "n-1", "--person", "ada", as_json=False)
    ready.fails("notice-time-to-come", "notice", "serve", "n-1", ids, "--at", "2999-01-01")
    ready.run("notice", "serve", "n-1", status=2)
    ready.run("notice", "serve", "n-1", ids, "--person", "ada", status=2)
    listed = ready.run("notice", "list", as_json=False)
    assert "unwritten" in listed
    assert "people, each time counted" in " ".join(listed.split())
    wording = ("--language", "en", "--language", "cy", "--channel", "in-app", "--audience", "everybody")
    assert ready.run("notice", "write", "n-1", text, *wording)["version"] == 1
    assert "We would like to" in ready.run("notice", "show", "n-1", "--text", as_json=False)
    assert [each["people"] for each in ready.run("notice", "show", "n-1")["servings"]] == [2, 1]
    welsh = written(ready, "cy.txt", "Hoffem ddefnyddio eich negeseuon.")
    made = ready.run("notice", "write", "n-1", text, *wording[:2], *wording[4:], "--also", f"cy={welsh}")
    assert [each["languages"] for each in made["texts"]] == [["en"], ["cy"]]
    assert list(ready.run("notice", "show", "n-1", "--text")["newest_texts"]) == ["en", "cy"]
    shown = ready.run("notice", "show", "n-1", "--text", as_json=False)
    assert shown.index("en:") < shown.index("We would like to") < shown.index("cy:") < shown.index("Hoffem")
    ready.run("notice", "write", "n-1", text, *wording, "--also", "cy", status=2)
    ready.run("notice", "write", "n-1", text, *wording, "--also", "fr=nowhere.txt", status=2)
    ready.fails("notice-language-twice", "notice", "write", "n-1", text, *wording, "--also", f"cy={welsh}")
    twice = ("--also", f"fr={welsh}", "--also", f"fr={welsh}")
    ready.fails("notice-language-twice", "notice", "write", "n-1", text, *wording, *twice)
    ready.run("choice", "record", "ada", "refused")
    assert ready.run("notice", "audience", ids) == {"people": 1, "left_out": 1, "ids": ["bö"]}
    target = ready.folder / "told.txt"
    ready.run("notice", "audience", ids, "--output", target)
    assert target.read_text("utf-8") == "bö\n"


def test_a_policy_set_without_an_assessment_is_flagged_until_one_is_bound(ready: Terminal) -> None:
    document = written(ready, "lia.txt", "why")
    flagged = ready.run("policy", "check", "september-2024")["unassessed"]
    assert flagged == {"september-2024": ["members-outside-europe"]}
    assert "claims legitimate interests" in ready.run("policy", "publish", "september-2024", as_json=False)
    assert "policy september-2024" in ready.run("doctor", as_json=False)
    ready.run("assessment", "bind", "legitimate-interest", document, "--policy", "september-2024", *BY)
    assert ready.run("policy", "check", "september-2024")["unassessed"] == {}
    assert ready.run("policy", "publish", "september-2024")["unassessed"] == []
    assert ready.run("policy", "check", "opt-in-only")["unassessed"] == {}
    assert "in force" in ready.run("assessment", "list", as_json=False)


def test_assessments_of_each_kind_are_bound_and_listed(ready: Terminal) -> None:
    kinds = [str(each) for each in AssessmentKind]
    assert kinds == ["legitimate-interest", "data-protection-impact", "compatibility"]
    assert "No assessments." in ready.run("assessment", "list", as_json=False)
    documents = {kind: written(ready, f"{kind}.txt", f"why: {kind}") for kind in kinds}
    words = ("--policy", "september-2024", *BY)
    bound = [ready.run("assessment", "bind", kind, path, *words) for kind, path in documents.items()]
    listed = ready.run("assessment", "list")["assessments"]
    assert listed == [{**each, "in_force": True} for each in bound]
    assert [each["assessment"] for each in listed] == kinds
    assert [each["document"] for each in listed] == [digest(path.read_bytes()) for path in documents.values()]
    assert_assessments_are_said_to_be(ready, "in force")
    newer = shipped()["september-2024"].replace('version = "2024-09-18.2"', 'version = "2024-09-18.3"')
    ready.run("policy", "publish", written(ready, "newer.toml", newer))
    assert [each["in_force"] for each in ready.run("assessment", "list")["assessments"]] == [False] * len(kinds)
    assert_assessments_are_said_to_be(ready, "another version is in force")
    ready.run("policy", "withdraw", "september-2024")
    assert_assessments_are_said_to_be(ready, "withdrawn")


def assert_assessments_are_said_to_be(terminal: Terminal, standing: str) -> None:
    shown = terminal.run("assessment", "list", as_json=False).splitlines()
    lines = [re.split(r"\s{2,}", line.strip()) for line in shown if "september-2024" in line]
    assert [(line[1], line[3]) for line in lines] == [(str(each), standing) for each in AssessmentKind]


def test_checking_a_file_makes_no_deployment(ready: Terminal) -> None:
    ready.home = ready.folder / "nowhere"
    assert ready.run("policy", "check", "september-2024")["unassessed"]
    assert not ready.home.exists()
