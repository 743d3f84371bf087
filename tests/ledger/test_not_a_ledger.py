"""What stands where a ledger should be and is none is refused, and nothing is written into it or beside it."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from consentry.errors import ConsentryError, IntegrityError, NotFoundError, StateError
from consentry.ledger import schema, sqlite
from consentry.ledger.postgres import migrate_postgres, open_postgres
from consentry.ledger.sqlite import open_sqlite
from ledger.conftest import _database, _within, at
from ledger.sayings import chose

NONE = "ledger-not-a-ledger"


def database(*statements: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(";".join(statements))

    return write


def versioned(*revisions: str) -> tuple[str, ...]:
    rows = [f"INSERT INTO alembic_version VALUES ('{each}')" for each in revisions]
    return ("CREATE TABLE alembic_version (version_num TEXT)", *rows)


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (Path.touch, NONE),
    "another program's": (database("CREATE TABLE posts (id INTEGER)", "INSERT INTO posts VALUES (1)"), NONE),
    "with a write-ahead log": (database("PRAGMA journal_mode=WAL", "CREATE TABLE posts (id INTEGER)"), NONE),
    "emptied": (database("CREATE TABLE posts (id INTEGER)", "DROP TABLE posts"), NONE),
    "versioned as ours": (database(*versioned("0001")), NONE),
    "versioned as ours are now": (database(*versioned(schema.REVISION)), NONE),
    "versioned otherwise": (database(*versioned("5f3c"), "CREATE TABLE posts (id INTEGER)"), NONE),
    "with two versions": (database(*versioned("1", "2")), NONE),
    "with no version": (database(*versioned()), NONE),
    "our tables without a version": (database("CREATE TABLE head (id)", "CREATE TABLE events (position)"), NONE),
    "a folder": (Path.mkdir, NONE),
    "a pipe": (os.mkfifo, NONE),
    "a link to nowhere": (lambda path: path.symlink_to(path.with_name("unmounted") / "ledger.db"), "ledger-missing"),
    "a link to itself": (lambda path: path.symlink_to(path), "ledger-missing"),
    "a text": (lambda path: path.write_text("no database" * 1_000), "ledger-database-damaged"),
}


def contents(folder: Path) -> dict[str, object]:
    return {
        each.name: (each.readlink() if each.is_symlink() else each.read_bytes() if each.is_file() else each.is_dir())
        for each in folder.iterdir()
    }


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("name", OTHERS)
def test_it_is_refused_and_left_as_it_is(name: str, create: bool, tmp_path: Path) -> None:
    make, code = OTHERS[name]
    path = tmp_path / "ledger.db"
    make(path)
    before = contents(tmp_path)
    with pytest.raises(ConsentryError) as caught:
        open_sqlite(path, clock=at(1), create=create)
    assert caught.value.code == code
    assert str(path) in caught.value.message or code == "ledger-database-damaged" or "alembic" in caught.value.message
    assert contents(tmp_path) == before


def test_a_link_to_a_ledger_is_one(tmp_path: Path) -> None:
    open_sqlite(tmp_path / "kept.db", clock=at(1), create=True).close()
    path = tmp_path / "ledger.db"
    path.symlink_to("kept.db")
    ledger = open_sqlite(path, clock=at(1), create=True)
    ledger.append([chose(1)])
    ledger.close()
    assert path.is_symlink()
    again = open_sqlite(tmp_path / "kept.db", clock=at(1))
    assert again.head() == 1
    again.close()


# One that is made


def test_a_new_ledger_has_its_name_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ledger.db"

    def full(*_: object) -> None:
        assert not path.exists()
        raise OSError(28, "No space left on device")

    for name in ("_migrate", "take_name"):
        with monkeypatch.context() as patch:
            patch.setattr(sqlite, name, full)
            with pytest.raises(OSError, match="No space left"):
                open_sqlite(path, clock=at(1), create=True)
        assert contents(tmp_path) == {}, "what is refused leaves nothing"
    open_sqlite(path, clock=at(1), create=True).close()
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.db"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_a_crash_left_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for name in (".ledger.db.staged", ".ledger.db.staged-journal", ".ledger.db.staged-wal", ".ledger.db.lock"):
        (tmp_path / name).write_bytes(b"half of something")
    ledger = open_sqlite(path, clock=at(1), create=True)
    ledger.append([chose(1)])
    ledger.close()
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.db"]


def test_of_many_who_make_one_all_have_the_same(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"

    def make(number: int) -> str:
        ledger = open_sqlite(path, clock=at(1), create=True)
        try:
            ledger.append([chose(number)])
            return ledger.identity().ledger
        finally:
            ledger.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1
    ledger = open_sqlite(path, clock=at(1))
    assert ledger.head() == 8
    ledger.close()
    assert [each.name for each in tmp_path.iterdir()] == ["ledger.db"]


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_sqlite(tmp_path / "none" / "ledger.db", clock=at(1), create=True)
    with pytest.raises(NotFoundError, match="ledger-missing"):
        open_sqlite(tmp_path / "none" / "ledger.db", clock=at(1))
    assert contents(tmp_path) == {}


# PostgreSQL


@contextmanager
def a_database(server: str, *statements: str) -> Iterator[str]:
    with _database(server, template="template0") as name:
        url = _within(server, name)
        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            for each in statements:
                connection.execute(text(each))
            before = set(inspect(connection).get_table_names())
        yield url
        assert set(inspect(engine).get_table_names()) == before, "nothing was made in it"
        engine.dispose()


@pytest.mark.parametrize("revisions", [("0001",), (schema.REVISION,), ("5f3c",), ("1", "2")])
def test_a_database_that_another_program_migrates(revisions: tuple[str, ...], postgres_url: str) -> None:
    with a_database(postgres_url, *versioned(*revisions), "CREATE TABLE posts (id integer)") as url:
        for attempt in (lambda: open_postgres(url, clock=at(1), replica="none"), lambda: migrate_postgres(url)):
            with pytest.raises(IntegrityError) as caught:
                attempt()
            assert caught.value.code == NONE
            assert "another program" in caught.value.message


def test_a_database_without_a_ledger_says_how_to_make_one_and_is_left_alone(postgres_url: str) -> None:
    for statements in ((), ("CREATE TABLE posts (id integer)",)):
        with a_database(postgres_url, *statements) as url, pytest.raises(StateError) as caught:
            open_postgres(url, clock=at(1), replica="none")
        assert (caught.value.code, caught.value.help) == ("ledger-schema-older", "run `consentry ledger migrate`")


def test_tables_of_another_program_with_our_names_are_left_alone(postgres_url: str) -> None:
    with (
        a_database(postgres_url, "CREATE TABLE events (id integer)") as url,
        pytest.raises(StateError, match="ledger-tables-unusable"),
    ):
        migrate_postgres(url)
