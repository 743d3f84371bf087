"""Accounts go with one ledger: another deployment's, or what is none of ours, is refused and left as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from consentry.accounts.access import Role
from consentry.accounts.account import Account
from consentry.accounts.sql import SqlAccounts
from consentry.bootstrap import open_deployment
from consentry.errors import IntegrityError
from consentry.storage import SealedText
from ledger.conftest import postgres_url as postgres_url  # noqa: PLC0414 - a fixture

LEDGER, OTHER = "1" * 32, "2" * 32


def opened(place: Path | str, *, ledger: str = LEDGER) -> SqlAccounts:
    url = place if isinstance(place, str) else f"sqlite:///{place}"
    return SqlAccounts(url, ledger=ledger, sealing=SealedText(bytes(32)))


def begun(place: Path | str, *, ledger: str = LEDGER) -> None:
    store = opened(place, ledger=ledger)
    store.add_account(Account(handle="olga", roles=frozenset({Role.PRIVACY_OFFICER})))
    store.close()


def handles(place: Path | str) -> list[str]:
    store = opened(place)
    found = [each.handle for each in store.accounts()]
    store.close()
    return found


def run(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(";".join(statements))


def with_more(file: Path) -> None:
    begun(file)
    run(file, "DELETE FROM accounts_belonging", "CREATE TABLE x (y)")


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


STRANGE: dict[str, Callable[[Path], object]] = {
    "of another ledger": lambda file: begun(file, ledger=OTHER),
    "another program's": lambda file: run(file, "CREATE TABLE posts (id INTEGER)", "INSERT INTO posts VALUES (1)"),
    "with other accounts": lambda file: run(file, "CREATE TABLE accounts (handle TEXT, balance INTEGER)"),
    "with a write-ahead log": lambda file: run(file, "PRAGMA journal_mode=WAL", "CREATE TABLE posts (id INTEGER)"),
    "ours and more": with_more,
    "a text": lambda file: file.write_text("no database" * 1_000),
    "a folder": Path.mkdir,
}


@pytest.mark.parametrize("make", STRANGE.values(), ids=STRANGE)
def test_what_is_not_ours_is_refused_and_left_as_it_is(tmp_path: Path, make: Callable[[Path], object]) -> None:
    file = tmp_path / "accounts.db"
    make(file)
    before = contents(tmp_path)
    for _ in range(2):
        with pytest.raises(IntegrityError, match="accounts-not-ours"):
            opened(file)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("before", [[], ["DROP TABLE accounts_belonging"], ["DELETE FROM accounts_belonging"]])
def test_accounts_of_before_there_was_a_mark_are_taken_and_marked(tmp_path: Path, before: list[str]) -> None:
    file = tmp_path / "accounts.db"
    begun(file)
    run(file, *before)
    assert handles(file) == ["olga"]
    with pytest.raises(IntegrityError, match="accounts-not-ours"):
        opened(file, ledger=OTHER)
    assert handles(file) == ["olga"]


def test_what_a_crash_left_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "accounts.db").touch()
    assert handles(tmp_path / "accounts.db") == []


def test_a_home_does_not_open_the_accounts_of_another(tmp_path: Path) -> None:
    for name in ("one", "other"):
        deployment = open_deployment(tmp_path / name, embedded=True)
        with deployment.admission() as admission:
            admission.add(name, roles=frozenset({Role.ADMINISTRATOR}), password="")
        deployment.close()
    for each in (tmp_path / "one").glob("accounts.db*"):
        each.unlink()
    (tmp_path / "other" / "accounts.db").rename(tmp_path / "one" / "accounts.db")
    deployment = open_deployment(tmp_path / "one", embedded=True)
    with pytest.raises(IntegrityError, match="accounts-not-ours"), deployment.admission():
        pass
    deployment.close()


def test_beside_a_ledger_in_postgresql(postgres_url: str) -> None:
    """Other tables may be there: the ledger's, which was recognised before."""
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE beside (id INTEGER)"))
    begun(postgres_url)
    assert handles(postgres_url) == ["olga"]
    with pytest.raises(IntegrityError, match="accounts-not-ours"):
        opened(postgres_url, ledger=OTHER)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE accounts_belonging"))
    assert handles(postgres_url) == ["olga"]
    engine.dispose()
