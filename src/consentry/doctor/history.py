"""Whether the ledger is whole, the newest there is, and has the texts it decides by: told without reading it all.

Read from its tables as they are, so that looking changes nothing. `consentry ledger verify` reads every event.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from consentry.digests import digest
from consentry.doctor.finding import Finding, State
from consentry.errors import ConsentryError, IntegrityError
from consentry.ledger.acknowledged import FILE, Noted, noted_in, older
from consentry.ledger.envelope import Event, Stored, restore
from consentry.ledger.events import PersonErased, PolicyPublished
from consentry.ledger.objection_events import ObjectionErased
from consentry.ledger.schema import EVENTS, PERSONAL
from consentry.policy.policy_set import withdrawals
from consentry.settings import Settings

_PURPOSE = "deciding by all that was said, above all by every refusal"
_RESTORE = "restore the newest backup that is whole, and find out who can write to it: consentry ledger verify"
_COLUMNS = (EVENTS.c.position, EVENTS.c.recorded_at, EVENTS.c.kind, EVENTS.c.version, EVENTS.c.commitment)


def history(engine: Engine, settings: Settings, *, ledger: str) -> list[Finding]:
    """Return what is wrong with the events of a ledger (the id of which is `ledger`), or that nothing was found."""
    try:
        with engine.connect() as connection:
            # At once: a server that runs says something meanwhile.
            events, last = connection.execute(select(func.count(), func.max(EVENTS.c.position))).one()
            wrong = [
                *_forgotten(connection, settings, ledger=ledger),
                *_gaps(0 if last is None else last + 1 - events),
                *_deleted(connection),
                *_texts(connection, settings.home / "objects"),
            ]
    except ConsentryError as error:
        wrong = [_finding(State.PROBLEM, error.message, remedy=error.help)]
    except (SQLAlchemyError, ImportError):
        return []  # said of the ledger itself
    finally:
        engine.dispose()
    return wrong or [_finding(State.OK, f"{events:,} events, none of them missing")]


def _forgotten(connection: Connection, settings: Settings, *, ledger: str) -> Iterator[Finding]:
    """Say whether the newest event that was acknowledged is not there."""
    second = settings.second_notes
    paths = [settings.home / FILE, *([] if second is None else [second / f"{FILE}-{ledger}"])]
    noted = max((found for path in paths if (found := noted_in(path)) is not None), default=Noted(-1, b""))
    there = select(EVENTS.c.commitment).where(EVENTS.c.position == noted.position)
    found = connection.execute(there).scalar()
    if noted.position >= 0 and (found is None or bytes(found) != noted.commitment):
        error = older(f"the event at position {noted.position}, which was acknowledged, is not there")
        yield _finding(State.PROBLEM, error.message, remedy=error.help)


def _gaps(missing: int) -> Iterator[Finding]:
    if missing:
        yield _finding(State.PROBLEM, f"events that are missing: {missing:,}", remedy=_RESTORE)


def _deleted(connection: Connection) -> Iterator[Finding]:
    """Say how many events are empty that no erasure emptied: as `unexplained` counts them, from sums.

    In this order: what is said or erased while they are taken makes them less, and never more.
    """
    closed = connection.execute(select(func.count()).where(EVENTS.c.document.is_(None))).scalar_one()
    there = connection.execute(select(func.count()).select_from(PERSONAL)).scalar_one()
    erased = sum(
        body.events if isinstance(body := each.body, PersonErased) else body.texts
        for each in _events_of(connection, PersonErased.KIND, ObjectionErased.KIND)
        if isinstance(each.body, PersonErased | ObjectionErased)
    )
    gone = closed - there - erased
    if gone > 0:
        found = f"what people said is gone from {gone:,} events, and no erasure accounts for it"
        yield _finding(State.PROBLEM, found, remedy=_RESTORE)


def _texts(connection: Connection, objects: Path) -> Iterator[Finding]:
    """Say which policy sets in force cannot be read, or are not what was published."""
    published = {
        body.name: body
        for each in _events_of(connection, PolicyPublished.KIND)
        if isinstance(body := each.body, PolicyPublished)
    }
    for name, body in published.items():
        if body.digest in withdrawals(name):
            continue  # nobody needs its text
        path = objects / body.digest.removeprefix("sha256:")
        try:
            whole = digest(path.read_bytes()) == body.digest
        except OSError:
            whole = False
        if not whole:
            found = f"the text of policy set {name} {body.version} is gone or changed"
            yield _finding(State.PROBLEM, found, remedy=f"restore `objects/{path.name}` from a backup")


def _events_of(connection: Connection, *kinds: str) -> Iterator[Event]:
    said = select(*_COLUMNS, EVENTS.c.document, PERSONAL.c.salt, PERSONAL.c.document.label("words"))
    joined = said.join_from(EVENTS, PERSONAL, EVENTS.c.position == PERSONAL.c.position, isouter=True)
    for row in connection.execute(joined.where(EVENTS.c.kind.in_(kinds)).order_by(EVENTS.c.position)):
        document = row.words if row.document is None else row.document
        if document is None:
            raise IntegrityError("ledger-event-changed", f"event {row.position} has lost its document", help=_RESTORE)
        salt = None if row.salt is None else bytes(row.salt)
        yield restore(
            Stored(row.position, row.recorded_at, row.kind, row.version, bytes(row.commitment), salt, bytes(document))
        )


def _finding(state: State, found: str, *, remedy: str = "") -> Finding:
    return Finding(name="history", state=state, found=found, purpose=_PURPOSE, remedy=remedy)
