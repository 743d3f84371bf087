"""A ledger has an id of its own, made once and never changed, and knows whose pseudonyms it holds; on both stores."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import Engine

from consentry.errors import ConflictError, IntegrityError
from consentry.ledger import postgres, schema, sqlite
from consentry.ledger.insertion import insert_together
from consentry.ledger.postgres import migrate_postgres, open_postgres
from consentry.ledger.schema import LedgerIdentity, Recognise, anybody
from consentry.ledger.sql import SqlLedger
from consentry.ledger.sqlite import open_sqlite
from ledger.conftest import Place, _database, _within, at
from ledger.sayings import chose

KEY, OTHER_KEY = "a" * 32, "b" * 32


@dataclass(frozen=True)
class Older:
    """A database as the first version left it, with an event in it, and how it is migrated."""

    engine: Engine
    migrate: Callable[[Recognise], None]
    open: Callable[[], SqlLedger]


def first_version(engine: Engine) -> None:
    with engine.begin() as connection:
        config = schema.migrations_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    insert_rows = insert_together if engine.dialect.name == "sqlite" else postgres.insert
    ledger = SqlLedger(engine, clock=at(1_000), insert_rows=insert_rows)
    ledger.append([chose(1)])


@pytest.fixture(params=["sqlite", "postgres"])
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Older]:
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        engine = sqlite._engine(path, 30.0)
        first_version(engine)
        yield Older(
            engine,
            lambda recognise: open_sqlite(path, clock=at(1), recognise=recognise).close(),
            lambda: open_sqlite(path, clock=at(1)),
        )
        engine.dispose()
        return
    server: str = request.getfixturevalue("postgres_url")
    with _database(server, template="template0") as name:
        url = _within(server, name)
        engine = postgres._engine(url, 30.0)
        first_version(engine)
        yield Older(
            engine,
            lambda recognise: migrate_postgres(url, recognise=recognise),
            lambda: open_postgres(url, clock=at(1), replica="none"),
        )
        engine.dispose()


def stranger(_: LedgerIdentity | None) -> None:
    raise ConflictError("ledger-unknown", "this is a stranger", help="none")


def test_an_id_is_128_bits_and_stays(place: Place) -> None:
    first, second = place.open(), place.open()
    found = first.identity()
    assert len(bytes.fromhex(found.ledger)) == 16
    assert found.pseudonym_key is None
    first.append([chose(1)])
    assert second.identity() == place.open().identity() == found


def test_no_two_ledgers_have_one_id(tmp_path: Path, postgres_url: str) -> None:
    ids = set()
    for number in range(3):
        ledger = open_sqlite(tmp_path / f"{number}.db", clock=at(1), create=True)
        ids.add(ledger.identity().ledger)
        ledger.close()
    for _ in range(2):
        with _database(postgres_url, template="template0") as name:
            url = _within(postgres_url, name)
            migrate_postgres(url)
            migrate_postgres(url)
            ledger = open_postgres(url, clock=at(1), replica="none")
            ids.add(ledger.identity().ledger)
            ledger.close()
    assert len(ids) == 5


def test_the_key_is_written_down_once(place: Place) -> None:
    ledger = place.open()
    assert ledger.bind(KEY) == KEY
    assert ledger.bind(OTHER_KEY) == KEY
    assert place.open().identity() == LedgerIdentity(ledger.identity().ledger, KEY)


def test_of_many_who_bind_at_once_one_wins(place: Place) -> None:
    ledgers = [place.open() for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        won = set(pool.map(lambda pair: pair[1].bind(f"{pair[0]:032x}"), enumerate(ledgers)))
    assert len(won) == 1
    assert {ledger.identity().pseudonym_key for ledger in ledgers} == won


def test_a_ledger_of_before_ids_is_given_one_and_keeps_what_was_said(older: Older) -> None:
    older.migrate(anybody)
    ledger = older.open()
    found = ledger.identity()
    assert len(found.ledger) == 32
    assert [event.body for event in ledger.read()] == [chose(1)]
    ledger.close()
    older.migrate(anybody)
    again = older.open()
    assert again.identity() == found
    again.close()


def test_a_ledger_that_is_not_recognised_is_left_as_it_is(older: Older) -> None:
    seen: list[LedgerIdentity | None] = []

    def refuse(found: LedgerIdentity | None) -> None:
        seen.append(found)
        stranger(found)

    with pytest.raises(ConflictError):
        older.migrate(refuse)
    with older.engine.connect() as connection:
        assert schema.revision_of(connection) == "0001"
        assert not inspect(connection).has_table("identity")
    older.migrate(anybody)
    with pytest.raises(ConflictError):
        older.migrate(refuse)
    ledger = older.open()
    assert seen == [None, ledger.identity()]
    ledger.close()


def test_no_tables_are_made_in_a_database_that_is_not_recognised(tmp_path: Path, postgres_url: str) -> None:
    (tmp_path / "other.db").touch()
    with pytest.raises(ConflictError):
        open_sqlite(tmp_path / "other.db", clock=at(1), recognise=stranger)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    with _database(postgres_url, template="template0") as name:
        url = _within(postgres_url, name)
        with pytest.raises(ConflictError):
            migrate_postgres(url, recognise=stranger)
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        assert inspect(engine).get_table_names() == []
        engine.dispose()


def test_a_lost_id_is_noticed(place: Place) -> None:
    ledger = place.open()
    trigger = "identity_delete" if place.store == "sqlite" else "identity_kept ON identity"
    with place.engine.begin() as connection:
        connection.execute(text(f"DROP TRIGGER {trigger}"))
        connection.execute(text("DELETE FROM identity"))
    for attempt in (ledger.identity, place.open, lambda: ledger.bind(KEY)):
        with pytest.raises(IntegrityError) as caught:
            attempt()
        assert caught.value.code == "ledger-id-missing"


def test_a_copy_made_while_it_is_used_has_the_id(tmp_path: Path) -> None:
    path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
    ledger = open_sqlite(path, clock=at(1), create=True)
    ledger.append([chose(1)])
    ledger.bind(KEY)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    restored = open_sqlite(copy, clock=at(1))
    assert restored.identity() == ledger.identity()
    assert [event.body for event in restored.read()] == [chose(1)]
    restored.close()
    ledger.close()
