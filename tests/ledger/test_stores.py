"""Opening a store: what is refused at the door, and what a migrated database looks like."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Index, literal_column, text
from sqlalchemy.event import listen

from consentry.errors import IntegrityError, NotFoundError, StateError, UnavailableError
from consentry.ledger import schema
from consentry.ledger.postgres import migrate_postgres, open_postgres
from consentry.ledger.sql import SqlLedger
from consentry.ledger.sqlite import open_sqlite
from ledger import postgres_server
from ledger.conftest import URL_VARIABLE, Place, at
from ledger.sayings import chose, consumed, published
from skips import NOT_OURS, NOT_OURS_TO_STOP

OPEN = schema.EVENTS.c.document.is_not(None)
FEW = OPEN & (schema.EVENTS.c.kind != literal_column("'items.consumed'"))
Index("events_open", schema.EVENTS.c.position, sqlite_where=OPEN, postgresql_where=OPEN)
Index("events_few", schema.EVENTS.c.position, sqlite_where=FEW, postgresql_where=FEW)
"""Described here and not with the tables: naming a partial index imports the dialects of all databases."""


def set_revision(place: Place, revision: str) -> None:
    with place.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})


def test_the_newest_revision_is_the_one_the_code_is_for() -> None:
    assert ScriptDirectory.from_config(schema.migrations_config()).get_current_head() == schema.REVISION


def test_the_migrations_make_the_tables_that_the_code_describes(place: Place) -> None:
    with place.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.METADATA) == []


def plan(place: Place, ledger: SqlLedger, *, consumed: bool) -> str:
    """Return how the store finds open events, as it says itself."""
    asked: list[tuple[str, Any]] = []
    listen(ledger._engine, "before_cursor_execute", lambda *of: asked.append((of[2], of[3])))
    list(ledger.read(only_open=True, consumed=consumed))
    statement, values = next(each for each in asked if "events.document IS NOT NULL" in each[0])
    with place.engine.begin() as connection:
        if place.store == "sqlite":
            return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all())
        connection.exec_driver_sql("ANALYZE events")
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
        return str(connection.exec_driver_sql(f"EXPLAIN {statement}", values).all())


def test_an_index_leads_to_open_events_whatever_jobs_report(place: Place) -> None:
    ledger = place.open()
    ledger.append([chose(number) for number in range(5_000)] + [consumed(number) for number in range(2_000)])
    ledger.append([published("1")])
    assert "events_open" in plan(place, ledger, consumed=True)
    assert "events_few" in plan(place, ledger, consumed=False)


def test_a_ledger_of_newer_code_is_refused(place: Place) -> None:
    set_revision(place, "9999")
    with pytest.raises(StateError) as caught:
        place.open()
    assert caught.value.code == "ledger-schema-newer"
    assert "9999" in caught.value.message


def test_a_missing_ledger_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with pytest.raises(NotFoundError) as caught:
        open_sqlite(path, clock=at(1))
    assert caught.value.code == "ledger-missing"
    assert not path.exists()


def test_creating_keeps_what_is_there_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first = open_sqlite(path, clock=at(1), create=True)
    first.append([chose(1)])
    first.close()
    again = open_sqlite(path, clock=at(1), create=True)
    assert again.head() == 1
    again.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_many_who_open_at_once_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    failures: list[BaseException] = []

    def create() -> None:
        try:
            open_sqlite(path, clock=at(1), create=True).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_sqlite_flushes_every_commit(sqlite_place: Place) -> None:
    ledger = sqlite_place.open()
    with ledger._engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(IntegrityError) as caught:
        open_sqlite(path, clock=at(1))
    assert caught.value.code == "ledger-database-damaged"


def test_a_torn_page_is_noticed(sqlite_place: Place) -> None:
    ledger = sqlite_place.open()
    ledger.append([chose(number) for number in range(2_000)])
    path = Path(str(sqlite_place.engine.url.database))
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    pages = path.stat().st_size // 4096
    with path.open("r+b") as file:
        for page in range(pages // 2, pages // 2 + 20):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    with pytest.raises(IntegrityError):
        list(sqlite_place.open().read())


def test_a_full_disk_acknowledges_nothing(sqlite_place: Place) -> None:
    ledger = sqlite_place.open()
    ledger.append([chose(1)])
    with ledger._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        connection.rollback()
    with pytest.raises(UnavailableError) as caught:
        ledger.append([chose(number) for number in range(5_000)])
    assert caught.value.code == "ledger-unavailable"
    assert "full" in caught.value.message
    assert ledger.head() == 1
    assert len(list(ledger.read())) == 1


def test_a_ledger_that_is_held_too_long_says_so(place: Place) -> None:
    holder = place.open()
    hasty = (
        open_sqlite(Path(str(place.engine.url.database)), clock=at(1), timeout=0.05)
        if place.store == "sqlite"
        else open_postgres(place.address, clock=at(1), replica="none", timeout=0.05)
    )
    with holder.sealing(), pytest.raises(UnavailableError) as caught:
        hasty.append([chose(1)])
    assert caught.value.transient
    assert caught.value.code == "ledger-unavailable"
    assert hasty.append([chose(1)]) == range(1)
    hasty.close()


def test_postgres_needs_its_tables(postgres_place: Place) -> None:
    with postgres_place.engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    with pytest.raises(StateError) as caught:
        postgres_place.open()
    assert caught.value.code == "ledger-schema-older"


def test_migrating_twice_is_migrating_once(postgres_place: Place) -> None:
    ledger = postgres_place.open()
    ledger.append([chose(1)])
    migrate_postgres(postgres_place.address)
    assert ledger.head() == 1


def test_postgres_without_a_replica_is_refused_unless_that_is_said(postgres_place: Place) -> None:
    with pytest.raises(StateError) as caught:
        open_postgres(postgres_place.address, clock=at(1))
    assert caught.value.code == "ledger-postgres-unsafe"
    assert "synchronous_standby_names" in caught.value.help


def test_postgres_that_acknowledges_before_it_flushes_is_refused(postgres_place: Place) -> None:
    name = postgres_place.engine.url.database
    with postgres_place.engine.begin() as connection:
        connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    with pytest.raises(StateError) as caught:
        postgres_place.open()
    assert caught.value.code == "ledger-postgres-unsafe"
    assert "synchronous_commit" in caught.value.message


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(UnavailableError) as caught:
        open_postgres("postgresql://nobody@127.0.0.1:1/none", clock=at(1))
    assert caught.value.code == "ledger-unavailable"
    assert caught.value.transient


@pytest.fixture
def own_server() -> Iterator[str]:
    """A server that the test may spoil."""
    if os.environ.get(URL_VARIABLE):
        pytest.skip(NOT_OURS)
    with postgres_server.running() as url:
        migrate_postgres(url)
        yield url


def configure(url: str, **settings: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in settings.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        connection.execute("SELECT pg_reload_conf()")
    time.sleep(0.2)


@pytest.mark.parametrize("setting", ["full_page_writes"])
def test_postgres_that_may_tear_pages_is_refused(own_server: str, setting: str) -> None:
    configure(own_server, **{setting: "off"})
    with pytest.raises(StateError) as caught:
        open_postgres(own_server, clock=at(1), replica="none")
    assert caught.value.code == "ledger-postgres-unsafe"
    assert setting in caught.value.message


def code_of_an_append(ledger: SqlLedger, url: str, *, meanwhile: str) -> str | None:
    """Let an append wait for a replica until the server does something to it, and return how it is refused."""
    import psycopg

    codes: list[str] = []

    def append() -> None:
        try:
            ledger.append([chose(2)])
        except UnavailableError as error:
            codes.append(error.code)

    thread = threading.Thread(target=append)
    thread.start()
    with psycopg.connect(url, autocommit=True) as connection:
        while thread.is_alive():
            connection.execute(f"SELECT {meanwhile}(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            time.sleep(0.02)
    thread.join()
    return codes[0] if codes else None


def test_a_commit_whose_replica_never_answered_is_not_acknowledged(own_server: str) -> None:
    """The server commits locally, waits for a replica that does not exist, and is told to wait no longer."""
    ledger = open_postgres(own_server, clock=at(1), replica="none")
    ledger.append([chose(1)])
    configure(own_server, synchronous_standby_names="nobody")
    assert code_of_an_append(ledger, own_server, meanwhile="pg_cancel_backend") == "ledger-outcome-unknown"
    assert ledger.head() == 2, "it is there, but was not promised"
    ledger.close()


def test_a_connection_lost_while_committing_is_not_acknowledged(own_server: str) -> None:
    ledger = open_postgres(own_server, clock=at(1), replica="none")
    configure(own_server, synchronous_standby_names="nobody")
    assert code_of_an_append(ledger, own_server, meanwhile="pg_terminate_backend") == "ledger-outcome-unknown"
    configure(own_server, synchronous_standby_names="")
    assert ledger.append([chose(3)])[0] == ledger.head() - 1, "the ledger goes on"
    ledger.close()


def test_the_server_of_the_tests_is_gone_when_they_are() -> None:
    if os.environ.get(URL_VARIABLE):
        pytest.skip(NOT_OURS_TO_STOP)
    with postgres_server.running() as url:
        folder = url.split("host=")[1]
        assert Path(folder, "data", "postmaster.pid").exists()
    assert not Path(folder).exists()
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert folder not in found.stdout
