"""What an authority would ask for first: events that were lost, what is overdue, and assessments that are missing.

A condition that has a check is overdue if the check says no: it is run here.

Read from the tables of the ledger as they are, so that looking changes nothing. That they cannot be read is said of the
ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from consentry.digests import Digest
from consentry.doctor.finding import Finding, State
from consentry.errors import ConsentryError, NotFoundError
from consentry.exhausted import require_room
from consentry.ledger.envelope import Event, Stored, restore
from consentry.ledger.events import PolicyPublished
from consentry.ledger.schema import EVENTS
from consentry.oversight.case import Answers, Case, Condition
from consentry.oversight.condition_check import ABOUT_THE_FORM
from consentry.oversight.overseen import Overseen
from consentry.policy.choice import Seconds
from consentry.policy.policy_parser import load
from consentry.policy.policy_set import PolicySet
from consentry.served_form import served_form

_COLUMNS = (EVENTS.c.position, EVENTS.c.recorded_at, EVENTS.c.kind, EVENTS.c.version, EVENTS.c.commitment)


def oversight(engine: Engine, home: Path, *, at: Seconds) -> list[Finding]:
    """Return what is overdue or missing at `at`; nothing if all is well, or the ledger cannot be read."""
    objects = home / "objects"
    try:
        events = list(_open_events(engine))
        overseen = Overseen()
        overseen.advance(events)
    except (SQLAlchemyError, ConsentryError, ImportError):
        return []
    finally:
        engine.dispose()
    published = {body.name: body for event in events if isinstance(body := event.body, PolicyPublished)}
    return [
        *_lost(overseen),
        *_reports(overseen, at),
        *_conditions(overseen, published, home, at=at),
        *_models(events, overseen, home, at=at),
        *_assessments(overseen, published.values(), objects),
    ]


def _open_events(engine: Engine) -> Iterator[Event]:
    query = select(*_COLUMNS, EVENTS.c.document).where(EVENTS.c.document.is_not(None)).order_by(EVENTS.c.position)
    with engine.connect() as connection:
        for position, recorded_at, kind, version, commitment, document in connection.execute(query):
            yield restore(Stored(position, recorded_at, kind, version, bytes(commitment), None, bytes(document)))


def _lost(overseen: Overseen) -> Iterator[Finding]:
    for each in overseen.lost:
        where = f"position {each.first}" if each.events == 1 else f"positions {each.first} to {each.last}"
        yield Finding(
            name="lost events",
            state=State.MISSING,
            found=f"{where}: lost with the newest ledger ({each.reference})",
            purpose="what people said there, above all refusals, which count no more",
            remedy="before any release is built, record again what was said since the copy was made: import choices "
            "of the platform, and ask whoever has a receipt of these positions",
        )


def _reports(overseen: Overseen, at: Seconds) -> Iterator[Finding]:
    for case in overseen.cases:
        for report in case.reports.values():
            if report.overdue(at):
                yield Finding(
                    name=f"report {report.report}",
                    state=State.MISSING,
                    found=f"overdue: {report.title}",
                    purpose=f"what the authority is owed in case {case.case}",
                    remedy=f"consentry case report write {case.case} {report.report}",
                )


def _conditions(
    overseen: Overseen, published: Mapping[str, PolicyPublished], home: Path, *, at: Seconds
) -> Iterator[Finding]:
    digests = {name: body.digest for name, body in published.items()}

    def read(document: Digest) -> PolicySet:
        try:
            return load(_text(document, home / "objects"), document, accepted=True)
        except OSError as error:
            require_room(error)
            raise NotFoundError("object-missing", f"no object `{document}`", help="restore it from a backup") from None

    for case in overseen.cases:
        due = [each for each in case.conditions.values() if each.due is not None and each.due < at]
        if case.over is None:
            answers: Answers = {}
            if any(each.check is not None for each in due):
                # Only here: it brings more than most deployments need to be looked at.
                from consentry.control_plane.conditions import checks_of, run_all  # noqa: PLC0415

                form = served_form(home) if any(each.check in ABOUT_THE_FORM for each in due) else None
                answers = run_all(checks_of(case, overseen, published=digests, read=read, at=at, form=form))
            yield from (_overdue(case, each, answers) for each in due if not each.answer(answers).met)


def _overdue(case: Case, condition: Condition, answers: Answers) -> Finding:
    by_hand = f"consentry case condition meet {case.case} {condition.condition} FILE --by HANDLE"
    found = "no evidence" if condition.check is None else condition.answer(answers).found
    return Finding(
        name=f"condition {condition.condition}",
        state=State.MISSING,
        found=f"overdue, {found}: {condition.title}",
        purpose=f"giving back what case {case.case} suspends; {condition.owner} sees to it",
        remedy=by_hand if condition.check is None else f"consentry case show {case.case}",
    )


def _models(events: Sequence[Event], overseen: Overseen, home: Path, *, at: Seconds) -> Iterator[Finding]:
    if next(iter(overseen.lineage), None) is not None:
        # Only here, for the same reason.
        from consentry.doctor.models import models  # noqa: PLC0415

        yield from models(events, overseen, home=home, at=at)


def _text(document: Digest, objects: Path) -> str:
    return (objects / document.removeprefix("sha256:")).read_text("utf-8")


def _assessments(overseen: Overseen, published: Iterable[PolicyPublished], objects: Path) -> Iterator[Finding]:
    for body in published:
        try:
            missing = overseen.assessments.missing(load(_text(body.digest, objects), body.name, accepted=True))
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
