"""A ledger in SQLite or PostgreSQL: one head row is the lock, one transaction is the commit.

Who appends locks the head row first (SQLite: the whole database, `BEGIN IMMEDIATE`; PostgreSQL: `SELECT … FOR UPDATE`),
reads the position, inserts, moves the head, commits. Neither isolation level nor a sequence could replace the lock: a
serialisable order may put a seal before a refusal that was acknowledged earlier, and a sequence leaves gaps.

| store | durable when | trusted to |
|---|---|---|
| SQLite | the write-ahead log is flushed (`synchronous=FULL`) | keep what it flushed, on a local disk |
| PostgreSQL | primary and synchronous replica have flushed | the same, and to survive the loss of either |

Only `bootstrap` imports this module. All else sees the protocols in `store`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import BindParameter, Select, and_, bindparam, delete, insert, literal_column, or_, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from consentry.errors import ConflictError, ConsentryError, IntegrityError
from consentry.ledger import outcomes
from consentry.ledger.acknowledged import Acknowledged
from consentry.ledger.case_events import Handle
from consentry.ledger.envelope import SALT_BYTES, Draft, Event, Stored, draft, restore
from consentry.ledger.events import Body, PersonErased, Pseudonym, pseudonyms, suppression_token
from consentry.ledger.group_commit import DEFAULT_WINDOW, GroupCommit, Request
from consentry.ledger.insertion import Insert
from consentry.ledger.objection_events import ObjectionErased
from consentry.ledger.outcomes import reported
from consentry.ledger.oversight_events import ItemsConsumed
from consentry.ledger.release_events import Sealing
from consentry.ledger.schema import EVENTS, HEAD, IDENTITY, PERSONAL, PSEUDONYM_KEY, LedgerIdentity, read_identity
from consentry.ledger.store import Check, SealingSession, no_check
from consentry.policy.choice import Seconds

READ_BATCH = 5_000
WRITING = "consentry_writing"
"""The execution option that makes a transaction take SQLite's write lock at once."""

_PARTS = select(
    EVENTS.c.position,
    EVENTS.c.recorded_at,
    EVENTS.c.kind,
    EVENTS.c.version,
    EVENTS.c.commitment,
    PERSONAL.c.salt,
    # Exactly one of the two is set; an event that has both or the wrong one fails its check against the commitment.
    EVENTS.c.document,
    PERSONAL.c.document.label("personal_document"),
).select_from(EVENTS.outerjoin(PERSONAL, EVENTS.c.position == PERSONAL.c.position))
_SLICE = _PARTS.where(EVENTS.c.position >= bindparam("start"), EVENTS.c.position < bindparam("stop")).order_by(
    EVENTS.c.position
)
_OPEN = EVENTS.c.document.is_not(None)
"""Answered from the index `events_open`."""
_FEW = and_(_OPEN, EVENTS.c.kind != literal_column(f"'{ItemsConsumed.KIND}'"))
"""Answered from the index `events_few`: as its condition has the kind, so has this one, and not as a parameter."""
_KINDS: BindParameter[Sequence[str]] = bindparam("kinds", expanding=True)
_PLACES: BindParameter[Sequence[int]] = bindparam("positions", expanding=True)
_PLACED = _PARTS.where(EVENTS.c.position.in_(_PLACES)).order_by(EVENTS.c.position)
_NAMES = or_(PERSONAL.c.person == bindparam("who"), PERSONAL.c.other == bindparam("who"))
_EACH: BindParameter[Sequence[str]] = bindparam("people", expanding=True)
_NAMED = select(PERSONAL.c.position).where(PERSONAL.c.person.in_(_EACH))
_NAMING = _NAMED.union(select(PERSONAL.c.position).where(PERSONAL.c.other.in_(_EACH))).order_by(PERSONAL.c.position)
"""Two indexes, one for each column: with `or` and an order SQLite would go through all events."""
_FORGET = delete(PERSONAL).where(_NAMES)
_ALIKE = select(PERSONAL.c.person).where(PERSONAL.c.other == bindparam("who")).order_by(PERSONAL.c.position)
_HEAD = select(HEAD.c.position)
_LOCK_HEAD = _HEAD.with_for_update()


