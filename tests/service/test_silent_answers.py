"""The ledger, or the store of accounts, falls silent before the answer to a write that is recorded is made."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import httpx2
import pytest

import service.callers as callers
from consentry.accounts.access import Role
from consentry.accounts.web_sql import SqlWebState
from consentry.control_plane.casebook import CaseBook
from consentry.control_plane.cases import CaseVerbs
from consentry.control_plane.lease_reading import LeaseReading
from consentry.control_plane.models import ModelVerbs
from consentry.control_plane.releases import ReleaseVerbs
from consentry.ledger.outcomes import unavailable
from service.at_work import POLICY
from service.callers import Place, choose

place = callers.place
Ask = Callable[[], httpx2.Response]


def opened(place: Place, name: str, *, key: str | None = None) -> httpx2.Response:
    headers = {} if key is None else {"idempotency-key": key}
    body = {"case": name, "title": "t", "reference": "r"}
    return place.officer.post("/v1/cases", json=body, headers=headers)


def reviewed(place: Place) -> Ask:
    assert opened(place, "reviewed").status_code == 201
    return partial(place.officer.post, "/v1/cases/reviewed/review")


def granted(place: Place) -> Ask:
    body = {"release": place.release, "job": "j", "model": "m", "nonce": "n"}
    return partial(place.program.post, "/v1/leases", json=body)


def built(place: Place) -> Ask:
    with place.deployment.admission() as admission:
        _, key = admission.add_key("trainer", roles=frozenset({Role.ML_ENGINEER}), by="olga")
    shown = {"authorization": f"Bearer {key}"}
    return partial(place.program.post, "/v1/releases", json={"corpus": "network", "policy": POLICY}, headers=shown)


def remedied(place: Place) -> Ask:
    place.deployment.control.models.register("m-1", releases=[place.release])
    assert choose(place, "us", reach="everything").status_code == 201
    return partial(place.officer.post, "/v1/models/m-1/remedy", json={"remedy": "retrain"})


SHAPED: dict[str, tuple[Callable[[Place], Ask], Any, str]] = {
    "case opened": (lambda place: partial(opened, place, "opened"), CaseVerbs, "register_of"),
    "step of a case": (reviewed, CaseVerbs, "register_of"),
    "lease": (granted, LeaseReading, "described"),
    "release": (built, ReleaseVerbs, "open"),
    "model": (remedied, ModelVerbs, "show"),
}


@pytest.mark.parametrize("what", SHAPED)
def test_what_is_recorded_is_said_to_be_where_its_answer_cannot_be_made(
    place: Place, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, owner, name = SHAPED[what]
    ask, ledger = made(place), place.deployment.ledger

    def silent(*_: Any, **__: Any) -> None:
        raise unavailable("locked")

    head = ledger.head()
    monkeypatch.setattr(owner, name, silent)
    answer = ask()
    assert ledger.head() == head + 1
    assert (answer.status_code, answer.json()["code"]) == (503, "ledger-outcome-unknown")
    assert answer.json()["title"].startswith("it is recorded, but ")
    assert "nothing was recorded" not in answer.text


def test_an_answer_that_cannot_be_made_keeps_its_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: Any, **__: Any) -> None:
        raise unavailable("locked")

    with monkeypatch.context() as patch:
        patch.setattr(CaseVerbs, "register_of", silent)
        assert opened(place, "kept", key="c-1").json()["code"] == "ledger-outcome-unknown"
    assert opened(place, "kept", key="c-1").json()["code"] == "idempotency-running"
    with monkeypatch.context() as patch:
        patch.setattr(CaseBook, "known", silent)
        patch.setattr(CaseVerbs, "open", silent)
        assert opened(place, "not-kept", key="c-2").json()["code"] == "ledger-unavailable"
    assert opened(place, "not-kept", key="c-2").status_code == 201, "the control: nothing was recorded, so it is done"


def test_what_is_done_is_answered_though_that_cannot_be_noted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    home, finish = place.deployment.settings.home, SqlWebState.finish

    def silent(*given: Any, **more: Any) -> None:
        with closing(sqlite3.connect(home / "accounts.db", isolation_level=None)) as other:
            other.execute("ALTER TABLE kept_answers RENAME TO away")
            try:
                finish(*given, **more)
            finally:
                other.execute("ALTER TABLE away RENAME TO kept_answers")

    head = place.deployment.ledger.head()
    with monkeypatch.context() as patch:
        patch.setattr(SqlWebState, "finish", silent)
        answer = choose(place, "gb", key="n-1")
    assert (answer.status_code, answer.json()["positions"]) == (201, [head])
    again = choose(place, "gb", key="n-1")
    assert (again.status_code, again.json()["code"]) == (409, "idempotency-running")
    assert place.deployment.ledger.head() == head + 1, "it is done once"
