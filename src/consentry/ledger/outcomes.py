"""What came of asking a database: done, or why not, in our own words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import InterfaceError as DriverInterfaceError
from sqlalchemy.exc import InternalError as DriverInternalError

from consentry.errors import IntegrityError, StateError, UnavailableError

WARNINGS = "consentry_warnings"
"""Where a connection keeps the warnings the server sent, in `Connection.info`."""


def commit(connection: Connection) -> None:
    """Make it durable. This is the commit point: an answer that does not come says neither yes nor no."""
    warnings = connection.info.get(WARNINGS, [])
    warnings.clear()
    try:
        connection.commit()
    except DBAPIError as error:
        connection.invalidate()
        raise _unknown(str(error.orig)) from error
    if warnings:
        # "canceling wait for synchronous replication": committed here, perhaps nowhere else.
        raise _unknown("; ".join(warnings))


def _unknown(why: str) -> UnavailableError:
    return UnavailableError(
        "ledger-outcome-unknown",
        f"the commit was not confirmed: {why.strip()}",
        help="these events are in the ledger, or none of them is: read it, then retry what is missing",
    )


@contextmanager
def reported() -> Iterator[None]:
    """Say in our own words that the database does not answer, is damaged, or is not the one we need."""
    try:
        yield
    except DatabaseError as error:
        said = str(error.orig).strip()
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise IntegrityError(
                "ledger-database-damaged", f"the ledger file is damaged: {said}", help="restore it from a backup"
            ) from error
        if code == sqlite3.SQLITE_ERROR or isinstance(error, ProgrammingError):
            raise StateError(
                "ledger-tables-unusable",
                f"the tables of the ledger cannot be used: {said}",
                help="check that this is the right database, and what this role may do in it",
            ) from error
        if isinstance(error, (OperationalError, DriverInternalError)):
            raise (_disk_fails(said) if _is_of_the_disk(code) else unavailable(said)) from error
        raise
    except DriverInterfaceError as error:
        raise unavailable(str(error.orig).strip()) from error


def _is_of_the_disk(code: int | None) -> bool:
    """Say whether SQLite could not write or read: with next to no space left it calls that an error of the disk."""
    return code is not None and code & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _disk_fails(said: str) -> UnavailableError:
    return UnavailableError(
        "ledger-unavailable",
        f"the ledger does not answer: {said}",
        help="nothing was recorded. The disk may be full: free some space where the ledger is, and try again",
    )


def unavailable(said: str) -> UnavailableError:
    """Return the error for a database that does not answer."""
    return UnavailableError(
        "ledger-unavailable", f"the ledger does not answer: {said}", help="nothing was recorded: retry later"
    )
