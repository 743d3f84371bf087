"""A home whose ledger is in PostgreSQL: the ledger of another is refused, and nothing is made in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from consentry.bootstrap import migrate, open_deployment
from consentry.doctor.finding import State
from consentry.errors import IntegrityError
from consentry.identity import IDENTITY_FILE
from end_to_end.two_homes import KEY, LEDGER, URL, Two, another_key, code_of, finding, refuse
from ledger.conftest import _database, _within, postgres_url  # noqa: F401 - a fixture


@pytest.fixture
def servers(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:  # noqa: F811 - the fixture
    """The addresses of two empty databases."""
    monkeypatch.setenv("CONSENTRY_LEDGER_REPLICA_REQUIRED", "false")
    with _database(postgres_url, template="template0") as one, _database(postgres_url, template="template0") as other:
        urls = [_within(postgres_url, name) for name in (one, other)]
        yield [url.replace("postgresql://", "postgresql+psycopg://") for url in urls]


def test_postgres(tmp_path: Path, servers: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    homes = [tmp_path / "own", tmp_path / "other"]
    for home, url in zip(homes, servers, strict=True):
        monkeypatch.setenv(URL, url)
        migrate(home)
        deployment = open_deployment(home)
        refuse(deployment, "p2")
        deployment.close()
        assert finding(home)[0] is State.OK
    assert code_of(homes[0]) == LEDGER
    assert finding(homes[0])[0] is State.PROBLEM
    (homes[0] / IDENTITY_FILE).unlink()
    assert code_of(homes[0]) == KEY, "the ledger knows whose pseudonyms it holds"
    monkeypatch.setenv(URL, servers[0])
    open_deployment(homes[0]).close()
    (homes[0] / "keys" / "pseudonym.key").write_bytes(os.urandom(32))
    assert code_of(homes[0]) == KEY


def test_a_home_with_a_ledger_makes_no_tables_elsewhere(
    two: Two, servers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy import create_engine, inspect

    monkeypatch.setenv(URL, servers[0])
    with pytest.raises(IntegrityError) as caught:
        migrate(two.own)
    assert caught.value.code == LEDGER
    engine = create_engine(servers[0])
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    migrate(two.own.with_name("new"))
    assert code_of(two.own) == LEDGER


def test_what_the_doctor_cannot_read_it_does_not_call_sound(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL, "postgresql+psycopg://ann:secret@127.0.0.1:1/ledger")
    assert finding(two.own) == (State.MISSING, "not compared: the ledger")
    (two.own / "keys" / "signing.key").unlink()
    assert finding(two.own) == (State.MISSING, "not compared: the ledger, signing.key")
    another_key(two)
    assert finding(two.own)[0] is State.PROBLEM
