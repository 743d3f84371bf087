"""Whoever spreads load is told that requests cannot be answered, why, and when they can again; and so is the log."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from consentry.bootstrap import Deployment, open_deployment
from consentry.service import readiness
from service.at_work import Caller, in_thread, until

PATIENCE_S = 20


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Deployment, Caller]]:
    monkeypatch.setattr(readiness, "LOOK_EVERY_S", 0.05)
    monkeypatch.setenv("CONSENTRY_LEDGER_TIMEOUT_S", "1")
    home = tmp_path / "home"
    with closing(open_deployment(home, embedded=True)) as deployment, in_thread(deployment) as ask:
        assert comes(ask, status=200) == "ready"
        yield home, deployment, ask


def ready(ask: Caller) -> tuple[int, str]:
    answer = httpx2.get(f"{ask.url}/readyz", timeout=30)
    found: dict[str, Any] = answer.json()
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"]
        assert ask.url not in answer.text
    return answer.status_code, found.get("code") or found["status"]


def warned(ask: Caller) -> list[str]:
    return [each["code"] for each in httpx2.get(f"{ask.url}/readyz").json()["warnings"]]


def comes(ask: Caller, *, status: int) -> str:
    """Return what is said with a status, as soon as it is."""
    until(lambda: ready(ask)[0] == status, PATIENCE_S)
    return ready(ask)[1]


def test_a_folder_that_goes_away_makes_it_unready_until_it_is_back(
    place: tuple[Path, Deployment, Caller], caplog: pytest.LogCaptureFixture
) -> None:
    home, _, ask = place
    with caplog.at_level(logging.WARNING, logger="consentry.service"):
        home.rename(home.with_name("elsewhere"))
        assert comes(ask, status=503) == "home-unusable"
        home.mkdir()
        time.sleep(0.2)
        assert ready(ask) == (503, "home-unusable"), "an empty folder is not the home"
        home.rmdir()
        home.with_name("elsewhere").rename(home)
        assert comes(ask, status=200) == "ready"
    told = [each.getMessage() for each in caplog.records if "requests" in each.getMessage()]
    assert len(told) == 2, told
    assert told[0].startswith("requests cannot be answered: the folder of the deployment is gone")
    assert told[1].startswith("requests can be answered again, after ")
    assert str(home) not in caplog.text
    assert not list(home.glob(".ready*")), "nothing is left of looking"


def test_a_folder_that_nothing_can_be_written_to_makes_it_unready(place: tuple[Path, Deployment, Caller]) -> None:
    home, _, ask = place
    probe = home / f".ready-{os.getpid()}"
    probe.mkdir()
    assert comes(ask, status=503) == "home-unusable"
    probe.rmdir()
    assert comes(ask, status=200) == "ready"


def test_a_ledger_that_cannot_be_written_to_makes_it_unready(place: tuple[Path, Deployment, Caller]) -> None:
    home, _, ask = place
    with closing(sqlite3.connect(home / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert comes(ask, status=503) == "ledger-unavailable"
        other.execute("ROLLBACK")
    assert comes(ask, status=200) == "ready"


def test_accounts_that_cannot_be_read_make_it_unready(place: tuple[Path, Deployment, Caller]) -> None:
    home, _, ask = place
    with closing(sqlite3.connect(home / "accounts.db", isolation_level=None)) as other:
        (name,) = other.execute("SELECT name FROM sqlite_master WHERE name LIKE '%key%' AND type = 'table'").fetchone()
        other.execute(f"ALTER TABLE {name} RENAME TO away")
        assert comes(ask, status=503) == "accounts-unavailable"
        other.execute(f"ALTER TABLE away RENAME TO {name}")
    assert comes(ask, status=200) == "ready"


def test_a_key_that_is_gone_or_another_is_a_warning_because_what_runs_has_its_own(
    place: tuple[Path, Deployment, Caller],
) -> None:
    home, _, ask = place
    for name, of_another in (
        ("pseudonym.key", "key-of-another-deployment"),
        ("signing.key", "signing-key-of-another-deployment"),
    ):
        path = home / "keys" / name
        key = path.read_bytes()
        path.unlink()
        until(lambda: warned(ask) == ["key-missing"], PATIENCE_S)
        path.write_bytes(bytes(32))
        until(lambda code=of_another: warned(ask) == [code], PATIENCE_S)  # type: ignore[misc]
        path.write_bytes(key[:5])
        until(lambda: warned(ask) == ["key-damaged"], PATIENCE_S)
        path.write_bytes(key)
        until(lambda: warned(ask) == [], PATIENCE_S)
    assert ready(ask) == (200, "ready")


def test_what_was_seen_is_remembered_for_a_moment(
    place: tuple[Path, Deployment, Caller], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, deployment, _ = place
    with deployment.admission() as admission:
        looks = readiness.Readiness(deployment, admission)
        monkeypatch.setattr(readiness, "LOOK_EVERY_S", 60.0)
        seen = looks.look(trouble=None)
        head = deployment.control.cases.open("one", title="About", reference="x", by="olga").position
        assert looks.look(trouble=None) == seen
        assert seen.position <= head
        monkeypatch.setattr(readiness, "LOOK_EVERY_S", 0.0)
        assert looks.look(trouble=None).position == head + 1
