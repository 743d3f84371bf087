"""Opens a ledger in a SQLite file: the embedded default, one writer at a time, on a local disk.

`WAL` with `synchronous=FULL` flushes every commit. The popular `synchronous=NORMAL` does not: after a power cut it has
forgotten refusals it had acknowledged. `secure_delete` overwrites what erasure deletes.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

from consentry.durable import only_one, take_name
from consentry.errors import IntegrityError, NotFoundError, StateError
from consentry.ledger import schema
from consentry.ledger.group_commit import DEFAULT_WINDOW
from consentry.ledger.insertion import insert_together
from consentry.ledger.outcomes import reported, unavailable
from consentry.ledger.sql import WRITING, SqlLedger
from consentry.policy.choice import Seconds

DEFAULT_TIMEOUT = 30.0
"""Seconds to wait for whoever holds the head."""
_HEAD = "SELECT position FROM head"


def open_sqlite(
    path: Path,
    *,
    clock: Callable[[], Seconds],
    create: bool = False,
    recognise: schema.Recognise = schema.anybody,
    window: float = DEFAULT_WINDOW,
    timeout: float = DEFAULT_TIMEOUT,
) -> SqlLedger:
    """Open the ledger at `path` and migrate it if it is older. A missing one is made only if `create` says so.

    Raises:
        ConsentryError: what `recognise` raises; then nothing was migrated.
        NotFoundError: there is no ledger. An empty one in its place would forget every refusal without a word.
        StateError: a newer version wrote it, or the disk cannot hold a write-ahead log.
        IntegrityError: what is there is no database, a damaged one, or somebody else's; nothing was written into it.
    """
    if not path.exists():
        # A link that leads nowhere is a ledger on a disk that is not mounted.
        if not create or path.is_symlink():
            raise NotFoundError(
                "ledger-missing",
                f"there is no ledger at `{path}`",
                help="restore a backup; a home that is to be a new deployment must be empty",
            )
        with reported():
            _make(path, timeout)
    elif not path.is_file():
        raise _not_a_ledger(path, "it is no file")
    engine = _engine(path, timeout)
    try:
        with reported():
            _recognise(path, recognise, timeout)
            _migrate(engine)
        glance = Glance(path)
    except BaseException:
        engine.dispose()
        raise
    return SqlLedger(
        engine,
        clock=clock,
        insert_rows=insert_together,
        window=window,
        glance=glance,
        look=glance,
        closing=glance.close,
    )


class Glance:
    """Looks at the head through a connection of its own, which asks whether anybody committed since: `data_version`.

    That is a look at shared memory. Whenever it would have to wait it says nothing.
    """

    def __init__(self, path: Path) -> None:
        self._mutex = threading.Lock()
        address = f"{path.absolute().as_uri()}?mode=rw"
        try:
            self._connection = sqlite3.connect(
                address, uri=True, timeout=0, check_same_thread=False, isolation_level=None
            )
        except sqlite3.Error as error:
            raise unavailable(str(error)) from error
        self._seen: int | None = None
        self._head: int | None = None

    def __call__(self) -> int | None:
        """Return the head, with all that was committed before this call; None: that takes longer."""
        if not self._mutex.acquire(blocking=False):
            return None
        try:
            # First whether, then what: a commit in between is seen again the next time.
            (seen,) = self._connection.execute("PRAGMA data_version").fetchone()
            if seen != self._seen:
                self._seen, self._head = None, self._read()
                self._seen = seen
            return self._head
        except sqlite3.Error:
            return None
        finally:
            self._mutex.release()

    def _read(self) -> int | None:
        found = self._connection.execute(_HEAD).fetchone()
        return None if found is None else int(found[0])

    def close(self) -> None:
        """Let go of the connection."""
        with self._mutex:
            self._connection.close()


def _engine(path: Path, timeout: float) -> Engine:
    engine = create_engine(URL.create("sqlite", database=str(path.absolute())), connect_args={"timeout": timeout})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise StateError(
            "ledger-no-wal",
            f"the disk of the ledger offers journal mode `{mode}` only",
            help="put the ledger on a local disk: a network file system will not do",
        )
    _flush_always(connection)
    for pragma in ("foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _flush_always(connection: Any) -> None:
    for pragma in ("synchronous=FULL", "fullfsync=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get(WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _make(path: Path, timeout: float) -> None:
    """Make a ledger that has its name only when it is whole.

    So an empty file of that name is none that was begun here. What a crash leaves beside it is made anew.
    """
    staged, lock = path.with_name(f".{path.name}.staged"), path.with_name(f".{path.name}.lock")
    with only_one(lock):  # two homes may be begun at one time with one ledger
        try:
            if not path.exists():
                _sweep(staged)
                staged.touch(mode=0o600)
                _migrate(_plain(staged, timeout))
                engine = _engine(staged, timeout)
                try:
                    # A write-ahead log from here on, and nothing in it yet: it could not be given another name.
                    _migrate(engine)
                finally:
                    engine.dispose()
                take_name(staged, path)
        finally:
            _sweep(staged)
            lock.unlink(missing_ok=True)


def _sweep(staged: Path) -> None:
    for each in ("", "-journal", "-wal", "-shm"):
        staged.with_name(staged.name + each).unlink(missing_ok=True)


def _plain(path: Path, timeout: float) -> Engine:
    """Return what connects without making a write-ahead log of whatever database this is.

    It may write, because after a crash nobody can read a database without repairing it first.
    """

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=timeout, isolation_level=None
        )
        _flush_always(connection)
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _recognise(path: Path, recognise: schema.Recognise, timeout: float) -> None:
    """Refuse what is no ledger, or not the one that is meant, before anything is written into it."""
    with _plain(path, timeout).connect() as connection:
        found = schema.identity_of(connection)
        recognise(found)
        if found is None and schema.revision_of(connection) is None:
            raise _not_a_ledger(path, "it has none of its tables" if path.stat().st_size else "it is empty")


def _not_a_ledger(path: Path, why: str) -> IntegrityError:
    return IntegrityError(
        schema.NOT_A_LEDGER,
        f"`{path}` is no ledger: {why}",
        help="restore the ledger from a backup; if nothing was ever recorded here, move it away and try again",
    )


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        if schema.revision_of(connection) == schema.REVISION:
            return
    with engine.connect().execution_options(**{WRITING: True}) as connection:
        schema.upgrade(connection)
        connection.commit()
