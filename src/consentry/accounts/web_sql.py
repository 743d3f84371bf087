"""The store of `web_state`, in the database of the accounts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    LargeBinary,
    MetaData,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError as UniqueViolation
from sqlalchemy.exc import OperationalError

from consentry.accounts.columns import GivenString, GivenText
from consentry.accounts.web_state import KEPT_S, SECRET_PREFIX, Endpoint, KeptAnswer, secret_unreadable
from consentry.errors import UnavailableError

METADATA = MetaData()
_ANSWERS = Table(
    "kept_answers",
    METADATA,
    Column("name", GivenString(64), primary_key=True),
    Column("request", GivenString(64), nullable=False),
    Column("begun_at", BigInteger, nullable=False, index=True),
    Column("status", BigInteger),
    Column("kind", GivenText, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
_ENDPOINTS = Table(
    "webhook_endpoints",
    METADATA,
    Column("ident", GivenString(32), primary_key=True),
    Column("url", GivenText, nullable=False),
    Column("kinds", GivenText, nullable=False),
    Column("secret", GivenText, nullable=False),
    Column("made_by", GivenText, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("retry_at", BigInteger, nullable=False),
    Column("error", GivenText, nullable=False),
)


_SEALED = "sealed1:"
"""Before what stands in place of a secret. One from before secrets were sealed begins with `SECRET_PREFIX`."""


class Sealing(Protocol):
    """Hides secrets of webhooks from whoever reads the database; the key is not in it."""

    def seal(self, text: str, *, about: str) -> str:
        """Encrypt a text; it opens only as one about the same thing."""
        ...

    def open(self, sealed: str, *, about: str) -> str | None:
        """Decrypt a text; None: it cannot be."""
        ...


class SqlWebState:
    """Keeps `web_state.WebState`. Several threads may share one."""

    def __init__(self, engine: Engine, sealing: Sealing) -> None:
        self._engine = engine
        self._sealing = sealing
        with reported():
            METADATA.create_all(engine)
        self._seal_all()

    def _seal_all(self) -> None:
        """Seal secrets of before they were sealed. Killed in between, the next opening does the rest."""
        plain = select(_ENDPOINTS.c.ident, _ENDPOINTS.c.secret).where(_ENDPOINTS.c.secret.startswith(SECRET_PREFIX))
        with reported(), self._engine.connect() as connection:
            found = connection.execute(plain).all()
        for ident, secret in found:
            still = (_ENDPOINTS.c.ident == ident) & (_ENDPOINTS.c.secret == secret)
            with reported(), self._engine.begin() as connection:
                connection.execute(update(_ENDPOINTS).where(still).values(secret=self._sealed(ident, secret)))

    def _sealed(self, ident: str, secret: str) -> str:
        return _SEALED + self._sealing.seal(secret, about=f"webhook {ident}")

    def _opened(self, ident: str, kept: str) -> str:
        """Return a secret; empty if it cannot be read: that is the matter of one webhook, and the others go on."""
        return self._sealing.open(kept.removeprefix(_SEALED), about=f"webhook {ident}") or ""

    def begin(self, name: str, *, request: str, now: int) -> KeptAnswer | None:
        """Note that a request is being answered, and return None; or what is kept of one before."""
        with reported(), self._engine.begin() as connection:
            connection.execute(delete(_ANSWERS).where(_ANSWERS.c.begun_at < now - KEPT_S))
        try:
            with reported(), self._engine.begin() as connection:
                values = {"name": name, "request": request, "begun_at": now, "kind": "", "content": b""}
                connection.execute(insert(_ANSWERS).values(**values))
        except UniqueViolation:
            with reported(), self._engine.connect() as connection:
                row = connection.execute(select(_ANSWERS).where(_ANSWERS.c.name == name)).one_or_none()
            if row is None:
                # Forgotten in between: somebody else's try changed nothing, and this one can be made again.
                return KeptAnswer(request=request)
            return KeptAnswer(request=row.request, status=row.status, kind=row.kind, content=row.content)
        return None

    def finish(self, name: str, answer: KeptAnswer) -> None:
        """Keep the answer."""
        values = {"status": answer.status, "kind": answer.kind, "content": answer.content}
        with reported(), self._engine.begin() as connection:
            connection.execute(update(_ANSWERS).where(_ANSWERS.c.name == name).values(**values))

    def forget(self, name: str) -> None:
        """Forget a request that changed nothing."""
        with reported(), self._engine.begin() as connection:
            connection.execute(delete(_ANSWERS).where(_ANSWERS.c.name == name))

    def endpoints(self) -> list[Endpoint]:
        """Return all of them, oldest first."""
        order = select(_ENDPOINTS).order_by(_ENDPOINTS.c.made_at, _ENDPOINTS.c.ident)
        with reported(), self._engine.connect() as connection:
            return [
                Endpoint(
                    **{
                        **row._asdict(),
                        "kinds": frozenset(row.kinds.split()),
                        "secret": self._opened(row.ident, row.secret),
                    }
                )
                for row in connection.execute(order)
            ]

    def put_endpoint(self, endpoint: Endpoint) -> None:
        """Write one down, new or changed.

        Raises:
            IntegrityError: it has no secret that could be read, and what is kept of it must not be lost.
        """
        if not endpoint.secret:
            raise secret_unreadable(endpoint.ident)
        values = {
            "url": endpoint.url,
            "kinds": " ".join(sorted(endpoint.kinds)),
            "secret": self._sealed(endpoint.ident, endpoint.secret),
            "made_by": endpoint.made_by,
            "made_at": endpoint.made_at,
            "position": endpoint.position,
            "failures": endpoint.failures,
            "retry_at": endpoint.retry_at,
            "error": endpoint.error,
        }
        with reported(), self._engine.begin() as connection:
            changed = connection.execute(
                update(_ENDPOINTS).where(_ENDPOINTS.c.ident == endpoint.ident).values(**values)
            )
            if not changed.rowcount:
                connection.execute(insert(_ENDPOINTS).values(ident=endpoint.ident, **values))

    def advance_endpoint(self, endpoint: Endpoint, *, since: int) -> bool:
        """Write down how far deliveries are; False: it was removed or moved meanwhile, and is not at `since`."""
        values = {
            "position": endpoint.position,
            "failures": endpoint.failures,
            "retry_at": endpoint.retry_at,
            "error": endpoint.error,
        }
        still = (_ENDPOINTS.c.ident == endpoint.ident) & (_ENDPOINTS.c.position == since)
        with reported(), self._engine.begin() as connection:
            return bool(connection.execute(update(_ENDPOINTS).where(still).values(**values)).rowcount)

    def exchange_secret(self, ident: str, secret: str) -> bool:
        """Put a secret in place of the one before; False: there is no such endpoint."""
        values = {"secret": self._sealed(ident, secret), "failures": 0, "retry_at": 0, "error": ""}
        with reported(), self._engine.begin() as connection:
            found = connection.execute(update(_ENDPOINTS).where(_ENDPOINTS.c.ident == ident).values(**values))
            return bool(found.rowcount)

    def remove_endpoint(self, ident: str) -> bool:
        """Forget one; False: there is none."""
        with reported(), self._engine.begin() as connection:
            return bool(connection.execute(delete(_ENDPOINTS).where(_ENDPOINTS.c.ident == ident)).rowcount)


@contextmanager
def reported() -> Iterator[None]:
    """Say in our words that the database does not answer.

    Raises:
        UnavailableError: it does not.
    """
    try:
        yield
    except OperationalError as error:
        raise UnavailableError(
            "accounts-unavailable",
            "the store of accounts does not answer",
            help="is its disk full, or its database down? Nothing was lost: try again",
        ) from error
