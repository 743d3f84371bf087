"""Whose accounts a database holds: a table with the id of the ledger they go with, compared before anything is written.

A database of before there was a mark is taken as ours if it has tables of ours and no others; in the database of the
ledger, which was recognised before, others are beside them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import Column, Inspector, Integer, MetaData, String, Table, create_engine, insert, inspect, select
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import IntegrityError as UniqueViolation
from sqlalchemy.pool import NullPool

from consentry.errors import IntegrityError

METADATA = MetaData()
_BELONGING = Table(
    "accounts_belonging",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("ledger", String(64), nullable=False),
)
_ONE = 1


def require_ours(url: str, *, ledger: str, tables: Iterable[Table]) -> None:
    """Refuse what is there if it is not of the deployment with this ledger. Nothing is written into it.

    Raises:
        IntegrityError: it belongs to another deployment, or is another program's.
    """
    found = make_url(url)
    if found.get_backend_name() != "sqlite":
        engine = create_engine(url, poolclass=NullPool)
        with engine.connect() as connection:
            _compare(connection, ledger)
        return
    path = Path(str(found.database))
    # One that is empty was begun here, and that was interrupted.
    if path.is_symlink() or path.exists():
        if path.exists() and not path.is_file():
            raise _not_ours(path, "it is no file")
        if not path.exists() or path.stat().st_size:
            _require_file(path, ledger, tables)


def _require_file(path: Path, ledger: str, tables: Iterable[Table]) -> None:
    engine = create_engine("sqlite://", creator=lambda: _plain(path), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            if not _compare(connection, ledger, path=path) and not _all_ours(inspect(connection), tables):
                raise _not_ours(path, "it has tables that are not of accounts")
    except OperationalError:
        raise
    except DatabaseError as error:
        raise _not_ours(path, "it is no database") from error


def mark(engine: Engine, *, ledger: str) -> None:
    """Write down whose it is from now on, and compare if another process was first.

    Raises:
        IntegrityError: that one is of another deployment.
    """
    METADATA.create_all(engine)
    with engine.connect() as connection:
        if _compare(connection, ledger):
            return
    try:
        with engine.begin() as connection:
            connection.execute(insert(_BELONGING).values(id=_ONE, ledger=ledger))
    except UniqueViolation:
        with engine.connect() as connection:
            _compare(connection, ledger)


def _plain(path: Path) -> sqlite3.Connection:
    """Connect without making a write-ahead log of whatever database this is.

    It may write, because after a crash nobody can read a database without repairing it first.
    """
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30)


def _compare(connection: Connection, ledger: str, *, path: Path | None = None) -> bool:
    """Say whether it is marked as that of this ledger; False: it is not marked."""
    if not inspect(connection).has_table(_BELONGING.name):
        return False
    found = connection.execute(select(_BELONGING.c.ledger).where(_BELONGING.c.id == _ONE)).scalar_one_or_none()
    if found is not None and found != ledger:
        raise _not_ours(path, f"it goes with ledger `{found}`")
    return found is not None


def _all_ours(inspector: Inspector, tables: Iterable[Table]) -> bool:
    ours = {each.name: set(each.columns.keys()) for each in (*tables, _BELONGING)}
    return all(
        name in ours and {each["name"] for each in inspector.get_columns(name)} <= ours[name]
        for name in inspector.get_table_names()
    )


def _not_ours(path: Path | None, why: str) -> IntegrityError:
    where = "the database" if path is None else f"`{path}`"
    return IntegrityError(
        "accounts-not-ours",
        f"{where} does not hold the accounts of this deployment: {why}",
        help="restore the accounts that belong to this home from a backup; without them nobody signs in, "
        "and an administrator is made anew once what is there was moved away: consentry account add",
    )
