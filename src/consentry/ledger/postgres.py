"""Opens a ledger in PostgreSQL: the production store, with a synchronous replica.

It is opened only on a primary that flushes what it acknowledges and waits for its replica. Measured with an
asynchronous replica, a fail-over lost one acknowledged write in eight.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

from sqlalchemy import Table, create_engine, event, text
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from consentry.errors import MissingExtraError, StateError
from consentry.ledger import schema
from consentry.ledger.group_commit import DEFAULT_WINDOW
from consentry.ledger.insertion import Rows, columns, insertion
from consentry.ledger.outcomes import WARNINGS, reported, unavailable
from consentry.ledger.sql import SqlLedger
from consentry.policy.choice import Seconds

Replica = Literal["required", "none"]
"""Whether an acknowledgement has to wait for a synchronous replica. `none` is for trials and tests."""

DEFAULT_TIMEOUT = 30.0
"""Seconds to wait for a connection, and for whoever holds the head."""
_HEAD = "SELECT position FROM head"
_WORTH_A_CONNECTION = 10
"""A command asks for the head a few times, a server before every decision."""
_WORTH_A_COPY = 4
"""From so many rows on, COPY takes less time than INSERT; of hundreds it takes a fifth."""


def open_postgres(
    url: str,
    *,
    clock: Callable[[], Seconds],
    replica: Replica = "required",
    recognise: schema.Recognise = schema.anybody,
    window: float = DEFAULT_WINDOW,
    timeout: float = DEFAULT_TIMEOUT,
) -> SqlLedger:
    """Open the ledger at `url`, if the server keeps what it acknowledges and the tables are of this version.

    Raises:
        StateError: the server is unsafe, or the tables are missing, older or newer.
        ConsentryError: what `recognise` raises.
        UnavailableError: it does not answer.
    """
    engine = _engine(url, timeout)
    try:
        with reported(), engine.connect() as connection:
            require_durable(connection, replica=replica)
            schema.require_current(connection)
            recognise(schema.identity_of(connection))
    except BaseException:
        engine.dispose()
        raise
    look = Look(engine)
    return SqlLedger(engine, clock=clock, insert_rows=insert, window=window, look=look, closing=look.close)


class Look:
    """Looks at the head over a connection of its own: one way to the server and back.

    One of the pool is asked first whether it is still there, begins a transaction and ends it: that is four. Whenever
    it cannot be asked, or is being asked by somebody else, this says nothing, and the pool finds out what is wrong.
    Only where no connection comes about it says so itself: the pool would wait for one as long again.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._mutex = threading.Lock()
        self._driver_error = engine.dialect.loaded_dbapi.Error
        self._errors = (SQLAlchemyError, self._driver_error)
        self._connection: Any = None
        self._asked = 0

    def __call__(self) -> int | None:
        """Return the head, with all that was committed before this call; None: ask over the pool.

        Raises:
            UnavailableError: the server is away.
        """
        if not self._mutex.acquire(blocking=False):
            return None
        try:
            self._asked += 1
            return self._read() if self._asked > _WORTH_A_CONNECTION else None
        except self._errors:
            self._drop()
            return None
        finally:
            self._mutex.release()

    def _read(self) -> int | None:
        if self._connection is None:
            try:
                raw = self._engine.raw_connection()
            except self._driver_error as error:
                raise unavailable(str(error).strip()) from error
            self._connection = raw.driver_connection
            raw.detach()
            # Each question is a transaction of its own, and sees what was committed before it.
            self._connection.autocommit = True
        found = self._connection.execute(_HEAD).fetchone()
        return None if found is None else int(found[0])

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._errors):
                connection.close()

    def close(self) -> None:
        """Let go of the connection."""
        with self._mutex:
            self._drop()
            self._asked = -sys.maxsize


def insert(connection: Connection, table: Table, *, rows: Rows) -> None:
    """Insert rows; many are copied."""
    connection.exec_driver_sql(insertion(table, place="%s"), list(rows))


_COPIES = {insertion(each, place="%s"): f"COPY {columns(each)} FROM STDIN" for each in (schema.EVENTS, schema.PERSONAL)}


def _copy(cursor: Any, statement: str, rows: Rows, _: Any) -> bool:
    """Copy rows instead of inserting them one by one; say whether that was done.

    Called where the driver would be: what goes wrong here is an error of the database like any other.
    """
    copying = _COPIES.get(statement)
    if copying is None or len(rows) < _WORTH_A_COPY:
        return False
    with cursor.copy(copying) as copy:
        for row in rows:
            copy.write_row(row)
    return True


def migrate_postgres(
    url: str, *, recognise: schema.Recognise = schema.anybody, timeout: float = DEFAULT_TIMEOUT
) -> None:
    """Make the tables, or bring them to this version: all of it or nothing.

    Raises:
        ConsentryError: what `recognise` raises; then nothing was migrated.
    """
    engine = _engine(url, timeout)
    try:
        with reported(), engine.begin() as connection:
            # Two who migrate at once: the second finds nothing left to do.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('consentry ledger'))"))
            recognise(schema.identity_of(connection))
            schema.upgrade(connection)
    finally:
        engine.dispose()


def require_durable(connection: Connection, *, replica: Replica) -> None:
    """Refuse a server that could acknowledge an event and lose it."""
    problem = _problem(connection, replica)
    if problem is not None:
        raise StateError(
            "ledger-postgres-unsafe",
            f"PostgreSQL would lose acknowledged events: {problem[0]}",
            help=problem[1],
        )


def _problem(connection: Connection, replica: Replica) -> tuple[str, str] | None:
    if connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
        return "this server is a replica", "connect to the primary"
    for setting in ("fsync", "full_page_writes"):
        if _setting(connection, setting) == "off":
            return f"`{setting}` is off", f"set `{setting} = on` in postgresql.conf"
    commit = _setting(connection, "synchronous_commit")
    weak = ("off",) if replica == "none" else ("off", "local", "remote_write")
    if commit in weak:
        return f"`synchronous_commit` is {commit}", "set `synchronous_commit = on` for this role and database"
    if replica == "required" and not _setting(connection, "synchronous_standby_names"):
        return (
            "no synchronous replica is named",
            "set `synchronous_standby_names`, or for a trial `ledger_replica_required = false` in consentry.toml",
        )
    return None


def _setting(connection: Connection, name: str) -> str:
    return str(connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar_one())


def _engine(url: str, timeout: float) -> Engine:
    try:
        engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={
                "connect_timeout": max(1, round(timeout)),
                "options": f"-c lock_timeout={round(timeout * 1000)}",
                "target_session_attrs": "read-write",
            },
        )
    except ImportError as error:
        raise MissingExtraError(
            "ledger-no-psycopg", "the PostgreSQL driver is not installed", help="install `consentry[postgres]`"
        ) from error
    event.listen(engine, "connect", _keep_warnings)
    event.listen(engine, "do_executemany", _copy)
    return engine


def _keep_warnings(connection: Any, record: Any) -> None:
    warnings: list[str] = record.info.setdefault(WARNINGS, [])

    def keep(notice: Any) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(str(notice.message_primary))

    connection.add_notice_handler(keep)
