"""Opens a ledger in PostgreSQL: the production store, with a synchronous replica.

It is opened only on a primary that flushes what it acknowledges and waits for its replica. Measured with an
asynchronous replica, a fail-over lost one acknowledged write in eight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Connection, Engine, make_url

from consentry.errors import MissingExtraError, StateError
from consentry.ledger import schema
from consentry.ledger.group_commit import DEFAULT_WINDOW
from consentry.ledger.sql import WARNINGS, SqlLedger, reported
from consentry.policy.choice import Seconds

Replica = Literal["required", "none"]
"""Whether an acknowledgement has to wait for a synchronous replica. `none` is for trials and tests."""

DEFAULT_TIMEOUT = 30.0
"""Seconds to wait for a connection, and for whoever holds the head."""


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
    return SqlLedger(engine, clock=clock, window=window)


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
    return engine


def _keep_warnings(connection: Any, record: Any) -> None:
    warnings: list[str] = record.info.setdefault(WARNINGS, [])

    def keep(notice: Any) -> None:
        if notice.severity_nonlocalized == "WARNING":
            warnings.append(str(notice.message_primary))

    connection.add_notice_handler(keep)
