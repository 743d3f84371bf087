"""What an authority would ask for first: events that were lost, what is overdue, and assessments that are missing.

Read from the tables of the ledger as they are, so that looking changes nothing. That they cannot be read is said of the
ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from consentry.doctor.finding import Finding, State
from consentry.errors import ConsentryError
from consentry.ledger.envelope import Event, Stored, restore
from consentry.ledger.events import PolicyPublished
from consentry.ledger.schema import EVENTS
from consentry.oversight.overseen import Overseen
from consentry.policy.choice import Seconds
from consentry.policy.policy_parser import load

_COLUMNS = (EVENTS.c.position, EVENTS.c.recorded_at, EVENTS.c.kind, EVENTS.c.version, EVENTS.c.commitment)


def oversight(engine: Engine, objects: Path, *, at: Seconds) -> list[Finding]:
    """Return what is overdue or missing at `at`; nothing if all is well, or the ledger cannot be read."""
    try:
        events = list(_open_events(engine))
        record = Overseen()
        record.advance(events)
    except (SQLAlchemyError, ConsentryError, ImportError):
        return []
    finally:
        engine.dispose()
    published = {body.name: body for event in events if isinstance(body := event.body, PolicyPublished)}
    return [
        *_lost(record),
        *_reports(record, at),
        *_conditions(record, at),
        *_assessments(record, published.values(), objects),
    ]


def _open_events(engine: Engine) -> Iterator[Event]:
    query = select(*_COLUMNS, EVENTS.c.document).where(EVENTS.c.document.is_not(None)).order_by(EVENTS.c.position)
    with engine.connect() as connection:
        for position, recorded_at, kind, version, commitment, document in connection.execute(query):
            yield restore(Stored(position, recorded_at, kind, version, bytes(commitment), None, bytes(document)))


def _lost(record: Overseen) -> Iterator[Finding]:
    for each in record.lost:
        where = f"position {each.first}" if each.events == 1 else f"positions {each.first} to {each.last}"
        yield Finding(
            name="lost events",
            state=State.MISSING,
            found=f"{where}: lost with the newest ledger ({each.reference})",
            purpose="what people said there, above all refusals, which count no more",
            remedy="before any release is built, record again what was said since the copy was made: import choices "
            "of the platform, and ask whoever has a receipt of these positions",
        )


def _reports(record: Overseen, at: Seconds) -> Iterator[Finding]:
    for case in record.cases:
        for report in case.reports.values():
            if report.overdue(at):
                yield Finding(
                    name=f"report {report.report}",
                    state=State.MISSING,
                    found=f"overdue: {report.title}",
                    purpose=f"what the authority is owed in case {case.case}",
                    remedy=f"consentry case report write {case.case} {report.report}",
                )


def _conditions(record: Overseen, at: Seconds) -> Iterator[Finding]:
    """Those that a check answers are not looked at: running it needs more than the tables of the ledger."""
    for case in record.cases:
        for each in case.conditions.values() if case.over is None else ():
            if each.check is None and each.met is None and each.due is not None and each.due < at:
                yield Finding(
                    name=f"condition {each.condition}",
                    state=State.MISSING,
                    found=f"overdue, no evidence: {each.title}",
                    purpose=f"giving back what case {case.case} suspends; {each.owner} sees to it",
                    remedy=f"consentry case condition meet {case.case} {each.condition} FILE --by HANDLE",
                )


def _assessments(record: Overseen, published: Iterable[PolicyPublished], objects: Path) -> Iterator[Finding]:
    for body in published:
        try:
            text = (objects / body.digest.removeprefix("sha256:")).read_text("utf-8")
            missing = record.assessments.missing(load(text, body.name, accepted=True))
        except (OSError, ConsentryError):
            continue
        if missing:
            yield Finding(
                name=f"policy {body.name}",
                state=State.MISSING,
                found=f"no legitimate-interest assessment is bound to version {body.version}",
                purpose=f"showing why {', '.join(missing)} may be used",
                remedy=f"consentry assessment bind legitimate-interest FILE --policy {body.name} --by HANDLE",
            )
