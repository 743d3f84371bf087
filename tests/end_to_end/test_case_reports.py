"""Reports to an authority: from the ledger up to a position, the same bytes whenever they are made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.clock import now
from consentry.control_plane.scope_counts import COUNTS
from consentry.corpus.registration import forget_earlier
from consentry.digests import canonical_json, digest
from consentry.doctor.examination import examine
from consentry.errors import ConsentryError
from consentry.ledger.case_events import ReportDelivered
from consentry.oversight.case_report import FIRST_FORMAT, FORMAT, markdown
from consentry.oversight.order import Scope
from consentry.policy.jurisdictions import instant
from consentry.policy.library import shipped
from consentry.policy.vocabulary import Category, Purpose, Reach
from end_to_end.case_steps import CASE, condition, later, ready, suspend
from end_to_end.network import RawItem, fresh, populated, write_corpus, write_people
from end_to_end.suspended_network import ITEMS, PEOPLE, POLICY, build
from end_to_end.test_story import eligible, say

DUE = 1_700_000_000


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with populated([ITEMS[:3], ITEMS[3:]], PEOPLE, POLICY) as (folder, deployment):
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
    # His own, and what somebody elsewhere wrote that involves him.
    assert counts == {"items": 2, "eligible": 2, "refused": 0, "suspended": 0}
    build(deployment)
    suspend(deployment, Scope(areas=frozenset({"BR"})))
    first, second = deployment.control.reports.generate(CASE, "five-months")["releases"]
    assert (first["refused"], second["suspended"]) == (2, 2)
    assert [each["condition"] for each in made["conditions"] if each["met"]] == ["minors"]
    assert made["orders"][0]["drained"]["leases"] == 0
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


WINDOW = Scope(
    areas=frozenset({"UK"}),
    categories=frozenset({Category.POST}),
    created_from=instant("2024-05-07"),
    created_before=instant("2024-08-02"),
)
DATED = (
    RawItem(id="gb-before", author="gb", created=instant("2024-01-01")),
    RawItem(id="gb-within", author="gb", created=instant("2024-06-01")),
    RawItem(id="gb-after", author="gb", created=instant("2024-08-02")),
    RawItem(id="us-within", author="us", created=instant("2024-06-01")),
)


@pytest.fixture
def dated() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.register_corpus(write_corpus(folder, [DATED[:2], DATED[2:]]))
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        yield folder, deployment


def owed(deployment: Deployment) -> None:
    deployment.control.reports.schedule(CASE, "five-months", title="What was done", due=DUE, by="ann")


def counted(deployment: Deployment, position: int | None = None) -> dict[str, tuple[int, ...]]:
    """Return of each release: items in scope, used, left since, kept out by a refusal, by an order, not counted."""
    made = deployment.control.reports.generate(CASE, "five-months", position=position)
    return {each["release"]: tuple(each[name] for name in COUNTS) for each in made["releases"]}


def test_a_window_of_creation_counts_what_lies_in_it(dated: tuple[Path, Deployment]) -> None:
    _, deployment = dated
    before = build(deployment)
    suspend(deployment, WINDOW)
    owed(deployment)
    after = build(deployment)
    assert eligible(deployment, after) == {"gb-before", "gb-after", "us-within"}
    assert counted(deployment) == {before: (1, 1, 0, 0, 0, 0), after: (1, 0, 0, 0, 1, 0)}
    made = deployment.control.reports.generate(CASE, "five-months")
    assert made["format"] == FORMAT
    assert made["orders"][0]["in_words"] == "UK; post; created from 2024-05-07, before 2024-08-02"
    text = markdown(made)
    assert "| UK; post; created from 2024-05-07, before 2024-08-02 |" in text
    assert f"| {after} | {made['releases'][1]['position']} | 1 | 0 | 0 | 0 | 1 | sealed |" in text
    assert deployment.control.orders.what_if(WINDOW)["releases"] == {before: 1}


def test_what_left_a_release_is_not_counted_as_used(dated: tuple[Path, Deployment]) -> None:
    _, deployment = dated
    release = build(deployment)
    suspend(deployment, WINDOW)
    owed(deployment)
    position = deployment.ledger.head()
    said = bytes_of(deployment, position)
    assert counted(deployment) == {release: (1, 1, 0, 0, 0, 0)}
    say(deployment, "gb", reach=Reach.EVERYTHING)
    assert counted(deployment) == {release: (1, 0, 1, 0, 0, 0)}
    assert bytes_of(deployment, position) == said
    assert counted(deployment, position) == {release: (1, 1, 0, 0, 0, 0)}
    assert "| withdrawn since |" in markdown(deployment.control.reports.generate(CASE, "five-months"))


def test_a_report_stays_what_it_was_when_somebody_it_counts_is_erased(dated: tuple[Path, Deployment]) -> None:
    folder, deployment = dated
    say(deployment, "gb")
    release = build(deployment)
    suspend(deployment, WINDOW)
    owed(deployment)
    position = deployment.ledger.head()
    said = bytes_of(deployment, position)
    assert counted(deployment) == {release: (1, 0, 0, 1, 0, 0)}
    deployment.control.statements.erase([deployment.person("gb")])
    assert bytes_of(deployment, position) == said
    assert counted(deployment) == {release: (1, 0, 0, 1, 0, 0)}
    deployment.close()
    again = open_deployment(folder / "home")
    assert bytes_of(again, position) == said
    again.close()
    kept = [path.read_text() for path in (folder / "home" / "report-counts").iterdir()]
    assert kept
    assert not any(deployment.person("gb") in each for each in kept)


def test_an_order_counts_where_it_is_about_the_purpose_and_the_model(dated: tuple[Path, Deployment]) -> None:
    _, deployment = dated
    training = build(deployment)
    control = deployment.control
    suspend(deployment, replace(WINDOW, purposes=frozenset({Purpose.SERVE})))
    owed(deployment)
    assert counted(deployment) == {}
    control.models.register("drafts")
    suspend(deployment, replace(WINDOW, created_before=None, models=frozenset({"drafts"})))
    assert counted(deployment) == {}
    unread = deployment.ledger.head()
    other = Scope(areas=frozenset({"UK"}), purposes=frozenset({Purpose.TRAIN_GENAI}), models=frozenset({"others"}))
    control.models.register("others")
    control.leases.grant(training, job="job-1", model="others")
    assert counted(deployment) == {}
    suspend(deployment, other)
    assert counted(deployment) == {training: (3, 3, 0, 0, 0, 0)}
    assert counted(deployment, unread) == {}


def test_an_order_on_a_base_is_about_what_those_read_that_are_built_on_it(dated: tuple[Path, Deployment]) -> None:
    _, deployment = dated
    control, first = deployment.control, build(deployment)
    control.leases.grant(first, job="job-1", model="root")
    second, unread = build(deployment), build(deployment)
    control.models.register("derived", base="root")
    lease, _ = control.leases.grant(second, job="job-2", model="derived")
    suspend(deployment, replace(WINDOW, created_before=None, models=frozenset({"root"})))
    owed(deployment)
    assert control.leases.standings([lease.lease])[lease.lease].state == "revoked"
    assert {*counted(deployment)} == {first, second}
    control.models.register("whole", base="derived", releases=[unread])
    assert {*counted(deployment)} == {first, second, unread}


def test_of_files_that_were_registered_anew_a_report_says_that_it_cannot_count_them(
    dated: tuple[Path, Deployment],
) -> None:
    folder, deployment = dated
    release = build(deployment)
    suspend(deployment, WINDOW)
    owed(deployment)
    position = deployment.ledger.head()
    deployment.control.statements.register_corpus(write_corpus(folder, [DATED[:1], DATED[2:]]))
    forget_earlier(deployment.control.desk.corpora, "network", wanted=())  # as in a home that was restored in part
    assert counted(deployment, position) == {release: (0, 0, 0, 0, 0, 2)}
    text = markdown(deployment.control.reports.generate(CASE, "five-months"))
    assert "Not counted: 2 items of files that were registered anew since." in text
    # The file of then is back: now they can be counted, and this stands.
    deployment.control.statements.register_corpus(write_corpus(folder, [DATED[:2], DATED[2:]]))
    assert counted(deployment, position) == {release: (1, 1, 0, 0, 0, 0)}


def test_what_was_delivered_in_an_earlier_form_stays_what_it_was(dated: tuple[Path, Deployment]) -> None:
    _, deployment = dated
    build(deployment)
    suspend(deployment, WINDOW)
    owed(deployment)
    control = deployment.control
    position = deployment.ledger.head()
    body = control.reports.generate(CASE, "five-months")
    body["format"] = FIRST_FORMAT
    for each in body["orders"]:
        each["drained"]["jobs"] = each["drained"].pop("leases")
    body["releases"] = [
        {key: value for key, value in each.items() if key not in ("left", "uncounted")} | {"items": 3}
        for each in body["releases"]
    ]
    document = control.desk.parts.objects.put(canonical_json(body))
    said = ReportDelivered(case=CASE, report="five-months", document=document, position=position, by="ann")
    control.reports.book.say(CASE, lambda _: [said], over_too=True)
    assert digest(bytes_of(deployment, position)) == document
    text = markdown(control.reports.generate(CASE, "five-months", position=position))
    assert "In this form of the report a window of creation counts as all dates" in text
    assert "withdrawn since" not in text
    assert control.reports.deliver(CASE, "five-months", position=position, by="ann") == (document, position)
    now_ = control.reports.generate(CASE, "five-months")
    assert (now_["format"], now_["releases"][0]["items"]) == (FORMAT, 1)
    control.reports.deliver(CASE, "five-months", position=None, by="ann")
    delivered = [each.body for each in deployment.ledger.read() if isinstance(each.body, ReportDelivered)]
    kept = [json.loads(control.desk.parts.objects.get(each.document)) for each in delivered]
    assert [each["format"] for each in kept] == [FIRST_FORMAT, FIRST_FORMAT, FORMAT], "the ledger pins the form of each"
