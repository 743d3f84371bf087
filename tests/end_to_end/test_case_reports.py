"""Reports to an authority: from the ledger up to a position, the same bytes whenever they are made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.clock import now
from consentry.digests import canonical_json, digest
from consentry.doctor.examination import examine
from consentry.errors import ConsentryError
from consentry.oversight.case_report import markdown
from consentry.oversight.order import Scope
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category
from end_to_end.network import fresh, write_corpus, write_people
from end_to_end.test_cases import CASE, condition, later, ready, suspend
from end_to_end.test_story import say
from end_to_end.test_suspending import ITEMS, PEOPLE, POLICY, build

DUE = 1_700_000_000


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, [ITEMS[:3], ITEMS[3:]]))
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        say(deployment, "br")
        build(deployment)
        suspend(deployment)
        deployment.control.conditions.add(condition("minors", check="no-minors"))
        deployment.control.conditions.add(condition("window"))
        deployment.control.reports.schedule(CASE, "five-months", title="What was done", due=DUE, by="ann")
        yield folder, deployment


def bytes_of(deployment: Deployment, position: int | None) -> bytes:
    return canonical_json(deployment.control.reports.generate(CASE, "five-months", position=position))


def test_the_same_position_gives_the_same_bytes_whatever_comes_later(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    position = deployment.ledger.head()
    before = bytes_of(deployment, None)
    assert bytes_of(deployment, position) == before
    deployment.control.conditions.meet(CASE, "window", evidence=b"x", by="ann")
    ready(deployment)
    say(deployment, "gb")
    deployment.control.statements.erase([deployment.person("br")])
    # The policy set that a check looks at is the one of then.
    deployment.control.statements.publish(shipped()["september-2024"].replace("september-2024", POLICY), POLICY)
    build(deployment)
    suspend(deployment, Scope(areas=frozenset({"BR"}), categories=frozenset({Category.POST})))
    later(deployment, days=400)
    assert bytes_of(deployment, position) == before
    deployment.close()
    again = open_deployment(folder / "home")
    assert bytes_of(again, position) == before
    assert bytes_of(again, None) != before
    again.close()


def test_what_a_report_says_and_that_it_names_nobody(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    made = deployment.control.reports.generate(CASE, "five-months")
    (release,) = made["releases"]
    counts = {key: release[key] for key in ("items", "eligible", "refused", "suspended")}
    assert counts == {"items": 1, "eligible": 1, "refused": 0, "suspended": 0}
    build(deployment)
    suspend(deployment, Scope(areas=frozenset({"BR"})))
    first, second = deployment.control.reports.generate(CASE, "five-months")["releases"]
    assert (first["refused"], second["suspended"]) == (2, 1)
    assert [each["condition"] for each in made["conditions"] if each["met"]] == ["minors"]
    assert made["orders"][0]["drained"]["jobs"] == 0
    assert made["personal_events"] == 1
    text = markdown(made)
    assert "| title of minors | met | august-2024 2024-08.2 lets nothing of it through" in text
    for shown in (text, canonical_json(made).decode()):
        assert not any(deployment.person(each.id) in shown for each in PEOPLE if isinstance(each.id, str))


def test_a_bar_in_a_title_does_not_begin_a_column(place: tuple[Path, Deployment]) -> None:
    made = place[1].control.reports.generate(CASE, "five-months")
    made["conditions"][0] |= {"title": "posts | comments", "found": "none | few"}
    (row,) = (line for line in markdown(made).splitlines() if line.startswith("| posts"))
    assert row.replace("\\|", "").count("|") == 4
    assert "posts \\| comments" in row


def test_a_report_is_overdue_until_delivered_also_after_the_case_is_over(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    control = deployment.control
    assert [report.report for _, report in control.reports.overdue(at=now())] == ["five-months"]
    flagged = [each.name for each in examine(folder / "home", at=now())]
    assert {"report five-months", f"policy {POLICY}"} <= set(flagged)
    control.cases.prohibit(CASE, by="ann", reference="x")
    document, position = control.reports.deliver(CASE, "five-months", position=None, by="ann")
    assert digest(bytes_of(deployment, position)) == document
    assert control.desk.parts.objects.get(document) == bytes_of(deployment, position)
    assert control.reports.overdue(at=now()) == []
    assert "report five-months" not in [each.name for each in examine(folder / "home", at=now())]
    control.reports.schedule(CASE, "ten-months", title="What was done since", due=DUE, by="ann")
    assert "report ten-months" in [each.name for each in examine(folder / "home", at=now())]


def test_a_report_that_nobody_owes(place: tuple[Path, Deployment]) -> None:
    _, deployment = place
    control = deployment.control
    (opened,) = [each["position"] for each in control.cases.timeline(CASE) if each["kind"] == "case.opened"]
    for code, call in (
        ("case-report-unknown", lambda: control.reports.generate(CASE, "nobody-knows")),
        ("case-report-unknown", lambda: control.reports.generate(CASE, "five-months", position=opened + 1)),
        ("case-unknown", lambda: control.reports.generate(CASE, "five-months", position=opened)),
        (
            "case-report-position",
            lambda: control.reports.generate(CASE, "five-months", position=deployment.ledger.head() + 1),
        ),
        ("case-report-position", lambda: control.reports.generate(CASE, "five-months", position=0)),
        ("case-report-known", lambda: control.reports.schedule(CASE, "five-months", title="x", due=1, by="ann")),
        ("case-report-name", lambda: control.reports.schedule(CASE, "Five Months", title="x", due=1, by="ann")),
    ):
        with pytest.raises(ConsentryError) as caught:
            call()
        assert caught.value.code == code
