"""Where events were lost with the newest ledger members are told, and whoever watches; nothing is guessed."""

from __future__ import annotations

import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from consentry import bootstrap
from consentry.bootstrap import Deployment, open_deployment
from consentry.ledger.events import ChoiceMade, Source
from consentry.policy.choice import Choice
from consentry.policy.library import shipped
from consentry.policy.vocabulary import ChoiceState, Purpose
from end_to_end.network import fresh, write_people
from service.at_work import POLICY, in_thread, once_ready
from service.members import PEOPLE, no, token_for
from service.test_member_stale import whole
from service.visitor import Visitor, words

MISSING = "Something you said may be missing"
NOTHING_SHOWN = "Some of what people said is missing here at this moment"


@pytest.fixture
def place() -> Iterator[tuple[Path, Deployment]]:
    with fresh() as (folder, deployment):
        deployment.control.statements.load_people(write_people(folder / "people", PEOPLE))
        deployment.control.statements.publish(shipped()[POLICY], POLICY)
        yield folder, deployment


def come(deployment: Deployment, url: str, person: str) -> Visitor:
    visitor = Visitor(url)
    assert visitor.get(f"/me/enter?token={token_for(deployment, person)}").status_code == 303
    return visitor


def refuse(deployment: Deployment, person: str) -> int:
    at = deployment.control.desk.parts.clock()
    choice = Choice(purpose=Purpose.TRAIN_GENAI, state=ChoiceState.REFUSED, at=at)
    return deployment.control.own_choices.choose(deployment.person(person), choice)


def copy_of(ledger: Path, copy: Path) -> None:
    with closing(sqlite3.connect(ledger)) as live, closing(sqlite3.connect(copy)) as older:
        live.backup(older)


def put_back(copy: Path, ledger: Path) -> None:
    """Put an older file in the place of the ledger: another one, as whoever has the newer one open may write to it."""
    for name in ("ledger.db-wal", "ledger.db-shm"):
        (ledger.parent / name).unlink(missing_ok=True)
    shutil.copy(copy, copy.with_suffix(".copy"))
    copy.with_suffix(".copy").replace(ledger)


def gone_on(folder: Path, deployment: Deployment, *, losing: str) -> tuple[Deployment, int]:
    """Lose what somebody said last with the newest ledger, go on without it, and return the position."""
    ledger = folder / "home" / "ledger.db"
    copy_of(ledger, folder / "older.db")
    position = refuse(deployment, losing)
    deployment.close()
    put_back(folder / "older.db", ledger)
    bootstrap.accept_older(folder / "home", by="olga", reference="disk of 3 May")
    return open_deployment(folder / "home"), position


def test_members_are_told_until_they_say_it_again(place: tuple[Path, Deployment]) -> None:
    deployment, position = gone_on(*place, losing="us")
    with closing(deployment), in_thread(deployment) as ask:
        visitor = come(deployment, ask.url, "us")
        page = visitor.get("/me")
        assert MISSING in words(page)
        assert re.search("What people said here between .+ and .+ was lost", words(page))
        assert "please say it again" in words(page)
        (use,) = visitor.get("/me?format=json").json()["uses"]
        assert use["may_be_missing"]["since"] <= use["may_be_missing"]["until"]
        assert MISSING in words(visitor.get("/me/history"))
        answer = visitor.get(f"/me/receipts/{position}")
        assert answer.status_code == 409
        assert "What you said under this number is lost here" in words(answer)
        assert visitor.get(f"/me/receipts/{position}", accept="application/json").json()["code"] == "choice-lost"
        no(visitor)
        for path in ("/me", "/me/history"):
            assert MISSING not in words(visitor.get(path)), path
        assert visitor.get("/me?format=json").json()["uses"][0]["may_be_missing"] is None
        assert MISSING in words(come(deployment, ask.url, "us2").get("/me")), "nobody can know who had said something"


def test_an_old_page_that_shows_a_lost_no_says_it_again(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    ledger = folder / "home" / "ledger.db"
    copy_of(ledger, folder / "older.db")
    refuse(deployment, "us")
    with in_thread(deployment) as ask:
        page = come(deployment, ask.url, "us").get("/me")
    deployment.close()
    put_back(folder / "older.db", ledger)
    bootstrap.accept_older(folder / "home", by="olga", reference="disk of 3 May")
    with closing(open_deployment(folder / "home")) as again, in_thread(again) as ask:
        visitor = come(again, ask.url, "us")
        head = again.ledger.head()
        form = whole(page)
        assert form["answer"] == "no"
        assert (
            visitor.post("/me/choices", form | {"answer": "yes", "read": "yes"})
            .headers["location"]
            .endswith("unchanged=train-genai")
        ), "it stands at yes: that is nothing new"
        assert visitor.post("/me/choices", form).status_code == 303
        (said,) = [each.body for each in again.ledger.read(head) if isinstance(each.body, ChoiceMade)]
        assert (said.choice.state, said.source) == (ChoiceState.REFUSED, Source.SETTINGS)


def test_whoever_watches_is_told_what_is_lost_and_that_requests_are_answered(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    with in_thread(deployment) as ask:
        assert once_ready(ask.url).json()["warnings"] == []
    deployment, position = gone_on(folder, deployment, losing="us")
    with closing(deployment), in_thread(deployment) as ask:
        answer = once_ready(ask.url)
        assert (answer.status_code, answer.json()["status"]) == (200, "ready"), "what is said again has to be recorded"
        (warned,) = answer.json()["warnings"]
        assert warned["code"] == "ledger-events-lost"
        assert warned["title"] == f"what was said at position `{position}` of the ledger is lost"
        assert "disk of 3 May" not in answer.text, "what staff wrote is theirs"
        assert deployment.person("us") not in answer.text


def test_under_an_older_ledger_nothing_is_shown_and_nothing_is_ready(place: tuple[Path, Deployment]) -> None:
    folder, deployment = place
    ledger = folder / "home" / "ledger.db"
    copy_of(ledger, folder / "older.db")
    refuse(deployment, "us")
    with in_thread(deployment) as ask:
        visitor = come(deployment, ask.url, "us2")
        form = whole(visitor.get("/me"))
        put_back(folder / "older.db", ledger)
        deployment.ledger.close()  # after it: those who watch the ledger connect again within a second
        for path in ("/me", "/me/items", "/me/history", "/me/uses", "/me/check?purpose=train-genai"):
            page = visitor.get(path)
            assert page.status_code == 500, path
            assert NOTHING_SHOWN in words(page)
            assert "accept-older" not in words(page), "that is for those who run it"
        answer = visitor.post("/me/choices", form | {"answer": "no"})
        assert NOTHING_SHOWN in words(answer)
        assert "Nothing was saved" in words(answer)
        deadline = time.monotonic() + 10
        while (ready := httpx2.get(f"{ask.url}/readyz")).status_code == 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (ready.status_code, ready.json()["code"]) == (503, "ledger-older")
        assert ready.headers["content-type"] == "application/problem+json"
        assert httpx2.get(f"{ask.url}/healthz").json() == {"status": "ok"}, "to start it anew would end all leases"
