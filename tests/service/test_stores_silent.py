"""While a store does not answer, nobody is told that they did something wrong, or that something was done."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy.engine import Connection

from consentry.accounts.access import Role
from consentry.bootstrap import Deployment
from consentry.errors import UnavailableError
from consentry.ledger import outcomes
from consentry.service.problems import LOG
from end_to_end.network import made_once
from service.at_work import in_thread
from service.members import members, token_for
from service.objectors import GOOD
from service.visitor import PASSWORD, Visitor, words

NOBODY_ANSWERS = "A part of this site does not answer at this moment. Nothing was saved: try again in a few minutes."
UNKNOWN = "We cannot tell whether this was saved."
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
            yield
            other.execute(f"ALTER TABLE away RENAME TO {table}")


def filled(folder: Path, deployment: Deployment) -> None:
    members(folder, deployment)
    with deployment.admission() as admission:
        admission.add("olga", roles=frozenset({Role.PRIVACY_OFFICER}), password=PASSWORD)


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
        assert NOBODY_ANSWERS in words(answer)
        assert "This link did not work" not in words(answer)
    assert "a link of the platform was refused" not in caplog.text
    assert visitor.get(address).status_code == 303, "it was not used up"
    refused = visitor.get(address.replace("token=", "token=x"))
    assert refused.status_code == 422
    assert "This link did not work" in words(refused), "the control: this one is damaged"
