"""The tables of a ledger, and how a database comes to have them.

| table | what | may change |
|---|---|---|
| `head` | one row: the position of the next event. Locking it is the right to append | by appending |
| `events` | every event: kind, version, time, commitment, and the document of an open one | never (triggers refuse) |
| `personal` | salt and document of a personal event, and whom it names | deleted by erasure, never updated |
| `identity` | the ledger's id, and the fingerprint of the key its pseudonyms are made with | never (triggers refuse) |

`head.position` is the number of rows in `events`: both change in one transaction. The id is made with the table that
holds it: a backup of a ledger has it, and nobody else's ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    inspect,
    select,
    text,
)
from sqlalchemy.engine import Connection

from consentry.errors import IntegrityError, StateError
from consentry.ledger import migrations

METADATA = MetaData()

HEAD = Table(
    "head",
    METADATA,
    Column("id", SmallInteger, CheckConstraint("id = 1", name="one_head"), primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
)

_POSITION = BigInteger().with_variant(Integer, "sqlite")

EVENTS = Table(
    "events",
    METADATA,
    Column("position", _POSITION, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("version", SmallInteger, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("document", LargeBinary),
)
# Migrations 0003 and 0004 make partial indexes, `events_open` and `events_few`. Naming them here would import
# PostgreSQL's dialect at every start.

PERSONAL = Table(
    "personal",
    METADATA,
    Column("position", _POSITION, ForeignKey("events.position"), primary_key=True, autoincrement=False),
    Column("person", String(32)),
    Column("other", String(32)),
    Column("salt", LargeBinary, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index("personal_person", "person"),
    Index("personal_other", "other"),
)

IDENTITY = Table(
    "identity",
    METADATA,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
NOT_A_LEDGER = "ledger-not-a-ledger"
LEDGER_ID, PSEUDONYM_KEY = "ledger", "pseudonym-key"
"""The names of its rows. The first is written by the migration, the second when a home first opens the ledger."""

_OF_EVERY_REVISION = frozenset({HEAD.name, EVENTS.name, PERSONAL.name})
REVISION = "0004"
"""The newest revision in `migrations/versions`; a test holds the two together."""


class LedgerIdentity(NamedTuple):
    """What a ledger is known by: its id, and the fingerprint of its pseudonym key (None: it was never opened)."""

    ledger: str
    pseudonym_key: str | None


Recognise = Callable[[LedgerIdentity | None], None]
"""Given what a ledger is known by (None: it has no id yet) before anything is written; raises if it is another's."""


def anybody(_: LedgerIdentity | None) -> None:
    """Recognise every ledger."""


def revision_of(connection: Connection) -> str | None:
    """Return the revision the database is at, or None if it holds no ledger.

    Raises:
        IntegrityError: it is another program's, which keeps its revision in a table of the same name.
    """
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" not in tables:
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    if found and (len(found) > 1 or not tables >= _OF_EVERY_REVISION):
        raise IntegrityError(
            NOT_A_LEDGER,
            "this database is another program's: its `alembic_version` is not about a ledger",
            help="name the right one in `ledger_url`",
        )
    return str(found[0]) if found else None


def identity_of(connection: Connection) -> LedgerIdentity | None:
    """Return what the ledger is known by, None if there is no ledger, or one that was not migrated since it has ids.

    Raises:
        StateError: a newer version wrote it.
        IntegrityError: the id is gone.
    """
    found = revision_of(connection)
    if found in (None, "0001"):
        return None
    if found != REVISION:
        refuse_newer(found)
    return read_identity(connection)


def read_identity(connection: Connection) -> LedgerIdentity:
    """Return what a ledger of this version is known by.

    Raises:
        IntegrityError: the id is gone.
    """
    found = {str(name): str(value) for name, value in connection.execute(select(IDENTITY.c.name, IDENTITY.c.value))}
    if LEDGER_ID not in found:
        raise IntegrityError("ledger-id-missing", "the ledger has lost its id", help="restore the ledger from a backup")
    return LedgerIdentity(found[LEDGER_ID], found.get(PSEUDONYM_KEY))


def require_current(connection: Connection) -> None:
    """Refuse a database whose tables are not those of this code.

    Raises:
        StateError: there is no ledger, or one of an older or a newer version.
    """
    found = revision_of(connection)
    if found == REVISION:
        return
    refuse_newer(found)
    raise StateError(
        "ledger-schema-older",
        "the database holds no ledger yet" if found is None else f"the ledger is at revision `{found}`",
        help="run `consentry ledger migrate`",
    )


def refuse_newer(found: str | None) -> None:
    """Refuse a revision this code does not know."""
    if found is not None and found not in {script.revision for script in _scripts().walk_revisions()}:
        raise StateError(
            "ledger-schema-newer",
            f"the ledger is at revision `{found}`, which this version does not know",
            help="a newer Consentry migrated it: upgrade, and do not run the older version again",
        )


def upgrade(connection: Connection) -> None:
    """Bring the database to `REVISION` within the transaction of `connection`: all of it or nothing."""
    refuse_newer(revision_of(connection))
    from alembic import command  # noqa: PLC0415 - see migrations_config

    config = migrations_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def migrations_config() -> Any:
    """Return the configuration of Alembic for these tables (`alembic.config.Config`).

    Alembic is imported where it is used: a ledger that is up to date does not need it, and every command would wait.
    """
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))))
    return config


def _scripts() -> Any:
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see migrations_config

    return ScriptDirectory.from_config(migrations_config())
