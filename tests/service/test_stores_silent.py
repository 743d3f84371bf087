"""While a store does not answer, nobody is told that they did something wrong, or that something was done."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy.engine import Connection

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.control_plane.amendments import AmendmentVerbs
from consentry.control_plane.own_choices import OwnChoices
from consentry.errors import UnavailableError
from consentry.ledger import outcomes
from consentry.ledger.events import Pseudonym
from consentry.ledger.outcomes import unavailable
from consentry.ledger.sql import SqlLedger
from consentry.policy.choice import Choice
from consentry.service.pages import member_unsaved as unsaved
from consentry.service.pages.member_asked import HALF_SAVED
from consentry.service.problem_words import PROBLEMS, plainly
from consentry.service.problems import LOG
from end_to_end.network import made_once
from end_to_end.test_silent_once_recorded import silent
from service.at_work import in_thread
from service.members import members, one_item, token_for
from service.objectors import GOOD
from service.visitor import PASSWORD, Visitor, signed_in, words

NOBODY_ANSWERS = "A part of this site does not answer at this moment. Nothing was saved: try again in a few minutes."
NOBODY_SHOWS = "A part of this site does not answer at this moment. Look at the page again in a few minutes."
UNKNOWN = "We cannot tell whether this was saved."
CONCERN = {"case": "cnil-1", "reference": "letter", "areas": "FR", "text": "we ask what is used"}
MESSAGE = "It is the second picture."


@dataclass
class Place:
    """A served deployment of members and staff, whose stores can be made silent."""

    home: Path
    deployment: Deployment
    url: str

    def member(self, person: str = "us") -> Visitor:
        visitor = Visitor(self.url)
        assert visitor.get(f"/me/enter?token={token_for(self.deployment, person)}").status_code == 303
        return visitor

    def objection(self) -> tuple[Visitor, str]:
        visitor = Visitor(self.url)
        return visitor, urlsplit(visitor.post("/object", GOOD).headers["location"]).path

    @contextmanager
    def ledger_silent(self) -> Iterator[None]:
        """Have somebody else write into the ledger, who does not end."""
        with closing(sqlite3.connect(self.home / "ledger.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    @contextmanager
    def accounts_silent(self, table: str) -> Iterator[None]:
        """Take a table from the store of accounts."""
        with closing(sqlite3.connect(self.home / "accounts.db", isolation_level=None)) as other:
            other.execute(f"ALTER TABLE {table} RENAME TO away")
            try:
                yield
            finally:
                other.execute(f"ALTER TABLE away RENAME TO {table}")


def filled(folder: Path, deployment: Deployment) -> None:
    members(folder, deployment)
    with deployment.admission() as admission:
        admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password=PASSWORD)
        admission.add("cnil", roles=frozenset({Role.AUTHORITY}), areas=frozenset({"FR"}), password=PASSWORD)


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("CONSENTRY_LEDGER_TIMEOUT_S", "0.2")
    with made_once(filled) as (folder, deployment, _), in_thread(deployment) as ask:
        yield Place(folder / "home", deployment, ask.url)


def outcome_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have whatever is said recorded, and nobody told so."""
    commit = outcomes.commit

    def unconfirmed(connection: Connection) -> None:
        commit(connection)
        raise UnavailableError("ledger-outcome-unknown", "the commit was not confirmed", help="read it, then retry")

    monkeypatch.setattr(outcomes, "commit", unconfirmed)


def is_later(answer: httpx2.Response) -> bool:
    """Say whether an answer tells programs that it is to be asked for again."""
    return (answer.status_code, answer.headers.get("retry-after")) == (503, "1")


def test_an_objector_is_not_told_that_their_objection_is_closed(place: Place) -> None:
    visitor, address = place.objection()
    with place.ledger_silent():
        answer = visitor.post(address, {"message": MESSAGE})
        assert is_later(answer)
        assert NOBODY_ANSWERS in words(answer)
        assert "Nothing can be added here any more" not in words(answer)
        assert MESSAGE in answer.text, "what was typed is kept"
    assert visitor.post(address, {"message": MESSAGE}).status_code == 303
    assert words(visitor.get(address)).count(MESSAGE) == 1
    assert visitor.post(f"{address}/withdraw").status_code == 303
    closed = visitor.post(address, {"message": MESSAGE})
    assert closed.status_code == 422
    assert "Nothing can be added here any more" in words(closed), "the control: this one is closed"


def test_an_objector_is_not_led_on_as_if_it_were_taken_back(place: Place) -> None:
    visitor, address = place.objection()
    with place.ledger_silent():
        answer = visitor.post(f"{address}/withdraw")
        assert is_later(answer)
        assert NOBODY_ANSWERS in words(answer)
    assert "You took it back" not in words(visitor.get(address))
    for _ in range(2):
        assert visitor.post(f"{address}/withdraw").status_code == 303, "said twice it is the same"
    assert "You took it back" in words(visitor.get(address))


