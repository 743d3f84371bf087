"""The store of accounts in a database: SQLite beside the ledger, or the PostgreSQL that has the ledger.

What is here is no part of the ledger: an account can be changed and a session be forgotten. A crash loses no account
and no key that was acknowledged; a session may be lost, and then somebody signs in again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    MetaData,
    Table,
    and_,
    create_engine,
    delete,
    event,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.engine import Engine, Row
from sqlalchemy.exc import IntegrityError as UniqueViolation

from consentry.accounts import belonging_sql, web_sql
from consentry.accounts.access import Role
from consentry.accounts.account import SESSION_S, Account, ApiKey, KeyChange, Session
from consentry.accounts.columns import GivenString, GivenText
from consentry.accounts.web_sql import Sealing, SqlWebState
from consentry.accounts.web_sql import reported as _reported
from consentry.errors import ConflictError

_METADATA = MetaData()
_ACCOUNTS = Table(
    "accounts",
    _METADATA,
    Column("handle", GivenString(100), primary_key=True),
    Column("roles", GivenText, nullable=False),
    Column("areas", GivenText, nullable=False),
    Column("password", GivenText, nullable=False),
    Column("subject", GivenText, nullable=False),
    Column("disabled", BigInteger, nullable=False),
)
_SESSIONS = Table(
    "sessions",
    _METADATA,
    Column("digest", GivenString(64), primary_key=True),
    Column("handle", GivenString(100), index=True),
    Column("person", GivenString(64)),
    Column("facts", GivenText, nullable=False),
    Column("begun_at", BigInteger, nullable=False, index=True),
    Column("used_at", BigInteger, nullable=False),
)
_KEYS = Table(
    "api_keys",
    _METADATA,
    Column("ident", GivenString(32), primary_key=True),
    Column("digest", GivenString(64), nullable=False, unique=True),
    Column("name", GivenText, nullable=False),
    Column("roles", GivenText, nullable=False),
    Column("made_by", GivenText, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)
_PUBLIC_KEYS = Table(
    "account_public_keys",
    _METADATA,
    Column("handle", GivenString(100), primary_key=True),
    Column("public_key", GivenString(64), nullable=False),
)
_KEY_CHANGES = Table(
    "account_key_changes",
    _METADATA,
    Column("number", Integer, primary_key=True),
    Column("handle", GivenString(100), nullable=False, index=True),
    Column("public_key", GivenString(64), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
_SPENT = Table(
    "spent_once",
    _METADATA,
    Column("name", GivenString(200), primary_key=True),
    Column("until", BigInteger, nullable=False, index=True),
)
_KEPT = Table(
    "kept_once",
    _METADATA,
    Column("name", GivenString(200), primary_key=True),
    Column("text", GivenText, nullable=False),
    Column("until", BigInteger, nullable=False, index=True),
)


class SqlAccounts:
    """Keeps `store.AccountStore`. Several threads and processes may share one database."""

    def __init__(self, url: str, *, ledger: str, sealing: Sealing) -> None:
        """Open what goes with this ledger, or begin it.

        Raises:
            IntegrityError: what is there is another deployment's or program's; nothing was written into it.
        """
        tables = (*_METADATA.tables.values(), *web_sql.METADATA.tables.values())
        with _reported():
            belonging_sql.require_ours(url, ledger=ledger, tables=tables)
        self._engine = _engine(url)
        with _reported():
            belonging_sql.mark(self._engine, ledger=ledger)
            _METADATA.create_all(self._engine)
        self.web = SqlWebState(self._engine, sealing)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def account(self, handle: str) -> Account | None:
        """Return an account."""
        with self._reading() as connection:
            row = connection.execute(select(_ACCOUNTS).where(_ACCOUNTS.c.handle == handle)).one_or_none()
        return None if row is None else _account(row)

    def accounts(self) -> list[Account]:
        """Return all accounts by handle."""
        with self._reading() as connection:
            return [_account(row) for row in connection.execute(select(_ACCOUNTS).order_by(_ACCOUNTS.c.handle))]

    def add_account(self, account: Account) -> None:
        """Write a new account down.

        Raises:
            ConflictError: there is one of that name.
        """
        with self._writing() as connection:
            try:
                connection.execute(insert(_ACCOUNTS).values(_columns(account)))
            except UniqueViolation:
                raise ConflictError(
                    "account-exists", f"there is an account `{account.handle}`", help="choose another name"
                ) from None

    def change_account(self, account: Account, *, since: Account) -> bool:
        """Write down what became of an account, and end its sessions; False: it is not as in `since` any more."""
        with self._writing() as connection:
            change = update(_ACCOUNTS).where(_is_still(since)).values(_columns(account))
            if not connection.execute(change).rowcount:
                return False
            connection.execute(delete(_SESSIONS).where(_SESSIONS.c.handle == account.handle))
            return True

    def begin_session(self, digest: str, session: Session, *, since: Account | None = None) -> bool:
        """Write a session down, and forget those that are over; False: its account is not as in `since` any more."""
        with self._writing() as connection:
            # First: SQLite takes the lock of whoever writes with it, and what is read next is not changed meanwhile.
            connection.execute(delete(_SESSIONS).where(_SESSIONS.c.begun_at < session.begun_at - SESSION_S))
            if since is not None:
                still = select(_ACCOUNTS.c.handle).where(_is_still(since)).with_for_update(read=True)
                if connection.execute(still).one_or_none() is None:
                    return False
            connection.execute(
                insert(_SESSIONS).values(
                    digest=digest,
                    handle=session.handle,
                    person=session.person,
                    facts=json.dumps(dict(session.facts)),
                    begun_at=session.begun_at,
                    used_at=session.used_at,
                )
            )
            return True

    def session(self, digest: str) -> Session | None:
        """Return a session, over or not."""
        with self._reading() as connection:
            row = connection.execute(select(_SESSIONS).where(_SESSIONS.c.digest == digest)).one_or_none()
        return None if row is None else _session(row)

    def sessions_of(self, handle: str) -> dict[str, Session]:
        """Return the sessions of an account by their digests, over or not, the newest first."""
        of_it = select(_SESSIONS).where(_SESSIONS.c.handle == handle).order_by(_SESSIONS.c.begun_at.desc())
        with self._reading() as connection:
            return {row.digest: _session(row) for row in connection.execute(of_it)}

    def use_session(self, digest: str, *, at: int) -> None:
        """Note that a session was used."""
        with self._writing() as connection:
            connection.execute(update(_SESSIONS).where(_SESSIONS.c.digest == digest).values(used_at=at))

    def end_session(self, digest: str) -> None:
        """Forget a session."""
        with self._writing() as connection:
            connection.execute(delete(_SESSIONS).where(_SESSIONS.c.digest == digest))

    def put_key(self, key: ApiKey) -> None:
        """Write a key down, or what became of it."""
        values = {
            "digest": key.digest,
            "name": key.name,
            "roles": _listed(key.roles),
            "made_by": key.made_by,
            "made_at": key.made_at,
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
        }
        with self._writing() as connection:
            connection.execute(delete(_KEYS).where(_KEYS.c.ident == key.ident))
            connection.execute(insert(_KEYS).values(ident=key.ident, **values))

    def key(self, digest: str) -> ApiKey | None:
        """Return the key with this digest."""
        with self._reading() as connection:
            row = connection.execute(select(_KEYS).where(_KEYS.c.digest == digest)).one_or_none()
        return None if row is None else _key(row)

    def all_keys(self) -> list[ApiKey]:
        """Return all keys, the newest first."""
        with self._reading() as connection:
            return [_key(row) for row in connection.execute(select(_KEYS).order_by(_KEYS.c.made_at.desc()))]

    def put_public_key(self, handle: str, key: bytes, *, at: int) -> None:
        """Write down the raw public key of an account, in place of the one before, and that it was changed."""
        with self._writing() as connection:
            connection.execute(delete(_PUBLIC_KEYS).where(_PUBLIC_KEYS.c.handle == handle))
            connection.execute(insert(_PUBLIC_KEYS).values(handle=handle, public_key=key.hex()))
            connection.execute(insert(_KEY_CHANGES).values(handle=handle, public_key=key.hex(), changed_at=at))

    def public_key(self, handle: str) -> bytes | None:
        """Return the public key of an account."""
        with self._reading() as connection:
            row = connection.execute(select(_PUBLIC_KEYS).where(_PUBLIC_KEYS.c.handle == handle)).one_or_none()
        return None if row is None else bytes.fromhex(row.public_key)

    def key_changes(self, handle: str) -> list[KeyChange]:
        """Return every key that was written down for an account, oldest first."""
        of_it = select(_KEY_CHANGES).where(_KEY_CHANGES.c.handle == handle).order_by(_KEY_CHANGES.c.number)
        with self._reading() as connection:
            rows = connection.execute(of_it).all()
        return [KeyChange(key=bytes.fromhex(row.public_key), at=row.changed_at) for row in rows]

    def spend(self, name: str, *, until: int, now: int) -> bool:
        """Note that something was used; False: it was used before."""
        with self._writing() as connection:
            connection.execute(delete(_SPENT).where(_SPENT.c.until < now))
            try:
                connection.execute(insert(_SPENT).values(name=name, until=until))
            except UniqueViolation:
                return False
        return True

    def keep(self, name: str, text: str, *, until: int, now: int) -> None:
        """Keep a text for whoever takes it first, in place of what was kept under this name."""
        # Another may be kept under this name at the same moment: the one that comes later stays.
        while not self._kept_alone(name, text, until=until, now=now):
            pass

    def _kept_alone(self, name: str, text: str, *, until: int, now: int) -> bool:
        with self._writing() as connection:
            connection.execute(delete(_KEPT).where(or_(_KEPT.c.until < now, _KEPT.c.name == name)))
            try:
                connection.execute(insert(_KEPT).values(name=name, text=text, until=until))
            except UniqueViolation:
                return False
        return True

    def take(self, name: str, *, now: int) -> str | None:
        """Return a text that was kept, once."""
        with self._writing() as connection:
            row = connection.execute(select(_KEPT).where(_KEPT.c.name == name)).one_or_none()
            gone = connection.execute(delete(_KEPT).where(_KEPT.c.name == name)).rowcount
        return row.text if row is not None and gone and row.until >= now else None

    def kept(self, name: str, *, now: int) -> str | None:
        """Return a text that was kept, which stays."""
        with self._reading() as connection:
            row = connection.execute(select(_KEPT).where(_KEPT.c.name == name)).one_or_none()
        return row.text if row is not None and row.until >= now else None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _reported(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _reported(), self._engine.begin() as connection:
            yield connection


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure)
    return engine


def _configure(connection: Any, _: Any) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "busy_timeout=30000"):
        connection.execute(f"PRAGMA {pragma}")


def _columns(account: Account) -> dict[str, Any]:
    return {
        "handle": account.handle,
        "roles": _listed(account.roles),
        "areas": _listed(account.areas),
        "password": account.password,
        "subject": account.subject,
        "disabled": int(account.disabled),
    }


def _is_still(account: Account) -> ColumnElement[bool]:
    """Return the condition that nothing of an account has changed."""
    return and_(*(_ACCOUNTS.c[name] == value for name, value in _columns(account).items()))


def _listed(names: frozenset[Any]) -> str:
    return " ".join(sorted(names))


def _roles(names: str) -> frozenset[Role]:
    return frozenset(Role(name) for name in names.split())


def _account(row: Row[Any]) -> Account:
    return Account(
        handle=row.handle,
        roles=_roles(row.roles),
        areas=frozenset(row.areas.split()),
        password=row.password,
        subject=row.subject,
        disabled=bool(row.disabled),
    )


def _session(row: Row[Any]) -> Session:
    return Session(
        handle=row.handle,
        person=row.person,
        facts=json.loads(row.facts),
        begun_at=row.begun_at,
        used_at=row.used_at,
    )


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        ident=row.ident,
        name=row.name,
        roles=_roles(row.roles),
        digest=row.digest,
        made_by=row.made_by,
        made_at=row.made_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )
