"""Who did what: every act of staff is there, in words, and nobody is named whose content it is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from consentry.control_plane.acts import _NOT_BY_STAFF, Acts
from consentry.errors import InputError
from consentry.ledger.envelope import Event
from consentry.ledger.events import BODIES
from consentry.ledger.look_up_events import PersonLookedUp
from consentry.ledger.oversight_events import Origin
from consentry.oversight.order import Scope
from consentry.policy.vocabulary import Purpose
from consentry.service.pages.console_acts import _WORDS
from service.at_work import POLICY, said
from service.clients import as_, program
from service.staff import Office, may, office
from service.visitor import words

PERSON, REASON, WRITTEN = "gb", "ticket-of-somebody", "It shows my daughter Zoe"


@pytest.fixture(scope="module")
def place() -> Iterator[Office]:
    with office() as made:
        control = made.deployment.control
        control.cases.open("uk-1", title="Posts of Ann Smith", reference="letter of Ann Smith", by="olga")
        control.orders.suspend(
            Scope(areas=frozenset({"UK"})), case="uk-1", origin=Origin.OWN_DECISION, reference="Ann Smith", by="olga"
        )
        control.cases.begin_review("uk-1", by="petra")
        control.look_ups.look_up(PERSON, reason=REASON, by="sue")
        filed = control.objections.file(WRITTEN, answer_to="zoe@example.org")
        control.objection_queue.take(filed.objection, by="sue")
        made.objection = filed.objection  # type: ignore[attr-defined]
        yield made


def test_it_is_for_those_who_look_after_others(place: Office) -> None:
    assert may(place.statuses("/console/acts")) == {"olga", "petra", "audrey"}


def test_every_act_is_there_with_who_what_and_when(place: Office) -> None:
    rows = place.visitor("audrey").get("/console/acts?sort=position&format=json").json()["acts"]
    found = [(row["by"], row["kind"], row["case"]) for row in rows]
    for act in (
        (["olga"], "case.opened", "uk-1"),
        (["olga"], "order.issued", "uk-1"),
        (["petra"], "case.review-begun", "uk-1"),
        (["sue"], "person.looked-up", None),
        (["sue"], "objection.taken", None),
        (["not said"], "release.sealed", None),
    ):
        assert act in found
    events = {each.position: each.recorded_at for each in place.deployment.control.desk.parts.ledger.read()}
    assert all(row["at"] == events[row["position"]] for row in rows)
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)


def test_nobody_is_named_whose_content_it_is_and_no_text_is_repeated(place: Office) -> None:
    audrey = place.visitor("audrey")
    pseudonym = place.deployment.person(PERSON)
    for form in ("", "&format=json", "&format=csv"):
        text = audrey.get(f"/console/acts?sort=at{form}").text
        for secret in (pseudonym, REASON, "Zoe", "zoe@", "Ann Smith", place.objection):  # type: ignore[attr-defined]
            assert secret not in text, (form, secret)


def test_it_is_searched_narrowed_and_leads_to_the_case(place: Office) -> None:
    audrey = place.visitor("audrey")
    rows = audrey.get("/console/acts?by=petra&format=json").json()["acts"]
    assert [row["kind"] for row in rows] == ["case.review-begun"]
    shown = audrey.get("/console/acts?case=uk-1")
    assert 'href="/console/cases/uk-1"' in shown.text
    assert "The review began" in words(shown)
    assert "Somebody was looked up" not in words(shown).partition("rows")[2]


def test_what_is_said_later_is_added(place: Office) -> None:
    acts = place.deployment.control.acts
    before = acts.every()
    place.deployment.control.notices.write("n", b"text", languages=["en"], channel="m", audience="a", by="petra")
    after = acts.every()
    assert after[: len(before)] == before
    assert [(each.by, each.kind, each.about) for each in after[len(before) :]] == [
        (("petra",), "notice.written", ("n",))
    ]


def test_once_a_person_is_erased_a_start_finds_nothing_of_the_look_up() -> None:
    with office() as own:
        control = own.deployment.control
        control.look_ups.look_up(PERSON, reason=REASON, by="sue")
        assert "person.looked-up" in [each.kind for each in control.acts.every()]
        control.statements.erase([own.deployment.person(PERSON)])
        fresh = type(control.acts)(control.desk)
        assert "person.looked-up" not in [each.kind for each in fresh.every()]


def test_every_kind_of_act_is_said_in_words() -> None:
    kinds = {kind for (kind, _), body in BODIES.items() if not body.PERSONAL or body is PersonLookedUp}
    assert kinds - _NOT_BY_STAFF <= set(_WORDS)
    assert kinds >= _NOT_BY_STAFF
    assert kinds >= set(_WORDS)


def test_an_error_while_reading_leaves_nothing_twice(place: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    acts = Acts(place.deployment.control.desk)
    ledger = acts._desk.parts.ledger
    read = type(ledger).read

    def breaks(*given: Any, **named: Any) -> Iterator[Event]:
        yield from islice(read(*given, **named), 5)
        raise OSError("the disk went away")

    with monkeypatch.context() as broken:
        broken.setattr(type(ledger), "read", breaks)
        with pytest.raises(OSError, match="went away"):
            acts.every()
    found = [each.position for each in acts.every()]
    assert found
    assert len(found) == len(set(found))


def test_it_says_who_built_a_release_however_they_did(place: Office) -> None:
    with as_(place, "mel") as (mel,):
        mel.build_release("network", policy=POLICY)
    with program(place.deployment, place.ask.url) as consentry:
        consentry.build_release("network", policy=POLICY)
    said(place.folder / "home", "release", "build", "network", "--policy", POLICY, "--by", "night-job")
    with pytest.raises(InputError, match="no handle"):
        place.deployment.control.releases.build("network", Purpose.TRAIN_GENAI, policy=POLICY, by="Ann Smith")
    rows = place.visitor("audrey").get("/console/acts?sort=position&format=json").json()["acts"]
    built = [row["by"] for row in rows if row["kind"] == "release.sealed"]
    (first, named, key, night) = built
    assert (first, named, night) == (["not said"], ["mel"], ["night-job"])
    assert key[0].startswith("key-")
