"""Both stores, behind one fixture: every test that asks for `place` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, make_url, text
from sqlalchemy.engine import Engine

from consentry.ledger.postgres import migrate_postgres, open_postgres
from consentry.ledger.sql import SqlLedger
from consentry.ledger.sqlite import open_sqlite
from ledger import postgres_server

URL_VARIABLE = "CONSENTRY_TEST_POSTGRES_URL"
_names = itertools.count()


@dataclass(frozen=True)
class Place:
    """A database that holds a fresh ledger: `open` as often as you like, `engine` to go behind its back."""

    store: str
    address: str
    open: Callable[[], SqlLedger]
    engine: Engine


def at(seconds: int) -> Callable[[], int]:
    """Return a clock that stands still."""
    return lambda: seconds


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a server in which databases may be made: the given one, else one of our own."""
    if given := os.environ.get(URL_VARIABLE):
        yield given
        return
    with ExitStack() as stack:
        try:
            url = stack.enter_context(postgres_server.running())
        except (postgres_server.CannotStartError, OSError) as error:
            if os.environ.get("CI"):
                pytest.fail(f"PostgreSQL does not start: {error}")
            pytest.skip(f"PostgreSQL does not start (or give {URL_VARIABLE}): {error}")
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The name of a database with the tables of a ledger, to copy."""
    with _database(postgres_url, template="template0") as name:
        migrate_postgres(_within(postgres_url, name))
        yield name


@pytest.fixture
def postgres_place(postgres_url: str, postgres_template: str) -> Iterator[Place]:
    """A fresh ledger in PostgreSQL."""
    with _database(postgres_url, template=postgres_template) as name, ExitStack() as stack:
        url = _within(postgres_url, name)
        yield _place("postgres", url, stack, lambda: open_postgres(url, clock=at(1_000), replica="none"))


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Iterator[Place]:
    """A fresh ledger in SQLite."""
    path = tmp_path / "ledger.db"
    open_sqlite(path, clock=at(1_000), create=True).close()
    with ExitStack() as stack:
        yield _place("sqlite", f"sqlite:///{path}", stack, lambda: open_sqlite(path, clock=at(1_000)))


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Place:
    """A fresh ledger in either store."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
def ledger(place: Place) -> SqlLedger:
    """A fresh, open ledger in either store."""
    return place.open()


def _place(store: str, address: str, stack: ExitStack, open_ledger: Callable[[], SqlLedger]) -> Place:
    def opened() -> SqlLedger:
        ledger = open_ledger()
        stack.callback(ledger.close)
        return ledger

    engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    if store == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    stack.callback(engine.dispose)
    return Place(store, address, opened, engine)


def _within(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


@contextmanager
def _database(url: str, *, template: str) -> Iterator[str]:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    name = f"consentry_test_{os.getpid()}_{next(_names)}"
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield name
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()