def test_an_objector_is_told_what_nobody_knows(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor, address = place.objection()
    outcome_unknown(monkeypatch)
    for answer in (visitor.post(address, {"message": MESSAGE}), visitor.post(f"{address}/withdraw")):
        assert is_later(answer)
        assert UNKNOWN in words(answer)
        assert "Nothing can be added" not in words(answer)


def test_a_good_link_is_not_called_damaged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    address, visitor = f"/me/enter?token={token_for(place.deployment, 'us')}", Visitor(place.url)
    with place.accounts_silent("spent_once"), caplog.at_level(logging.WARNING, LOG.name):
        answer = visitor.get(address)
        assert is_later(answer)
        assert NOBODY_SHOWS in words(answer)
        assert "This link did not work" not in words(answer)
    assert "a link of the platform was refused" not in caplog.text
    assert visitor.get(address).status_code == 303, "it was not used up"
    refused = visitor.get(address.replace("token=", "token=x"))
    assert refused.status_code == 422
    assert "This link did not work" in words(refused), "the control: this one is damaged"


def test_a_member_is_not_told_that_their_no_is_wrong(place: Place) -> None:
    visitor = place.member()
    no = {"purpose": "train-genai", "answer": "no"}
    with place.ledger_silent():
        for more in ({}, {"what": "items", **one_item("u1", 0, "no")}):
            answer = visitor.post("/me/choices", {**no, **more})
            assert is_later(answer)
            assert NOBODY_ANSWERS in words(answer)
            assert re.search(r'value="no"[^>]* checked', answer.text), "what was chosen is kept"
    assert visitor.post("/me/choices", no).status_code == 303
    assert visitor.post("/me/choices", {"purpose": "train-genai"}).status_code == 422, "the control: no answer"


def test_of_a_form_that_was_recorded_in_part_it_says_no_more_than_it_knows(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor, choose = place.member(), OwnChoices.choose
    said: list[int] = []

    def first_alone(self: OwnChoices, person: Pseudonym, choice: Choice) -> int:
        if said:
            raise unavailable("locked")
        said.append(choose(self, person, choice))
        return said[0]

    monkeypatch.setattr(OwnChoices, "choose", first_alone)
    kinds = {"purpose": "train-genai", "what": "kinds", "kind-post": "no", "kind-comment": "no"}
    kinds |= {"reach-kind-post": "everything", "reach-kind-comment": "future"}
    answer = visitor.post("/me/choices", kinds)
    assert is_later(answer)
    assert "A part of it is saved: look at the page again" in words(answer)
    assert "the yes is not" not in words(answer)


def test_nobody_is_told_that_nothing_was_saved_where_it_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger falls silent between a no and the amendments that follow it."""
    member, staff, (_, address) = place.member(), signed_in(place.url, "olga"), place.objection()
    objection = place.deployment.control.objections.follow(address.rpartition("/")[2]).objection.objection

    def silent(_: AmendmentVerbs) -> list[str]:
        raise unavailable("locked")

    monkeypatch.setattr(AmendmentVerbs, "amend", silent)
    forms = [
        (member, "/me/choices", {"purpose": "train-genai", "answer": "no"}),
        (staff, f"/console/objections/{objection}/match-person", {"person": "gb", "reach": "everything"}),
    ]
    for visitor, path, form in forms:
        head = place.deployment.ledger.head()
        answer = visitor.post(path, form)
        assert is_later(answer)
        assert place.deployment.ledger.head() > head
        assert "othing was" not in words(answer), path
        assert UNKNOWN in words(answer), path


def test_a_signal_of_a_browser_keeps_nobody_from_their_page(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    visitor, head = place.member(), place.deployment.ledger.head()
    with place.ledger_silent(), caplog.at_level(logging.WARNING, LOG.name):
        answer = visitor.get("/me", **{"sec-gpc": "1"})
    assert answer.status_code == 200
    assert "Your browser asks that your data is not used" in words(answer)
    assert "we cannot say that it is saved" in words(answer)
    assert "It is saved, and you can change it below" not in words(answer)
    assert "a signal of a browser was not recorded: ledger-unavailable" in caplog.text
    assert place.deployment.ledger.head() == head
    answer = visitor.get("/me", **{"sec-gpc": "1"})
    assert "Saved: you said no" in words(answer)
    assert "It is saved, and you can change it below" in words(answer)


def test_what_an_objector_typed_is_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = Visitor(place.url)
    with place.ledger_silent():
        answer = visitor.post("/object", GOOD)
        assert is_later(answer)
        assert NOBODY_ANSWERS in words(answer)
        assert all(f'value="{each}"' in answer.text or f"{each}</textarea>" in answer.text for each in GOOD.values())
    outcome_unknown(monkeypatch)
    answer = visitor.post("/object", GOOD)
    assert is_later(answer)
    assert f"{UNKNOWN} Send it once more in a few minutes: twice does no harm." in words(answer)


def test_staff_are_not_told_that_what_they_typed_is_wrong(place: Place) -> None:
    visitor = signed_in(place.url, "olga")
    scope = {"areas": "FR", "purposes": "train-genai", "origin": "own-decision", "case": "fr-1", "reference": "x"}
    seen = re.search(r'name="seen" value="([^"]+)"', visitor.post("/console/suspend", {**scope, "step": "look"}).text)
    assert seen is not None
    suspend = {**scope, "step": "suspend", "seen": unescape(seen[1])}
    with place.ledger_silent():
        answer = visitor.post("/console/suspend", suspend)
        assert is_later(answer)
        assert "Nothing was recorded: retry later." in words(answer)
    assert visitor.post("/console/suspend", {**suspend, "reference": ""}).status_code == 422, (
        "the control: no reference"
    )
    assert visitor.post("/console/suspend", suspend).status_code == 303


def test_staff_who_sign_in_are_not_told_that_the_password_is_wrong(place: Place) -> None:
    visitor, form = Visitor(place.url), {"handle": "olga", "password": PASSWORD}
    with place.accounts_silent("sessions"):
        answer = visitor.post("/sign-in", form)
        assert is_later(answer)
        assert "The store of accounts does not answer." in words(answer)
    refused = visitor.post("/sign-in", {**form, "password": "a guess"})
    assert refused.status_code == 422
    assert "The name or the password is wrong. Check both and try again." in words(refused), "whole sentences"
    assert visitor.post("/sign-in", form).status_code == 303


def test_an_authority_is_not_told_that_what_it_typed_is_wrong(place: Place) -> None:
    visitor = signed_in(place.url, "cnil")
    concern = {f"concern-{name}": text for name, text in CONCERN.items()}
    with place.ledger_silent():
        assert is_later(visitor.post("/authority/concern", concern))
    assert visitor.post("/authority/concern", {**concern, "concern-case": ""}).status_code == 422, (
        "the control: no case"
    )
    assert visitor.post("/authority/concern", concern).status_code == 303


@contextmanager
def silent_after(place: Place, *, commits: int = 1) -> Iterator[None]:
    """Have the ledger answer nothing once so many commits were made."""
    ledger = place.deployment.ledger
    assert isinstance(ledger, SqlLedger)
    with silent(ledger, commits=commits):
        yield


def test_nobody_is_told_that_nothing_was_saved_where_the_page_after_it_cannot_be_made(place: Place) -> None:
    member, staff, (objector, address) = place.member(), signed_in(place.url, "olga"), place.objection()
    scope = {"areas": "FR", "purposes": "train-genai", "origin": "own-decision", "case": "fr-1", "reference": "x"}
    seen = re.search(r'name="seen" value="([^"]+)"', staff.post("/console/suspend", {**scope, "step": "look"}).text)
    assert seen is not None
    forms: list[tuple[Visitor, str, dict[str, str]]] = [
        (member, "/me/choices", {"purpose": "train-genai", "answer": "no", "reach": "future"}),
        (objector, address, {"message": MESSAGE}),
        (staff, "/console/suspend", {**scope, "step": "suspend", "seen": unescape(seen[1])}),
    ]
    for visitor, path, form in forms:
        answer = visitor.post(path, form)
        assert answer.status_code == 303
        with silent_after(place, commits=0):
            after = visitor.get(answer.headers["location"])
        assert is_later(after), path
        assert NOBODY_SHOWS in words(after), path
        assert "othing was" not in words(after), path


def test_a_no_is_not_said_to_be_unsaved_where_nothing_can_be_read_after_it(place: Place) -> None:
    member, head = place.member(), place.deployment.ledger.head()
    everything = {"purpose": "train-genai", "answer": "no", "reach": "everything"}
    with silent_after(place):
        answer = member.post("/me/choices", everything)
    assert place.deployment.ledger.head() == head + 1
    assert is_later(answer)
    assert "othing was" not in words(answer)
    assert UNKNOWN in words(answer)
    head = place.deployment.ledger.head()
    with silent_after(place, commits=0):
        answer = place.member("us2").post("/me/choices", everything)
    assert place.deployment.ledger.head() == head
    assert NOBODY_ANSWERS in words(answer), "the control: nothing was"


def test_a_choice_is_saved_though_what_waited_cannot_be_forgotten(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    member, head, forget = place.member(), place.deployment.ledger.head(), unsaved.forget

    def silent_by_then(*given: Any, **more: Any) -> None:
        with place.accounts_silent("kept_once"):
            forget(*given, **more)

    monkeypatch.setattr(unsaved, "forget", silent_by_then)
    answer = member.post("/me/choices", {"purpose": "train-genai", "answer": "no"})
    assert answer.headers["location"] == f"/me?saved={head}"
    assert "Saved: you said no" in words(member.get(answer.headers["location"]))


def test_who_runs_out_of_files_is_told_in_words_and_nothing_of_ours() -> None:
    found = plainly(UnavailableError("system-exhausted", "`x.npy`: too many open files", help="nothing is damaged"))
    assert found == PROBLEMS["ledger-unavailable"]
    assert HALF_SAVED["system-exhausted"] == HALF_SAVED["ledger-unavailable"]