class SqlLedger:
    """The ledger (`store.Ledger`, `store.PersonalEvents`) in a database whose tables `schema` made."""

    def __init__(
        self,
        engine: Engine,
        *,
        clock: Callable[[], Seconds],
        insert_rows: Insert,
        window: float = DEFAULT_WINDOW,
        glance: Callable[[], int | None] = lambda: None,
        look: Callable[[], int | None] = lambda: None,
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._insert_rows = insert_rows
        self._glance = glance
        self._look = look
        self._closing = closing
        self._clock = clock
        self._group = GroupCommit(self._commit_batch, window=window)
        self.commits = self._group.commits
        self._acknowledged: Acknowledged | None = None

    def note_to(self, acknowledged: Acknowledged) -> None:
        """Have the newest event noted from now on, and let go of the notes when this is closed."""
        self._acknowledged = acknowledged

    def append(self, bodies: Sequence[Body], *, check: Check = no_check) -> range:
        """Append all or nothing; see `store.Ledger`."""
        return self._group.submit(Request(self._drafts(bodies), check))

    def read(
        self,
        start: int = 0,
        stop: int | None = None,
        *,
        only_open: bool = False,
        consumed: bool = True,
        beside: Collection[str] = (),
    ) -> Iterator[Event]:
        """Read the events [`start`, `stop`) in batches, each batch a short transaction of its own."""
        head = self.head()
        end = head if stop is None else min(stop, head)
        if not only_open:
            return self._slices(start, end)
        which = _OPEN if consumed else _FEW
        asked = _SLICE.where(or_(which, EVENTS.c.kind.in_(_KINDS)) if beside else which).limit(READ_BATCH)
        return self._asked(asked, start, end, **({"kinds": tuple(beside)} if beside else {}))

    def at(self, positions: Sequence[int]) -> Iterator[Event]:
        """Read the events at some positions, which ascend; see `store.Ledger`."""
        for first in range(0, len(positions), READ_BATCH):
            asked = positions[first : first + READ_BATCH]
            with reported(), self._engine.connect() as connection:
                rows = connection.execute(_PLACED, {"positions": asked}).all()
            if len(rows) != len(asked):
                raise _gap(asked[0], len(rows), len(asked))
            yield from map(_event, rows)

    def head(self) -> int:
        """Return the number of events."""
        found = self._look()
        if found is not None:
            return found
        with reported(), self._engine.connect() as connection:
            return _position(connection.execute(_HEAD).scalar_one_or_none())

    def glance(self) -> int | None:
        """Return the number of events if that takes no waiting; see `store.Ledger`."""
        return self._glance()

    @contextmanager
    def sealing(self) -> Iterator[SealingSession]:
        """Hold the head; see `store.Ledger`."""
        with self._group.exclusive() as asked, self._holding_head(asked) as session:
            yield session

    def history(self, *people: Pseudonym) -> Iterator[Event]:
        """Read every event that names one of `people`, oldest first."""
        with reported(), self._engine.connect() as connection:
            positions = connection.execute(_NAMING, {"people": people}).scalars().all()
        # Not in one statement: PostgreSQL goes through all events for it as long as it has no statistics of them.
        return iter([each for each in self.at(positions) if not each.erased])

    def erase(self, people: Collection[Pseudonym]) -> range:
        """Erase what names any of `people`; see `store.PersonalEvents`."""
        return self._erase(
            pseudonyms(people),
            lambda person, events: PersonErased(token=suppression_token(person), events=events),
        )

    def forget(self, objections: Collection[str], *, by: Handle) -> range:
        """Erase what was written about objections; see `store.PersonalEvents`."""
        return self._erase(
            pseudonyms(objections), lambda objection, texts: ObjectionErased(objection=objection, texts=texts, by=by)
        )

    def alike(self, beside: str) -> list[str]:
        """Return whose texts are kept beside this; see `store.PersonalEvents`."""
        with reported(), self._engine.connect() as connection:
            return list(dict.fromkeys(connection.execute(_ALIKE, {"who": beside}).scalars()))

    def _erase(self, names: Sequence[str], stays: Callable[[str, int], Body]) -> range:
        with self._group.exclusive() as asked:
            with self._holding_head(asked) as session:
                start = session.position
                for name in names:
                    session.append([stays(name, session.forget(name))])
            self._overwrite_deleted()
        return range(start, start + len(names))

    def identity(self) -> LedgerIdentity:
        """Return what this ledger is known by. Its id never changes."""
        with reported(), self._engine.connect() as connection:
            return read_identity(connection)

    def bind(self, pseudonym_key: str) -> str:
        """Write down for ever by which key its pseudonyms are made, and return what stands: the first to do so wins."""
        with self._group.exclusive(), self._holding_head() as session:
            return session.bind(pseudonym_key)

    def close(self) -> None:
        """Let go of every connection."""
        self._closing()
        self._engine.dispose()
        if self._acknowledged is not None:
            self._acknowledged.close()

    def _drafts(self, bodies: Sequence[Body]) -> list[Draft]:
        recorded_at = self._clock()
        # All salts at once: each time the system is asked for some, other threads take the turn.
        salts = secrets.token_bytes(SALT_BYTES * len(bodies))
        return [
            draft(body, recorded_at=recorded_at, salt=salts[SALT_BYTES * number : SALT_BYTES * (number + 1)])
            for number, body in enumerate(bodies)
        ]

    def _slices(self, start: int, stop: int) -> Iterator[Event]:
        while start < stop:
            with reported(), self._engine.connect() as connection:
                rows = _slice(connection, start, min(start + READ_BATCH, stop))
            yield from map(_event, rows)
            start += len(rows)

    def _asked(self, asked: Select[Any], start: int, stop: int, **more: object) -> Iterator[Event]:
        while start < stop:
            with reported(), self._engine.connect() as connection:
                rows = connection.execute(asked, {"start": start, "stop": stop, **more}).all()
            yield from map(_event, rows)
            start = rows[-1].position + 1 if rows else stop

    def _commit_batch(self, batch: Sequence[Request]) -> None:
        placed: list[tuple[Request, range]] = []
        with self._holding_head() as session:
            for request in batch:
                try:
                    request.check()
                    placed.append((request, session.place(request.drafts)))
                except ConsentryError as error:
                    request.error = error
        for request, positions in placed:
            request.positions = positions

    @contextmanager
    def _holding_head(self, asked: float | None = None) -> Iterator[_Session]:
        with reported():
            connection = self._engine.connect().execution_options(**{WRITING: True})
        try:
            with reported():
                position = _position(connection.execute(_LOCK_HEAD).scalar_one_or_none())
            session = _Session(connection, position, drafts=self._drafts, insert_rows=self._insert_rows)
            yield session
            with reported():
                session.flush()
            outcomes.commit(connection)
            self._note(session)
            if asked is not None and session.newest is not None:
                self.commits.done(asked)
        except BaseException:
            with suppress(SQLAlchemyError):
                connection.rollback()
            raise
        finally:
            with suppress(SQLAlchemyError):
                connection.close()

    def _note(self, session: _Session) -> None:
        if self._acknowledged is not None and session.newest is not None:
            # What cannot be noted was said all the same: the note before it stands.
            with suppress(OSError):
                self._acknowledged.note(session.position - 1, session.newest)

    def _overwrite_deleted(self) -> None:
        """Move the deletion out of SQLite's write-ahead log, which still holds the pages as they were before.

        If a reader is in the way SQLite does it at the next checkpoint. PostgreSQL does it at its next vacuum.
        """
        if self._engine.dialect.name == "sqlite":
            with reported():
                raw = self._engine.raw_connection()
                try:
                    raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                finally:
                    raw.close()


class _Session:
    """A transaction that holds the head (`store.SealingSession`). What it places is inserted when it is flushed."""

    def __init__(
        self,
        connection: Connection,
        position: int,
        *,
        drafts: Callable[[Sequence[Body]], list[Draft]],
        insert_rows: Insert,
    ) -> None:
        self._connection = connection
        self._drafts = drafts
        self._insert_rows = insert_rows
        self._start = position
        self._pending: list[Draft] = []
        self.newest: bytes | None = None
        """The commitment to the last event that was placed."""

    @property
    def position(self) -> int:
        return self._start + len(self._pending)

    def read_delta(self, since: int) -> Iterator[Event]:
        with reported():
            self.flush()
        start = since
        while start < self._start:
            with reported():
                rows = _slice(self._connection, start, min(start + READ_BATCH, self._start))
            yield from map(_event, rows)
            start += len(rows)

    def append(self, bodies: Sequence[Body]) -> range:
        return self.place(self._drafts(bodies))

    def place(self, drafts: Sequence[Draft]) -> range:
        """Give `drafts` their positions, all or none."""
        start = self.position
        for position, each in enumerate(drafts, start):
            if isinstance(each.body, Sealing) and each.body.position != position:
                raise ConflictError(
                    "ledger-seal-position",
                    f"release `{each.body.release}` says it covers [0, {each.body.position}) but stands at {position}",
                    help="seal inside a sealing block, at its position",
                )
        self._pending.extend(drafts)
        if drafts:
            self.newest = drafts[-1].commitment
        return range(start, start + len(drafts))

    def forget(self, person: Pseudonym) -> int:
        """Delete salts and documents of what names `person`, and return how many there were."""
        with reported():
            self.flush()
            return int(self._connection.execute(_FORGET, {"who": person}).rowcount)

    def bind(self, pseudonym_key: str) -> str:
        with reported():
            standing = read_identity(self._connection).pseudonym_key
            if standing is None:
                self._connection.execute(insert(IDENTITY).values(name=PSEUDONYM_KEY, value=pseudonym_key))
        return standing or pseudonym_key

    def flush(self) -> None:
        if not self._pending:
            return
        placed = list(enumerate(self._pending, self._start))
        self._insert_rows(self._connection, EVENTS, rows=[_event_row(position, each) for position, each in placed])
        personal = [_personal_row(position, each) for position, each in placed if each.salt is not None]
        if personal:
            self._insert_rows(self._connection, PERSONAL, rows=personal)
        self._connection.execute(update(HEAD).values(position=self.position))
        self._start, self._pending = self.position, []


def _event_row(position: int, each: Draft) -> tuple[object, ...]:
    body, document = each.body, each.document if each.salt is None else None
    return position, body.KIND, body.VERSION, each.recorded_at, each.commitment, document


def _personal_row(position: int, each: Draft) -> tuple[object, ...]:
    person, other = (*each.people, None, None)[:2]
    return position, person, other, each.salt, each.document


def _slice(connection: Connection, start: int, stop: int) -> Sequence[Any]:
    rows = connection.execute(_SLICE, {"start": start, "stop": stop}).all()
    if len(rows) != stop - start:
        raise _gap(start, len(rows), stop - start)
    return rows


def _gap(start: int, found: int, asked: int) -> IntegrityError:
    return IntegrityError(
        "ledger-gap",
        f"events from position {start} on: the ledger has {found} of {asked}",
        help="restore the ledger from a backup, and find out who can write to it",
    )


def _event(row: Any) -> Event:
    position, recorded_at, kind, version, commitment, salt, document, personal = row
    both = document is not None and personal is not None
    held = None if both else document if personal is None else personal
    return restore(Stored(position, recorded_at, kind, version, commitment, salt, held))


def _position(found: int | None) -> int:
    if found is None:
        raise IntegrityError(
            "ledger-head-missing", "the ledger has lost its head", help="restore the ledger from a backup"
        )
    return found
